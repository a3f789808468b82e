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
/// Milliseconds for one question to a hook that is asked before a message, with the lookup of its
/// name and the connection. Then the policy of the hook decides.
pub const HOOK_ASK_MS: u64 = 1_000;
/// Questions of one node in flight, and of one hook. Above it the policy of the hook decides.
pub const HOOK_ASKS: usize = 256;
pub const HOOK_ASKS_EACH: usize = 32;
/// Bytes of an answer to a question. A longer one is no answer.
pub const HOOK_ANSWER_BYTES: usize = 4 * 1024;
/// Subscriptions of Web Push of one user. Above it: `Rejected(too_many_subscriptions)`.
pub const PUSH_SUBSCRIPTIONS: usize = 20;
/// Bytes of the endpoint of a subscription. Above it: `Rejected(bad_push_endpoint)`.
pub const PUSH_ENDPOINT_BYTES: usize = 1_024;
/// Bytes of each key of a subscription, in base64url. Above it: `Rejected(bad_push_keys)`.
pub const PUSH_KEY_BYTES: usize = 128;
/// Members of a group whose messages are pushed. In a larger one no push is sent.
pub const PUSH_MEMBERS: usize = 1_000;
/// Conversations of one shard that wait for a look at their absent members. At the limit the oldest
/// is dropped: its next message is pushed.
pub const PUSH_LOOKS: usize = 1_024;
/// Pushes that wait at a node, and those of one user. At the limit the oldest of them is dropped.
pub const PUSH_WAITING: usize = 4_096;
pub const PUSH_WAITING_EACH: usize = 256;
/// Pushes of a node in flight, and of one user.
pub const PUSH_IN_FLIGHT: usize = 64;
pub const PUSH_IN_FLIGHT_EACH: usize = 4;
/// Attempts at one push, with pauses that double. Then it is dropped.
pub const PUSH_ATTEMPTS: u32 = 3;
/// Seconds that a push service keeps a push for a browser that is offline.
pub const PUSH_TTL_SECONDS: u64 = 24 * 3_600;
/// Characters of a message that a push shows, with `push.preview`.
pub const PUSH_PREVIEW_CHARS: usize = 100;
