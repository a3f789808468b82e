//! The room of users over conversations, against a count by hand: any order of uploads, chunks,
//! cancels, time, and words of conversations that come late, twice or in another order.

use bytes::Bytes;
use proptest::prelude::*;
use troupe_core::command::{
    CancelUpload, CreateUpload, HearRoom, ReserveRoom, RunDue, SettleRooms, SettledRoom, WriteChunk,
};
use troupe_core::record::{FileUsage, OwedRoom, Room, RoomReserved, RoomUsed};
use troupe_core::state::memory::MemoryState;
use troupe_core::{
    ClientMessageId, Command, ConversationId, Level, Machine, Meta, Reply, Rows, SLOTS, Slot, Timestamp, UserId, limits,
};

/// Less than two whole uploads of the largest size.
const MOST: u64 = 100;
const DAY: u64 = 24 * 3_600 * 1_000;
const USERS: [UserId; 2] = [UserId(1025), UserId(2050)];

fn conversations() -> [ConversationId; 3] {
    let direct = |other| ConversationId::direct(USERS[0], other).expect("two users");
    [ConversationId::Everyone, direct(USERS[1]), direct(UserId(9000))]
}

#[derive(Clone, Debug)]
enum Act {
    /// Reserves room; the conversation takes the upload at once, or later, or never.
    Upload {
        user: usize,
        conversation: usize,
        id: u8,
        size: u64,
        taken: bool,
    },
    /// The last byte.
    Finish {
        user: usize,
        conversation: usize,
        id: u8,
    },
    Cancel {
        user: usize,
        conversation: usize,
        id: u8,
    },
    /// Collects the reports of all conversations. A later `Hear` may deliver one.
    Say,
    Hear {
        word: usize,
        settles: bool,
    },
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let of = || (0..USERS.len(), 0..3usize, 0..4u8);
    prop_oneof![
        4 => (of(), 1..60u64, prop::bool::weighted(0.8)).prop_map(|((user, conversation, id), size, taken)| {
            Act::Upload { user, conversation, id, size, taken }
        }),
        2 => of().prop_map(|(user, conversation, id)| Act::Finish { user, conversation, id }),
        2 => of().prop_map(|(user, conversation, id)| Act::Cancel { user, conversation, id }),
        2 => Just(Act::Say),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(word, settles)| Act::Hear { word, settles }),
        1 => prop_oneof![Just(1_000), Just(130_000), Just(DAY)].prop_map(Act::Pass),
    ]
}

#[derive(Default)]
struct World {
    machine: Machine,
    state: MemoryState,
    now: u64,
    words: Vec<HearRoom>,
    /// How long users' shards have heard nothing.
    silent: u64,
}

impl World {
    fn apply(&mut self, command: impl Into<Command>) -> Reply {
        let meta = Meta { now: Timestamp(self.now), level: Level::NEWEST };
        self.machine.apply(&mut self.state, meta, &command.into()).0
    }

    fn due(&mut self) {
        for slot in (0..SLOTS).map(Slot) {
            let run = RunDue { slot, until: Timestamp(self.now), most: 1_000, gone: Vec::new() };
            while self.apply(Command::RunDue(run.clone())) != (Reply::DueDone { done: 0 }) {}
        }
    }

    fn say(&mut self) {
        for ((conversation, user), owed) in self.state.all::<OwedRoom>() {
            let bytes = self.state.get::<FileUsage>(&(conversation, user)).unwrap_or_default().bytes;
            let OwedRoom { version, reserved } = owed;
            self.words.push(HearRoom { user, conversation, version, bytes, reserved });
        }
    }

    fn hear(&mut self, word: usize, settles: bool) {
        let Some(at) = word.checked_rem(self.words.len()) else { return };
        let HearRoom { user, conversation, version, .. } = self.words[at];
        self.apply(self.words[at].clone());
        if settles {
            let rows = vec![SettledRoom { conversation, user, version }];
            self.apply(Command::SettleRooms(SettleRooms { slot: conversation.slot(), rows }));
        }
    }

    fn perform(&mut self, act: Act) {
        let key = |user: usize, conversation: usize, id: u8| {
            (USERS[user], conversations()[conversation], ClientMessageId([id; 16]))
        };
        match act {
            Act::Upload { user, conversation, id, size, taken } => {
                let (owner, conversation, upload) = key(user, conversation, id);
                let reserve = ReserveRoom { user: owner, conversation, bytes: size, most: MOST };
                let reserved_until = match self.apply(reserve) {
                    Reply::Room { until, .. } => until,
                    _ => Timestamp(0),
                };
                if taken {
                    let (name, claimed, expected) = ("a".to_owned(), String::new(), None);
                    self.apply(CreateUpload {
                        conversation,
                        owner,
                        upload,
                        name,
                        claimed,
                        size,
                        expected,
                        reserved_until,
                    });
                }
            }
            Act::Finish { user, conversation, id } => {
                let (owner, conversation, upload) = key(user, conversation, id);
                let row = self.state.get::<troupe_core::record::Upload>(&(conversation, owner, upload));
                let Some(size) = row.filter(|row| row.received == 0).map(|row| row.size) else { return };
                let bytes = Bytes::from(vec![id; size as usize]);
                self.apply(WriteChunk { conversation, owner, upload, offset: 0, bytes, media_type: String::new() });
            }
            Act::Cancel { user, conversation, id } => {
                let (owner, conversation, upload) = key(user, conversation, id);
                self.apply(Command::CancelUpload(CancelUpload { conversation, owner, upload }));
            }
            Act::Say => self.say(),
            Act::Hear { word, settles } => self.hear(word, settles),
            Act::Pass(time) => {
                // A reservation that its conversation took is reported before it ends by time.
                self.silent += time;
                if self.silent >= limits::ROOM_GRACE_MS {
                    self.say();
                    (0..self.words.len()).for_each(|word| self.hear(word, false));
                    self.silent = 0;
                }
                self.now += time;
                self.due();
            }
        }
    }

    /// The bytes of a user, as the conversations count them.
    fn taken(&self, user: UserId) -> u64 {
        let rows = self.state.all::<FileUsage>().into_iter();
        rows.filter(|((_, of), _)| *of == user).map(|(_, usage)| usage.bytes).sum()
    }

    /// The sums of a user's shard are those of its rows.
    fn is_summed(&self, user: UserId) {
        let room = self.state.get::<Room>(&user).unwrap_or_default();
        let used = self.state.all::<RoomUsed>().into_iter().filter(|((of, _), _)| *of == user);
        assert_eq!(room.bytes, used.map(|(_, used)| used.bytes).sum::<u64>());
        let reserved = self.state.all::<RoomReserved>().into_iter().filter(|((of, ..), _)| *of == user);
        let reserved: Vec<u64> = reserved.map(|(_, reserved)| reserved.bytes).collect();
        assert_eq!((room.reserved, room.reservations as usize), (reserved.iter().sum(), reserved.len()));
    }
}

proptest! {
    #[test]
    fn no_user_takes_more_room_than_it_has(acts in prop::collection::vec(act(), 1..120)) {
        let mut world = World { now: 1_000, ..World::default() };
        for act in acts {
            world.perform(act);
            for user in USERS {
                prop_assert!(world.taken(user) <= MOST, "{user} takes {}", world.taken(user));
                world.is_summed(user);
            }
        }
        // When all is said, the sums agree, and nothing is reserved.
        world.now += 200_000;
        world.due();
        world.say();
        (0..world.words.len()).rev().for_each(|word| world.hear(word, true));
        for user in USERS {
            let room = world.state.get::<Room>(&user).unwrap_or_default();
            prop_assert_eq!((room.bytes, room.reserved, room.reservations), (world.taken(user), 0, 0));
        }
        prop_assert_eq!(world.state.all::<OwedRoom>(), Vec::new());
    }
}
