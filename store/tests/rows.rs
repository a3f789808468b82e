//! Rows over an engine equal `troupe-core`'s own state in maps, read one by one, in pages, and
//! through the machine.

#[path = "rows/list_cost.rs"]
mod list_cost;
#[path = "rows/machine.rs"]
mod machine;
#[path = "rows/numbers.rs"]
mod numbers;
#[path = "rows/pages.rs"]
mod pages;
#[path = "rows/state.rs"]
mod state;

use std::sync::Arc;

use troupe_core::{ClientMessageId, ConversationId, GroupId, UserId};
use troupe_store::{Durability, Engine, Memory, Reader, Transaction};

/// An engine, and a transaction on it that is committed now and then.
struct Store {
    engine: Memory,
    open: Transaction,
}

impl Store {
    fn new() -> Store {
        let engine = Memory::new();
        let open = Transaction::new(Arc::new(engine.clone()));
        Store { engine, open }
    }

    fn commit(&mut self) {
        let next = Transaction::new(self.reader());
        let batch = std::mem::replace(&mut self.open, next).into_batch().unwrap();
        self.engine.write(batch, Durability::Buffered).unwrap();
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.engine.clone())
    }
}

fn user(number: u8) -> UserId {
    UserId(u64::from(number) * 1000 + 1)
}

fn id(number: u8) -> ClientMessageId {
    ClientMessageId([number; 16])
}

/// A few, of all kinds.
fn conversation(number: u8) -> ConversationId {
    match number % 5 {
        0 => ConversationId::Everyone,
        1 => ConversationId::Direct { low: user(0), high: user(1) },
        2 => ConversationId::Direct { low: user(0), high: user(2) },
        3 => ConversationId::Group(GroupId(1)),
        _ => ConversationId::Group(GroupId(1025)),
    }
}
