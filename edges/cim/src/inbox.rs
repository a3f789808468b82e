//! The queue between fan-out and one channel: bounded, filled by a sink, emptied by the feed.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use troupe_actors::output::Output;
use troupe_actors::sink::{Delivery, Full, Pushed, Sink};
use troupe_core::{ConversationId, Seq};
use troupe_proto::client::EndReason;

/// Counted for an item besides the bytes of its event.
const ITEM_BYTES: usize = 64;

/// An item for the feed of a channel.
#[derive(Debug)]
pub enum Item {
    Event {
        conversation: ConversationId,
        seq: Seq,
        event: Bytes,
    },
    /// Events behind this head are pushed from now on.
    Joined {
        conversation: ConversationId,
        head: Seq,
    },
    /// The client asks for what it missed. Answered when that is written.
    Fetch(oneshot::Sender<()>),
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Item::Event { event, .. } => event.len() + ITEM_BYTES,
            _ => ITEM_BYTES,
        }
    }
}

#[derive(Debug)]
pub struct Inbox {
    queue: Mutex<Queue>,
    wake: Notify,
    ended: Notify,
    output: Arc<Output>,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// The channel ends and takes nothing more.
    ended: bool,
}

impl Inbox {
    pub fn new(output: Arc<Output>) -> Inbox {
        Inbox { queue: Mutex::default(), wake: Notify::new(), ended: Notify::new(), output }
    }

    /// On an error too many bytes wait: the channel ends, and its client resumes by its cursors.
    pub fn push(&self, item: Item) -> Result<(), Full> {
        let bytes = item.bytes();
        let mut queue = self.queue.lock();
        if queue.ended {
            return Ok(());
        }
        if !self.output.allows(queue.bytes, bytes) {
            drop(queue);
            self.end();
            return Err(Full);
        }
        queue.bytes += bytes;
        self.output.add(bytes);
        queue.items.push_back(item);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// The next item. Only the feed waits.
    pub async fn next(&self) -> Item {
        loop {
            if let Some(item) = self.take() {
                return item;
            }
            self.wake.notified().await;
        }
    }

    fn take(&self) -> Option<Item> {
        let mut queue = self.queue.lock();
        self.output.record(queue.bytes);
        let item = queue.items.pop_front()?;
        queue.bytes -= item.bytes();
        self.output.release(item.bytes());
        Some(item)
    }

    /// Ends the channel. Waiting items stay in the log for the next one.
    pub fn end(&self) {
        let mut queue = self.queue.lock();
        queue.ended = true;
        queue.items.clear();
        self.output.release(std::mem::take(&mut queue.bytes));
        drop(queue);
        self.ended.notify_one();
    }

    pub fn has_ended(&self) -> bool {
        self.queue.lock().ended
    }

    /// Waits until the channel is to end. Only one task waits.
    pub async fn ended(&self) {
        while !self.has_ended() {
            self.ended.notified().await;
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let bytes = self.queue.get_mut().bytes;
        self.output.release(bytes);
    }
}

/// Takes the pushes of fan-out for one channel.
pub struct CimSink(pub Arc<Inbox>);

impl Sink for CimSink {
    fn deliver(&self, delivery: &Delivery) -> Result<(), Full> {
        let item = match delivery.pushed() {
            Pushed::Event { conversation, seq, event } => {
                Item::Event { conversation: *conversation, seq: *seq, event: event.clone() }
            }
            Pushed::Joined { conversation, head } => Item::Joined { conversation: *conversation, head: *head },
            // CIM has no frame for these. The position of a conversation that the user has left
            // stays, because the event that removes the user may come later.
            Pushed::Cursor(_)
            | Pushed::Invitation { .. }
            | Pushed::Left { .. }
            | Pushed::Own(_)
            | Pushed::Presence { .. }
            | Pushed::Signal(_) => return Ok(()),
        };
        self.0.push(item)
    }

    /// CIM has no frame for signals.
    fn offer(&self, _: &Delivery) -> Result<(), Full> {
        Ok(())
    }

    fn end(&self, _: EndReason) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::limits;
    use troupe_runtime::Meters;

    use super::*;

    fn event(bytes: usize) -> Item {
        let event = Bytes::from(vec![0; bytes]);
        Item::Event { conversation: ConversationId::Everyone, seq: Seq(1), event }
    }

    #[tokio::test]
    async fn a_channel_that_takes_nothing_ends_and_gives_its_bytes_back() {
        let output = Arc::new(Output::new(64 * 1024 * 1024, Meters::default()));
        let inbox = Inbox::new(output.clone());
        let big = limits::CONNECTION_OUT_BYTES / 8;
        let taken = (0..100).take_while(|_| inbox.push(event(big)).is_ok()).count();
        assert_eq!(taken, 7, "with the bytes counted for each item");
        inbox.ended().await;
        assert_eq!(output.waiting(), 0);
        assert_eq!(inbox.push(event(big)), Ok(()), "it is about to end: nothing more is queued");
        assert_eq!(output.waiting(), 0);
    }

    #[tokio::test]
    async fn items_come_in_their_order() {
        let inbox = Inbox::new(Arc::default());
        for seq in 1..=3 {
            let item = Item::Joined { conversation: ConversationId::Everyone, head: Seq(seq) };
            assert_eq!(inbox.push(item), Ok(()));
        }
        for seq in 1..=3 {
            assert!(matches!(inbox.next().await, Item::Joined { head, .. } if head == Seq(seq)));
        }
    }
}
