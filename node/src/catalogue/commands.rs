//! Codes that errors of commands carry.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "no_answer",
        "No node answers at the given addresses within the time of the command.",
        "Look whether the nodes run and whether this machine reaches them (`troupe doctor`), and name the right addresses: `--http`, `--cluster` or `--server`, their variables, or a context (`troupe context list`).",
    ),
    (
        "node_starts",
        "The node has no place in a cluster yet: it starts, or waits for other nodes.",
        "Its `/startupz` says for what it waits. Start the other nodes of the join list, or ask another node.",
    ),
    (
        "not_troupe",
        "Something else than a node of Troupe answers at that address.",
        "Name the HTTP address of a node (`http.listen`, port 7780 by default).",
    ),
    (
        "config_invalid",
        "A value of the configuration is wrong, or a key is unknown; the text names it and where it comes from.",
        "Correct it, then run `troupe config check`. `troupe config explain KEY` shows the default and the meaning.",
    ),
    (
        "port_taken",
        "Another process listens on the port.",
        "Stop that process (`ss -ltnp` names it), or choose another port.",
    ),
    (
        "address_foreign",
        "The address to listen on does not belong to this machine.",
        "Listen on an address that `ip address` shows, or on 0.0.0.0 together with an advertised address.",
    ),
    (
        "operator_key",
        "The order carries no operator's key, or that of another cluster.",
        "Give the join token of this cluster by TROUPE_CLUSTER_TOKEN or `--token-file`, or the data folder of a node without a token by `--data-dir`.",
    ),
    (
        "wrong_host",
        "The node is asked under a name that is not its own, or by a web page.",
        "Use the address of `http.listen`, or set `http.advertise` to the name.",
    ),
    (
        "order_refused",
        "The cluster refuses the order; the text says why.",
        "Follow the text. `--dry-run` shows the plan of an order without doing anything.",
    ),
    (
        "untrusted_server",
        "The server shows another key than the one that was remembered or given.",
        "Compare `troupe token ca` on a node with the fingerprint. If the token was rotated, give the new one with `--fingerprint`.",
    ),
    (
        "peer_token",
        "The node at the cluster address has another join token.",
        "Give the token of this cluster: `troupe token show` on one of its nodes prints it.",
    ),
    (
        "peer_tls",
        "One side runs without TLS (`cluster.insecure`), and the other with it.",
        "Use the same setting on all nodes and tools.",
    ),
    (
        "no_context",
        "There is no context with this name.",
        "`troupe context list` shows those that exist, and `troupe context add NAME` makes one.",
    ),
    (
        "store_refused",
        "The store of objects refuses a request; the text has its status and its code.",
        "Look at the keys (`--s3-credentials`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), their rights, the bucket and the region. The time of this machine must be right too.",
    ),
    (
        "store_silent",
        "The store of objects does not answer, or breaks off, after several attempts.",
        "Look at `--s3-endpoint`, the network and, for https, at the authorities (`--s3-ca`); then give the command again.",
    ),
    ("unknown_code", "The catalogue has no such code.", "`troupe explain` lists all codes of this version."),
];
