//! Codes of findings of `troupe doctor`.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "configuration_wrong",
        "The configuration is not accepted; a start fails for the same reason.",
        "Correct the value that the text names, then run `troupe config check`.",
    ),
    ("variable_unknown", "A variable that begins with TROUPE_ sets nothing.", "Correct its name, or remove it."),
    (
        "descriptors_too_few",
        "The hard limit of open files is below the least that a node needs, so a start is refused.",
        "Raise the hard limit: LimitNOFILE= of the service, or `ulimit -Hn`.",
    ),
    (
        "descriptors_few",
        "The hard limit of open files allows fewer client connections than limits.connections.",
        "Raise the hard limit (LimitNOFILE= of the service, `ulimit -Hn`), or lower limits.connections.",
    ),
    (
        "folder_not_writable",
        "This user cannot write the data folder, or cannot make it.",
        "Run as the user of the node (`sudo -u troupe troupe doctor`), or give the folder to that user.",
    ),
    (
        "folder_foreign",
        "The data folder belongs to another user.",
        "Run as that user. Started as another one, a node leaves files that the service cannot open.",
    ),
    (
        "folder_open",
        "Other users can read the data folder.",
        "The next start corrects the modes; until then `chmod -R go= FOLDER` does.",
    ),
    (
        "secret_open",
        "Any user of this machine can read a file that holds a secret.",
        "Take the file from other users: `chmod o= FILE`.",
    ),
    (
        "data_set_aside",
        "The node found its data damaged before, and has set it aside.",
        "Look at the disk (`smartctl`, the log of the kernel); then delete the folders db.damaged-*.",
    ),
    (
        "data_in_memory",
        "The data folder is on a file system in memory, which a restart of the machine empties.",
        "Set data.dir to a folder on a disk. For a demo this is fine.",
    ),
    (
        "data_over_network",
        "The data folder is on a network file system, whose syncs are slow and whose locks can be lost.",
        "Set data.dir to a folder on a local disk or a block device.",
    ),
    (
        "disk_slow",
        "A synced write takes long, and each acknowledgement waits for two of them.",
        "Use a disk with power-loss protection, and keep other programs off it.",
    ),
    ("disk_full", "Free space is below storage.low_mark, so sends are refused.", "Make room or enlarge the disk."),
    ("disk_fills", "Free space is below twice storage.low_mark.", "Plan a larger disk, or another node."),
    (
        "port_in_use",
        "Another process listens on a port that the node is to have.",
        "Stop that process (`ss -ltnp` names it), or choose another port.",
    ),
    ("port_forbidden", "This user may not listen on that port.", "Choose a port above 1023."),
    (
        "port_elsewhere",
        "The address to listen on does not belong to this machine, or its name cannot be resolved.",
        "Listen on an address that `ip address` shows, or on 0.0.0.0 together with an advertised address.",
    ),
    (
        "peer_name",
        "The name of another node cannot be resolved.",
        "Correct the name in cluster.join, or the name service of this machine.",
    ),
    (
        "peer_down",
        "The machine of another node answers, and no process listens on its cluster port.",
        "Start that node. A new cluster waits for all nodes of its join list.",
    ),
    (
        "peer_unreachable",
        "Another node does not answer: its machine is down, or a firewall drops the packets.",
        "Open the cluster port (7800 by default) between all nodes, in both directions.",
    ),
    ("peer_not_ready", "Another node starts, stops, or is busy.", "Run this again in a moment."),
    (
        "peer_other_token",
        "Another node has another join token, so the certificates of both have different authorities.",
        "Give all nodes the same token: `troupe token show` prints that of a node.",
    ),
    ("peer_other_tls", "One of two nodes runs without TLS (cluster.insecure).", "Use the same setting on all nodes."),
    (
        "peer_other_program",
        "Something else than a node of Troupe answers at the cluster address, or a version that has nothing in common with this one.",
        "Correct the address in cluster.join, or the version of that node.",
    ),
    (
        "peer_refuses",
        "Another node refuses this one.",
        "The text says why; `troupe node list` shows the nodes of the cluster.",
    ),
    (
        "certificate_expired",
        "The certificate of client.tls_cert is over, or not valid yet, so clients refuse it.",
        "Renew it, then send SIGHUP (`systemctl reload troupe`).",
    ),
    (
        "certificate_ends",
        "The certificate of client.tls_cert ends soon.",
        "Renew it with the same key, then send SIGHUP (`systemctl reload troupe`).",
    ),
    (
        "clock_differs",
        "Two clocks differ by more than two seconds.",
        "Run a time service (chrony, systemd-timesyncd) on the machine whose clock is off.",
    ),
    (
        "not_ready",
        "The node on this machine runs and is not ready.",
        "The text has the reasons; docs/operations.md explains them.",
    ),
    (
        "node_silent",
        "A node of the cluster does not answer over HTTP.",
        "Start it, or look at its machine; `troupe node remove N` takes out one that is gone for good.",
    ),
    (
        "versions_differ",
        "The nodes of the cluster, or this program, have different versions.",
        "Finish the upgrade (`troupe cluster upgrade status`); a mixed cluster is for its duration only.",
    ),
];
