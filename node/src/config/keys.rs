//! Every key there is, with its default and a sentence about it.

/// One thing that can be set.
pub struct Key {
    /// Dotted name in the file; the flag is the same with dashes (`--client-listen`).
    pub name: &'static str,
    pub default: &'static str,
    pub about: &'static str,
}

impl Key {
    /// `client.listen` is set by `TROUPE_CLIENT_LISTEN`.
    pub fn variable(&self) -> String {
        format!("TROUPE_{}", self.name.replace(['.', '-'], "_").to_uppercase())
    }

    pub fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }
}

macro_rules! keys {
    ($($name:literal = $default:literal, $about:literal;)*) => {
        /// Every key there is.
        pub const KEYS: &[Key] = &[$(Key { name: $name, default: $default, about: $about }),*];
    };
}

keys! {
    "data.dir" = "./troupe-data", "folder of this node's data; one node per folder";
    "client.listen" = "127.0.0.1:7700", "host:port for clients (native protocol)";
    "client.advertise" = "", "host:port advertised to clients; empty: the listen address, or nothing if only this machine reaches that";
    "client.tls_cert" = "", "PEM file with the certificate chain that clients are shown; empty: one from the cluster's authority";
    "client.tls_key" = "", "PEM file with the private key of client.tls_cert";
    "client.insecure" = "false", "serve clients without TLS although client.listen is not on loopback";
    "http.listen" = "127.0.0.1:7780", "host:port for health, metrics and status";
    "http.advertise" = "", "host:port advertised to tools; empty: the listen address, or nothing if only this machine reaches that";
    "http.origins" = "", "web pages that may connect, comma-separated: https://chat.example; * for all; empty: only pages that nodes of this cluster serve";
    "http.control" = "", "host:port on loopback of a demo's control, which the web client may ask for faults; empty: none";
    "cluster.listen" = "127.0.0.1:7800", "host:port for the other nodes";
    "cluster.advertise" = "", "host:port that other nodes dial, as in the join list; empty: the listen address";
    "cluster.outgoing" = "", "address of this machine that connections to other nodes leave from; empty: the system's choice";
    "cluster.join" = "", "cluster addresses of all founding nodes, comma-separated; empty: a cluster of one";
    "cluster.token" = "", "the cluster's join token (secret: prefer the variable or cluster.token_file)";
    "cluster.token_file" = "", "file that holds the join token";
    "cluster.insecure" = "false", "no TLS between nodes; only on loopback";
    "cluster.shards" = "12", "shards of a newborn cluster, 1 to 256";
    "cluster.replication" = "3", "replicas of each shard of a newborn cluster, capped by the number of its nodes at any time";
    "cluster.replace_after" = "600", "seconds after which a node that cannot be reached is replaced, where others have room";
    "cluster.auto_finalize" = "600", "seconds for which all nodes must have run a newer version before its feature level comes into force by itself; 0: only by troupe cluster upgrade finalize";
    "cluster.log_kept" = "0", "MiB of each shard's log that stay at least, for troupe backup archive; 0: as much as replicas need";
    "cluster.login_policy" = "replace", "second login of a user: replace (per device) or refuse (as CIM)";
    "cluster.registration" = "open", "who may register in a newborn cluster: open, invite (with a code) or closed";
    "cluster.session_idle" = "2592000", "seconds after which an unused session ends in a newborn cluster; 0: never";
    "cluster.first_admin" = "admin", "administrator that a newborn cluster makes, with a one-time password in the log; empty: none";
    "limits.user_rate" = "1000", "units per second that one user may use; a short message is one unit; 0: no limit";
    "limits.user_burst" = "5000", "units that one user may use at once after a rest";
    "limits.address_rate" = "5000", "units per second of all users of one address (of a /64 with IPv6); 0: no limit";
    "limits.address_burst" = "20000", "units that one address may use at once after a rest";
    "limits.entry_rate" = "50", "greetings, logins and resumed sessions per second from one address; 0: no limit";
    "limits.entry_burst" = "1000", "greetings, logins and resumed sessions from one address at once after a rest";
    "limits.login_rate" = "60", "logins and registrations per minute from one address; each hashes a password; 0: no limit";
    "limits.login_burst" = "40", "logins and registrations from one address at once after a rest";
    "limits.accounts_per_day" = "300", "accounts that one address may register in a day; 0: no limit";
    "limits.accounts_burst" = "30", "accounts that one address may register at once after a rest";
    "limits.messages_per_day" = "1000000", "messages that one user may send in a day; 0: no limit";
    "limits.bytes_per_day" = "1073741824", "bytes of messages that one user may send in a day; 0: no limit";
    "limits.groups_per_day" = "1000", "groups that one user may make in a day; 0: no limit";
    "limits.members_per_day" = "20000", "users that one user may add to groups in a day; 0: no limit";
    "limits.connections" = "65536", "client connections of this node; above it those without a login make room";
    "limits.address_connections" = "1024", "client connections from one address";
    "limits.active_entities" = "20000", "users and conversations whose actors are awake on this node; the longest idle rest first";
    "limits.output_bytes" = "134217728", "bytes that may wait for all clients of this node together";
    "limits.loopback_factor" = "50", "how many times as much a loopback address may do; 1: as any other address";
    "storage.low_mark" = "10%", "free space below which sends are refused: percent of the disk (within 256M and 2G, at most half of it), or bytes such as 500M";
    "compat.cim.enabled" = "false", "serve CIM's clients, which have no passwords: docs/cim.md";
    "compat.cim.http" = "127.0.0.1:8083", "host:port for the HTTP requests of CIM's clients (their route)";
    "compat.cim.listen" = "127.0.0.1:11211", "host:port for the channels of CIM's clients (their server)";
    "compat.cim.allow" = "", "networks of CIM's clients, comma-separated, such as 10.1.0.0/16; empty: this machine only";
    "compat.cim.advertise" = "", "host that CIM's clients dial after a login; empty: that of compat.cim.listen";
    "contacts.strangers" = "invite", "a user that a stranger adds to a group in a newborn cluster: invite (enters when it accepts) or add (is in at once)";
    "hooks.private" = "false", "let outgoing hooks reach loopback, private and link-local addresses: for tests, and for receivers within your network";
    "hooks.authorities" = "/etc/ssl/certs/ca-certificates.crt", "file of the certificate authorities (PEM) that receivers of hooks over https are verified with";
    "push.subject" = "", "send Web Push: the operator for push services, mailto:address or https:address; empty: no push is sent";
    "push.preview" = "false", "show the first 100 characters of a message in a push: the browser alone can read it";
    "log.filter" = "info", "what to log, for instance info,troupe_raft=debug";
    "log.format" = "auto", "human, json, or auto: human on a terminal";
    "drain.seconds" = "10", "longest time for a graceful stop";
    "debug.replica" = "false", "serve this node's applied rows over HTTP, for checkers; only on loopback";
}
