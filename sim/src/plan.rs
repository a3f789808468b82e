//! The meaning of a seed: cluster, workload and faults of one simulation, drawn before it begins.
//!
//! The seeds of a swarm differ in kind, not only in order: each switches workloads and faults on
//! and off, so that none hides the effects of another in all seeds. Draws that depend on the course
//! of the run are in [`crate::nemesis`].

use std::time::Duration;

use troupe_raft::log::length::LogLimits;
use troupe_runtime::Rng;

use crate::fault::Kind;

/// The complete plan.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub nodes: usize,
    pub shards: u32,
    /// Time step of the network and of all machines.
    pub tick: Duration,
    pub max_latency: Duration,
    /// Machines run in another order at each step.
    pub random_order: bool,
    /// Short logs force snapshots.
    pub log: LogLimits,
    /// Clock skew of each node at the start.
    pub skew_ms: Vec<i64>,
    /// Maximum duration of an fsync.
    pub fsync_ms: u64,
    /// How long the workload runs under faults.
    pub safety: Duration,
    pub people: People,
    pub faults: Faults,
    /// Present if the members change.
    pub members: Option<Members>,
    pub society: Society,
}

/// Activities besides sending. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Society {
    /// Devices request their conversation lists and mark messages as read.
    pub lists: bool,
    /// The machine with a wrong clock and its skew at the start. The clock also jumps further than
    /// others.
    pub odd_clock: Option<(usize, i64)>,
    /// Users without contacts who add others to their groups. The cluster then asks the added
    /// users.
    pub strangers: usize,
    /// An administrator is present.
    pub administered: bool,
    /// Devices react to messages.
    pub reactions: bool,
    /// Devices edit and recall messages.
    pub changes: bool,
    /// A device of the first user comes in by HTTP and repeats idempotency keys.
    pub keys: bool,
    /// An operator imports a log.
    pub imports: bool,
    /// The owner of the groups with changing members mutes and bans in them.
    pub moderation: bool,
    /// A device of the first user schedules messages, and cancels some.
    pub scheduling: bool,
    /// A device of the first user sends messages that vanish, and edits some.
    pub vanishing: bool,
    /// Devices of the first user stream messages, each of which goes on with the streams of the
    /// other.
    pub streams: bool,
    /// A device of the second user uploads files, and reads them.
    pub files: bool,
    /// The busy group has an outgoing hook, and the first user a bot.
    pub hooks: bool,
    /// Users that come and go by the invite links that this owner makes.
    pub guests: usize,
    /// Users that ask each other for contacts and block each other.
    pub acquaintances: usize,
    /// The first user has a group by approval, and the second asks to join it, again and again.
    pub joins: bool,
    /// The first user calls the second, which has two more devices. They type in groups, too.
    pub calls: bool,
    /// Users with two devices that change their own state of `everyone`.
    pub keepers: usize,
    /// A device of the second user searches, and nodes have small blocks of a search index.
    pub searches: bool,
    /// A device of each of the first two users asks and votes in polls.
    pub polls: bool,
    /// A device of the first user forwards messages.
    pub forwards: bool,
    /// Users that share one group only, whose members do not get to know each other.
    pub apart: usize,
    /// Accounts get roles and lose them, and last logins and the list of groups are read.
    pub overseers: bool,
    /// Users with push subscriptions, to which a device of the first user writes.
    pub subscribers: usize,
}

#[derive(Clone, Debug)]
pub struct People {
    /// Members of the busy group, who send much.
    pub busy: usize,
    /// Further users, with direct conversations only.
    pub quiet: usize,
    /// Clients that send every message several times over several nodes.
    pub adversarial: usize,
    /// One device in this many reconnects all the time. Zero: none.
    pub flapping: u64,
    /// Groups with changing members.
    pub churn: usize,
    /// Maximum pause between two messages of a busy device.
    pub pause_ms: u64,
    /// The same for the others.
    pub quiet_pause_ms: u64,
    /// Maximum pause between two membership changes.
    pub churn_pause_ms: u64,
    /// Maximum padding of a message in bytes.
    pub padding: u64,
}

#[derive(Clone, Debug)]
pub struct Faults {
    /// Enabled kinds. One that is listed twice is twice as likely.
    pub kinds: Vec<Kind>,
    /// Maximum pause between two faults.
    pub pause_ms: u64,
    /// Maximum duration of a fault.
    pub lasts_ms: u64,
    /// Concurrent faults.
    pub at_once: usize,
}

/// Nodes that join, leave, and lose their disks.
#[derive(Clone, Debug)]
pub struct Members {
    /// Enabled kinds. One that is listed twice is twice as likely.
    pub kinds: Vec<Kind>,
    /// Machines that are off at the start.
    pub spares: usize,
    /// A node that is silent for this long is replaced.
    pub replace_after: Duration,
    /// Maximum pause between two changes.
    pub pause_ms: u64,
    /// Concurrent changes.
    pub at_once: usize,
}

/// Seed of the stream of membership changes. It is independent of all other draws, so older seeds
/// without such changes kept their runs. Its value is chosen so that the older seeds in `KEPT` of
/// `sim/tests/swarm.rs` draw none.
const MEMBERS: u64 = 0x6d65_6d62_004f;
/// The same for later additions: crowds, and the bytes of logs.
const LATER: u64 = 0x6c61_7465_0000_52c9;

/// The same for activities besides sending. The older seeds in `KEPT` draw none.
const SOCIETY: u64 = 0x736f_6369_0002_bdec;

/// The same for reactions. Neither the older seeds in `KEPT` nor the known seeds of planted bugs
/// draw them.
const REACTIONS: u64 = 0x7265_6163_0008_302d;

/// The same for idempotency keys. Neither the older seeds in `KEPT` nor the known seeds of other
/// planted bugs draw them.
const KEYS: u64 = 0x6b65_7973_0000_0013;
/// One seed in this many has them.
const KEYED: u64 = 4;

/// Seeds with imports, as a divisor and a rest. Neither the older seeds in `KEPT` nor the known
/// seeds of other planted bugs are among them.
const IMPORTS: (u64, u64) = (8, 7);

/// The same for moderation.
const MODERATION: (u64, u64) = (11, 8);

/// The same for calls and signals.
const CALLS: (u64, u64) = (7, 3);

/// The same for scheduled messages.
const SCHEDULING: (u64, u64) = (13, 9);
/// The same for messages that vanish.
const VANISHING: (u64, u64) = (23, 14);
/// The same for streams.
const STREAMS: (u64, u64) = (23, 20);
/// The same for contacts.
const CONTACTS: (u64, u64) = (10, 3);

/// The same for files.
const FILES: (u64, u64) = (17, 10);

/// The same for hooks.
const HOOKS: (u64, u64) = (20, 14);

/// The same for edits and recalls.
const CHANGES: (u64, u64) = (15, 13);

/// The same for users' own states of conversations.
const KEEPING: (u64, u64) = (19, 8);
/// The same for searches.
const SEARCHES: (u64, u64) = (21, 8);
/// Events of a block of the search index.
const SEARCH_BLOCK: u64 = 8;
/// The same for requests to join.
const JOINS: (u64, u64) = (23, 15);
/// The same for polls.
const POLLS: (u64, u64) = (21, 9);
/// The same for forwards.
const FORWARDS: (u64, u64) = (23, 16);
/// The same for members of a group without contact.
const APART: (u64, u64) = (25, 23);
/// The same for overseers.
const OVERSEERS: (u64, u64) = (29, 18);
/// The same for push subscriptions.
const PUSHES: (u64, u64) = (29, 25);

/// A year: the maximum skew of an odd clock at the start.
const ODD_MS: u64 = 365 * 24 * 3_600_000;

/// One seed in this many is a crowd: many users with few messages each, and as many conversations
/// as pairs of them.
const CROWDS: u64 = 16;

impl Plan {
    pub fn of(seed: u64) -> Plan {
        let rng = Rng::from_seed(seed ^ 0x706c_616e);
        let pick = |from: &[u64]| from[rng.range(0, from.len() as u64) as usize];
        let chance = |one_in: u64| rng.range(0, one_in) == 0;
        let nodes = pick(&[3, 3, 3, 4, 5]) as usize;
        let short_logs = chance(2);
        let later = Rng::from_seed(seed ^ LATER);
        let crowd = (later.range(0, CROWDS) == 0).then(|| People::crowd(&later));
        let skew = |_| if chance(2) { rng.range(0, 4_000) as i64 - 2_000 } else { 0 };
        let plan = Plan {
            seed,
            nodes,
            shards: pick(&[1, 2, 4, 4, 6]) as u32,
            tick: Duration::from_millis(pick(&[1, 2, 2, 3])),
            max_latency: Duration::from_millis(pick(&[4, 8, 8, 20])),
            random_order: chance(2),
            log: LogLimits {
                between_cuts: if short_logs { rng.range(20, 120) } else { 10_000 },
                kept: if short_logs { rng.range(0, 30) } else { 2_000 },
                bytes: log_bytes(&later),
                search_block: 0,
            },
            skew_ms: (0..nodes).map(skew).collect(),
            fsync_ms: pick(&[0, 2, 5, 15]),
            safety: Duration::from_millis(rng.range(7_000, 13_000)),
            people: People::of(&rng),
            faults: Faults::of(&rng),
            members: Members::of(&Rng::from_seed(seed ^ MEMBERS)),
            society: Society::of(&Rng::from_seed(seed ^ SOCIETY), nodes),
        };
        let mut plan = match crowd {
            Some(people) => Plan { people, ..plan },
            None => plan,
        };
        plan.society.imports = seed % IMPORTS.0 == IMPORTS.1;
        plan.society.moderation = seed % MODERATION.0 == MODERATION.1;
        plan.society.calls = seed % CALLS.0 == CALLS.1 && plan.people.busy > 1;
        plan.society.scheduling = seed % SCHEDULING.0 == SCHEDULING.1;
        // Two wrong clocks of three hold the cluster's time back, for longer than a run drains.
        plan.society.vanishing = seed % VANISHING.0 == VANISHING.1 && plan.society.odd_clock.is_none();
        if plan.society.vanishing {
            plan.faults.kinds.retain(|kind| *kind != Kind::ClockJump);
            if plan.faults.kinds.is_empty() {
                plan.faults.kinds.push(Kind::PowerOne);
            }
        }
        // Files expire by the clock, and an odd one may jump over a day.
        plan.society.files = seed % FILES.0 == FILES.1 && plan.society.odd_clock.is_none();
        if plan.society.moderation {
            plan.people.churn = plan.people.churn.max(1);
            plan.society.guests = 2;
        }
        if seed % CONTACTS.0 == CONTACTS.1 {
            plan.society.acquaintances = 3;
        }
        plan.society.joins = seed % JOINS.0 == JOINS.1 && plan.people.busy > 1;
        plan.society.reactions = Rng::from_seed(seed ^ REACTIONS).range(0, 2) == 0;
        plan.society.hooks = seed % HOOKS.0 == HOOKS.1;
        plan.society.changes = seed % CHANGES.0 == CHANGES.1;
        plan.society.keepers = usize::from(seed % KEEPING.0 == KEEPING.1);
        plan.society.searches = seed % SEARCHES.0 == SEARCHES.1;
        if plan.society.searches {
            plan.society.changes = true;
            plan.people.churn = plan.people.churn.max(1);
            plan.log.search_block = SEARCH_BLOCK;
        }
        plan.society.polls = seed % POLLS.0 == POLLS.1;
        // The words of a forwarded message, and of a stream, are not those of its id.
        plan.society.streams = seed % STREAMS.0 == STREAMS.1 && !plan.society.searches;
        plan.society.forwards = seed % FORWARDS.0 == FORWARDS.1 && !plan.society.searches;
        plan.society.apart = if seed % APART.0 == APART.1 { 3 } else { 0 };
        plan.society.overseers = seed % OVERSEERS.0 == OVERSEERS.1;
        plan.society.administered |= plan.society.overseers;
        plan.society.subscribers = if seed % PUSHES.0 == PUSHES.1 { 3 } else { 0 };
        plan.society.keys = Rng::from_seed(seed ^ KEYS).range(0, KEYED) == 0;
        if let Some((node, off)) = plan.society.odd_clock {
            plan.skew_ms[node] = off;
        }
        plan
    }

    /// The initial machines and the spare ones.
    pub fn machines(&self) -> usize {
        self.nodes + self.members.as_ref().map_or(0, |members| members.spares)
    }
}

fn log_bytes(rng: &Rng) -> u64 {
    if rng.range(0, 2) == 0 { LogLimits::default().bytes } else { rng.range(2_000, 30_000) }
}

impl Society {
    fn of(rng: &Rng, nodes: usize) -> Society {
        if rng.range(0, 2) == 0 {
            return Society::default();
        }
        let often = || rng.range(0, 3) > 0;
        let odd_clock = || {
            let off = rng.range(0, 2 * ODD_MS) as i64 - ODD_MS as i64;
            (rng.range(0, nodes as u64) as usize, off)
        };
        let (lists, odd_clock) = (often(), often().then(odd_clock));
        let strangers = if often() { rng.range(1, 4) as usize } else { 0 };
        Society { lists, odd_clock, strangers, administered: often(), ..Society::default() }
    }
}

impl Members {
    fn of(rng: &Rng) -> Option<Members> {
        if rng.range(0, 2) == 0 {
            return None;
        }
        let mut kinds: Vec<Kind> = Kind::MEMBERS.into_iter().filter(|_| rng.range(0, 2) == 0).collect();
        if kinds.is_empty() {
            kinds.push(Kind::Wipe);
        }
        let seconds = [600, 600, 2, 5][rng.range(0, 4) as usize];
        Some(Members {
            kinds,
            spares: rng.range(1, 3) as usize,
            replace_after: Duration::from_secs(seconds),
            pause_ms: rng.range(500, 3_000),
            at_once: rng.range(1, 4) as usize,
        })
    }
}

impl People {
    fn crowd(rng: &Rng) -> People {
        People {
            busy: 2,
            quiet: rng.range(50, 70) as usize,
            adversarial: 0,
            flapping: rng.range(0, 20),
            churn: 0,
            pause_ms: 250,
            quiet_pause_ms: rng.range(100, 250),
            churn_pause_ms: 1,
            padding: 16,
        }
    }

    fn of(rng: &Rng) -> People {
        let chance = |one_in: u64| rng.range(0, one_in) == 0;
        People {
            busy: rng.range(2, 6) as usize,
            quiet: if chance(2) { rng.range(6, 20) as usize } else { 0 },
            adversarial: if chance(2) { rng.range(1, 3) as usize } else { 0 },
            flapping: if chance(2) { rng.range(1, 4) } else { 0 },
            churn: if chance(2) { rng.range(1, 3) as usize } else { 0 },
            pause_ms: rng.range(20, 250),
            quiet_pause_ms: rng.range(300, 1_500),
            churn_pause_ms: rng.range(50, 800),
            padding: if chance(4) { 4_000 } else { 16 },
        }
    }
}

impl Faults {
    fn of(rng: &Rng) -> Faults {
        // About half of all kinds, and at least one.
        let mut kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|_| rng.range(0, 2) == 0).collect();
        if kinds.is_empty() {
            kinds.push(Kind::PowerOne);
        }
        Faults {
            kinds,
            pause_ms: rng.range(600, 2_500),
            lasts_ms: rng.range(400, 3_000),
            at_once: rng.range(1, 4) as usize,
        }
    }
}
