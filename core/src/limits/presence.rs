//! Bounds of presence that is pushed.

/// Users that one session watches. Above it: `Rejected(too_many)`.
pub const WATCHED_USERS: usize = 200;
/// Watchers of one user, counted at each node where they are. Those above it get no pushes until
/// others have left; a request shows them the presence as before.
pub const WATCHERS_OF_USER: usize = 1_000;
/// Watched users of all connections of one node, counted once for each watcher. Above it a watch
/// gets no pushes; a request shows the presence as before.
pub const WATCHES_PER_NODE: usize = 500_000;
/// Watchers that one request between nodes names, and that are read for one push, about.
pub const WATCHES_PER_REQUEST: usize = 1_024;
/// Seconds for which the watch of a session without a connection is kept, so that a stream that
/// begins a moment later has it.
pub const WATCH_KEPT_SECONDS: u8 = 30;
