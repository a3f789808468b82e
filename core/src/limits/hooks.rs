//! Bounds of bots and hooks.

/// Bots of one user. Above it: `Rejected(too_many_bots)`.
pub const BOTS_PER_USER: usize = 20;
/// Bots that one user makes in its life; the accounts of ended ones stay. Above it:
/// `Rejected(too_many_bots)`.
pub const BOTS_MADE: u64 = 200;
/// Requests per second of one bot at a node, and at once. Above it: `rate_limited`.
pub const BOT_RATE: (u64, u64) = (200, 1_000);
/// Hooks of one group. Above it: `Rejected(too_many_hooks)`.
pub const HOOKS_PER_GROUP: usize = 10;
/// Characters of the name of a hook. Above it: `Rejected(bad_request)`.
pub const HOOK_NAME_CHARS: usize = 64;
/// Bytes of the URL of a hook. Above it: `Rejected(bad_hook_url)`.
pub const HOOK_URL_BYTES: usize = 1_024;
/// Bytes of the secret of a hook. Above it: `Rejected(bad_request)`.
pub const HOOK_SECRET_BYTES: usize = 64;
/// Bytes of the shortest secret of a hook.
pub const HOOK_SECRET_MIN_BYTES: usize = 16;
/// Dead events of one hook. At the limit the hook waits at the next event that is not taken.
pub const HOOK_DEAD: usize = 100;
/// Characters of the reason why a receiver did not take an event. The rest is cut.
pub const HOOK_WHY_CHARS: usize = 200;
/// Dead events in one page.
pub const PAGE_DEAD: usize = 100;
/// Attempts at one event of a hook. Behind the last the event is dead.
pub const HOOK_ATTEMPTS: u32 = 8;
/// Events that a leader reads, and delivers, for one hook before it commits how far it is.
pub const HOOK_EVENTS: usize = 16;
/// Posts by one incoming hook per second, and at once. Above it: `Overloaded(rate_limited)`.
pub const HOOK_POSTS: (u64, u64) = (5, 50);
