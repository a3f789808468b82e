//! A group of the largest size costs its shard what a hundredth of it costs: each change reads and
//! writes the same number of rows, and the same bytes but for the digits of the numbers in them.

use std::cell::Cell;

use troupe_core::command::{Append, Intent};
use troupe_core::event::Role;
use troupe_core::feature::Settings;
use troupe_core::form::DecodeError;
use troupe_core::limits;
use troupe_core::record::{Conversation, Family, KeyRange, Member};
use troupe_core::state::State;
use troupe_core::state::memory::MemoryState;
use troupe_core::{
    Body, ClientMessageId, Command, ConversationId, GroupId, Level, Machine, Meta, Reply, Rows, Seq, Timestamp, UserId,
};

const OWNER: UserId = UserId(1);
const TEAM: ConversationId = ConversationId::Group(GroupId(1024));
/// Outside of any group here.
const STRANGER: u64 = 10_000_000;

/// Rows that a command has read, looked for and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Touched {
    gets: usize,
    scanned: usize,
    puts: usize,
    deletes: usize,
}

#[derive(Default)]
struct Counted {
    state: MemoryState,
    touched: Cell<Touched>,
}

impl Counted {
    fn count(&self, count: impl FnOnce(&mut Touched)) {
        let mut touched = self.touched.get();
        count(&mut touched);
        self.touched.set(touched);
    }
}

impl State for Counted {
    fn value(&self, family: Family, key: &[u8]) -> Option<Vec<u8>> {
        self.count(|touched| touched.gets += 1);
        self.state.value(family, key)
    }

    fn scan(&self, family: Family, range: KeyRange, reverse: bool, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let rows = self.state.scan(family, range, reverse, limit);
        self.count(|touched| touched.scanned += rows.len().max(1));
        rows
    }

    fn put_value(&mut self, family: Family, key: Vec<u8>, value: Vec<u8>) {
        self.count(|touched| touched.puts += 1);
        self.state.put_value(family, key, value);
    }

    fn delete_value(&mut self, family: Family, key: Vec<u8>) {
        self.count(|touched| touched.deletes += 1);
        self.state.delete_value(family, key);
    }

    fn unreadable(&self, family: Family, key: &[u8], why: &DecodeError) {
        self.state.unreadable(family, key, why);
    }
}

/// The rows of each step of one story in a group of this size.
fn story(members: usize) -> Vec<(&'static str, Touched)> {
    let mut counted = Counted::default();
    let row = Conversation { open: true, head: Seq(7), members: members as u32, owners: 1, ..Conversation::default() };
    counted.state.put(&TEAM, &row);
    for user in 1..=members as u64 {
        let role = if UserId(user) == OWNER { Role::Owner } else { Role::Member };
        counted.state.put(&(TEAM, UserId(user)), &Member::new(role, Seq(1)));
    }
    let newcomers = (1..=limits::MEMBERS_PER_REQUEST as u64).map(|n| UserId(STRANGER + n)).collect();
    let settings = Settings { history: Settings::EVERYTHING, ..Settings::default() };
    let steps = [
        ("a message", UserId(2), Intent::Message(Body::text("hello"))),
        ("another", UserId(members as u64), Intent::Message(Body::text("hello"))),
        ("a join", UserId(STRANGER), Intent::Join),
        ("an addition of 200", OWNER, Intent::Add { users: newcomers }),
        ("a removal", OWNER, Intent::Remove { user: UserId(STRANGER) }),
        ("a ban", OWNER, Intent::Ban { user: UserId(3), lift: false }),
        ("a role", OWNER, Intent::SetRole { user: UserId(4), role: Role::Owner }),
        ("a setting", OWNER, Intent::Set(Box::new(settings))),
        ("a leave", OWNER, Intent::Leave),
        ("the end", UserId(4), Intent::Disband),
    ];
    let mut all = Vec::new();
    for (n, (name, actor, intent)) in steps.into_iter().enumerate() {
        counted.touched.take();
        let client_message_id = ClientMessageId([n as u8 + 1; 16]);
        let append = Append { conversation: TEAM, actor, client_message_id, after: None, intent };
        let meta = Meta { now: Timestamp(1_000), level: Level::NEWEST };
        let (reply, _) = Machine::default().apply(&mut counted, meta, &Command::Append(append));
        assert!(matches!(reply, Reply::Placed { duplicate: false, .. }), "{name}: {reply:?}");
        all.push((name, counted.touched.get()));
    }
    all
}

#[test]
fn a_change_costs_the_same_rows_in_the_largest_group() {
    let small = story(1_000);
    let large = story(limits::GROUP_MEMBERS - limits::MEMBERS_PER_REQUEST - 1);
    assert_eq!(small, large);
    let (_, message) = large[0];
    assert!(message.gets + message.scanned <= 12 && message.puts <= 4 && message.deletes == 0, "{message:?}");
    let most = 4 * limits::MEMBERS_PER_REQUEST.max(limits::DISMISSED_AT_ONCE);
    for (name, Touched { gets, scanned, puts, deletes }) in large {
        assert!(gets + scanned + puts + deletes <= most + 20, "{name}: {gets} {scanned} {puts} {deletes}");
    }
}
