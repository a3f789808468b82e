//! The cost of a line of a conversation list: rows of a few bytes, and no event, however large the
//! messages are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use troupe_core::command::{Append, Intent};
use troupe_core::machine::Meta;
use troupe_core::{Body, ClientMessageId, Command, ConversationId, Level, Machine, Seq, Timestamp, limits, unread};
use troupe_store::engine::{EngineError, Family, KeyRange, Pair, Reader};
use troupe_store::rows::View;
use troupe_store::{Durability, Engine, Memory, Transaction};

use super::user;

const MESSAGES: u64 = 32;
/// Bytes that one line may read, keys included.
const LINE_BYTES: usize = 1024;

/// Counts the rows and bytes that are read, by family.
struct Counting {
    reader: Memory,
    read: Mutex<BTreeMap<Family, (usize, usize)>>,
}

impl Counting {
    fn count(&self, family: Family, bytes: usize) {
        let mut read = self.read.lock().unwrap();
        let (rows, total) = read.entry(family).or_default();
        (*rows, *total) = (*rows + 1, *total + bytes);
    }
}

impl Reader for Counting {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        let value = self.reader.get(family, key)?;
        self.count(family, key.len() + value.as_ref().map_or(0, Vec::len));
        Ok(value)
    }

    fn scan(&self, family: Family, range: KeyRange, reverse: bool, limit: usize) -> Result<Vec<Pair>, EngineError> {
        let pairs = self.reader.scan(family, range, reverse, limit)?;
        pairs.iter().for_each(|(key, value)| self.count(family, key.len() + value.len()));
        Ok(pairs)
    }
}

/// A conversation of two users in turn, with messages of the largest size.
fn large() -> (Memory, ConversationId) {
    let engine = Memory::new();
    let conversation = ConversationId::direct(user(1), user(2)).unwrap();
    let body = Body { kind: 1_000, content: vec![b'x'; limits::MESSAGE_BYTES].into(), context: None };
    let mut state = Transaction::new(Arc::new(engine.clone()));
    for seq in 1..=MESSAGES {
        let send = Append {
            conversation,
            actor: user(1 + (seq % 2) as u8),
            client_message_id: ClientMessageId(u128::from(seq).to_be_bytes()),
            after: None,
            intent: Intent::Message(body.clone()),
        };
        let meta = Meta { now: Timestamp(1), level: Level::SECOND };
        Machine::default().apply(&mut state, meta, &Command::Append(send));
    }
    engine.write(state.into_batch().unwrap(), Durability::Buffered).unwrap();
    (engine, conversation)
}

#[test]
fn a_line_of_a_list_reads_no_event() {
    let (engine, conversation) = large();
    let reader = Arc::new(Counting { reader: engine, read: Mutex::default() });
    let view = View::new(reader.clone());
    // The reads of one line: row, member, cursor, kept head, and the unread count.
    let head = view.conversation(conversation).unwrap().expect("written").head;
    view.member(conversation, user(1)).unwrap();
    let read = view.cursor(conversation, user(1)).unwrap().read;
    view.kept(conversation).unwrap();
    let numbered = |of, seq| view.numbered_up_to(conversation, of, seq);
    let unread = unread::unread(user(1), head, read, Seq(1), numbered).unwrap();
    assert_eq!((head, unread), (Seq(MESSAGES), MESSAGES / 2));

    let read = reader.read.lock().unwrap();
    eprintln!("rows and bytes of one line: {read:?}");
    assert_eq!(read.get(&Family::Events), None, "{read:?}");
    assert!(read.values().map(|(_, bytes)| bytes).sum::<usize>() < LINE_BYTES, "{read:?}");
}
