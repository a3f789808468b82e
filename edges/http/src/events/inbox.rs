//! The queue between fan-out and one stream: bounded, filled by a sink, emptied by the feed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use troupe_actors::output::Output;
use troupe_actors::places::GivesWay;
use troupe_actors::sink::{Delivery, EdgeKind, Full, Pushed, Sink};
use troupe_core::{ConversationId, Seq};
use troupe_proto::client::EndReason;

use super::told;

/// Counted for an item besides the bytes of its event.
const ITEM_BYTES: usize = 64;

/// An item for the feed of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    Event {
        conversation: ConversationId,
        seq: Seq,
        data: Bytes,
    },
    /// Events behind this head are pushed from now on.
    Joined {
        conversation: ConversationId,
        head: Seq,
    },
    Left {
        conversation: ConversationId,
    },
    /// An event that is in no log.
    Hint {
        name: &'static str,
        data: Bytes,
    },
    /// Conversations with events up to here, which were not kept.
    Missed(BTreeMap<ConversationId, Seq>),
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Item::Event { data, .. } | Item::Hint { data, .. } => data.len() + ITEM_BYTES,
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
    /// The feed fetches anyway: above the bound only the heads of events are kept.
    fetching: bool,
    missed: BTreeMap<ConversationId, Seq>,
    /// The stream ends behind the items, and takes nothing more.
    ended: Option<EndReason>,
}

impl Inbox {
    pub fn new(output: Arc<Output>) -> Inbox {
        Inbox { queue: Mutex::default(), wake: Notify::new(), ended: Notify::new(), output }
    }

    /// On an error too many bytes wait: the stream ends, and its client resumes by its cursor.
    pub fn push(&self, item: Item) -> Result<(), Full> {
        let bytes = item.bytes();
        let mut queue = self.queue.lock();
        if queue.ended.is_some() {
            return Ok(());
        }
        if !self.output.allows(queue.bytes, bytes) {
            match item {
                Item::Event { conversation, seq, .. } | Item::Joined { conversation, head: seq } if queue.fetching => {
                    let missed = queue.missed.entry(conversation).or_default();
                    *missed = (*missed).max(seq);
                }
                Item::Hint { .. } if queue.fetching => {}
                _ => {
                    queue.items.clear();
                    self.output.release(std::mem::take(&mut queue.bytes));
                    drop(queue);
                    self.finish(EndReason::SlowConsumer);
                    return Err(Full);
                }
            }
            drop(queue);
            self.wake.notify_one();
            return Ok(());
        }
        queue.bytes += bytes;
        self.output.add(bytes);
        queue.items.push_back(item);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// Queues a signal. On an error it is dropped, because too much waits already.
    pub fn offer(&self, item: Item) -> Result<(), Full> {
        let bytes = item.bytes();
        let mut queue = self.queue.lock();
        if queue.ended.is_some() || !self.output.allows_signal(queue.bytes, bytes) {
            return Err(Full);
        }
        queue.bytes += bytes;
        self.output.add(bytes);
        queue.items.push_back(item);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// The next item, or the end. Only the feed waits.
    pub async fn next(&self) -> Result<Item, EndReason> {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.wake.notified().await;
        }
    }

    fn take(&self) -> Option<Result<Item, EndReason>> {
        let mut queue = self.queue.lock();
        if let Some(item) = queue.items.pop_front() {
            self.output.record(queue.bytes);
            queue.bytes -= item.bytes();
            self.output.release(item.bytes());
            return Some(Ok(item));
        }
        if !queue.missed.is_empty() {
            return Some(Ok(Item::Missed(std::mem::take(&mut queue.missed))));
        }
        queue.ended.clone().map(Err)
    }

    pub fn is_empty(&self) -> bool {
        let queue = self.queue.lock();
        queue.items.is_empty() && queue.missed.is_empty() && queue.ended.is_none()
    }

    /// Whether the feed fetches at present.
    pub fn fetches(&self, fetching: bool) {
        self.queue.lock().fetching = fetching;
    }

    /// Ends the stream behind what is queued. The first reason stays.
    pub fn finish(&self, reason: EndReason) {
        self.queue.lock().ended.get_or_insert(reason);
        self.wake.notify_one();
        self.ended.notify_one();
    }

    /// Waits until the stream is to end. Only one task waits.
    pub async fn ended(&self) -> EndReason {
        loop {
            if let Some(reason) = self.queue.lock().ended.clone() {
                return reason;
            }
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

impl GivesWay for Inbox {
    fn give_way(&self) {
        self.finish(EndReason::NoLogin);
    }
}

/// Takes the pushes of fan-out for one stream.
pub struct StreamSink(pub Arc<Inbox>);

impl Sink for StreamSink {
    fn deliver(&self, delivery: &Delivery) -> Result<(), Full> {
        let data = || delivery.framed(EdgeKind::EventStream, told::data).clone();
        self.0.push(match delivery.pushed() {
            Pushed::Event { conversation, seq, .. } => {
                Item::Event { conversation: *conversation, seq: *seq, data: data() }
            }
            Pushed::Joined { conversation, head } => Item::Joined { conversation: *conversation, head: *head },
            Pushed::Left { conversation } => Item::Left { conversation: *conversation },
            Pushed::Cursor(_) => Item::Hint { name: told::READ, data: data() },
            Pushed::Invitation { .. } => Item::Hint { name: told::INVITATION, data: data() },
            Pushed::Own(message) => match told::name_of(message) {
                Some(name) => Item::Hint { name, data: data() },
                None => return Ok(()),
            },
            Pushed::Signal(_) | Pushed::Presence { .. } => {
                Item::Hint { name: told::name_of_signal(delivery.pushed()), data: data() }
            }
        })
    }

    fn offer(&self, signal: &Delivery) -> Result<(), Full> {
        let data = signal.framed(EdgeKind::EventStream, told::data).clone();
        self.0.offer(Item::Hint { name: told::name_of_signal(signal.pushed()), data })
    }

    fn end(&self, reason: EndReason) {
        self.0.finish(reason);
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::limits;
    use troupe_runtime::Meters;

    use super::*;

    fn event(seq: u64, bytes: usize) -> Item {
        Item::Event { conversation: ConversationId::Everyone, seq: Seq(seq), data: Bytes::from(vec![0; bytes]) }
    }

    fn inbox() -> (Arc<Output>, Inbox) {
        let output = Arc::new(Output::new(64 * 1024 * 1024, Meters::default()));
        (output.clone(), Inbox::new(output))
    }

    #[tokio::test]
    async fn a_stream_that_takes_nothing_ends_and_gives_its_bytes_back() {
        let (output, inbox) = inbox();
        let big = limits::CONNECTION_OUT_BYTES / 8;
        let taken = (0..100).take_while(|_| inbox.push(event(1, big)).is_ok()).count();
        assert_eq!(taken, 7, "with the bytes counted for each item");
        assert_eq!((inbox.ended().await, inbox.next().await), (EndReason::SlowConsumer, Err(EndReason::SlowConsumer)));
        assert_eq!(inbox.push(event(1, big)), Ok(()), "it is about to end: nothing more is queued");
        assert_eq!(output.waiting(), 0);
    }

    #[tokio::test]
    async fn while_it_fetches_a_stream_keeps_heads_only() {
        let (output, inbox) = inbox();
        inbox.fetches(true);
        let big = limits::CONNECTION_OUT_BYTES / 2;
        for seq in 1..=100 {
            assert_eq!(inbox.push(event(seq, big)), Ok(()));
        }
        assert!(output.waiting() <= limits::CONNECTION_OUT_BYTES);
        assert!(matches!(inbox.next().await, Ok(Item::Event { seq: Seq(1), .. })));
        let missed = BTreeMap::from([(ConversationId::Everyone, Seq(100))]);
        assert_eq!(inbox.next().await, Ok(Item::Missed(missed)));
        assert!(inbox.is_empty() && output.waiting() == 0);
    }

    #[tokio::test]
    async fn signals_end_no_stream() {
        let (output, inbox) = inbox();
        let signal = || Item::Hint { name: told::SIGNAL, data: Bytes::from(vec![0; limits::SIGNAL_BYTES]) };
        let taken = (0..10_000).filter(|_| inbox.offer(signal()).is_ok()).count();
        assert!(taken > 0 && output.waiting() < limits::CONNECTION_OUT_BYTES / limits::SIGNALS_SHARE);
        assert_eq!(inbox.push(event(1, limits::CONNECTION_OUT_BYTES / 2)), Ok(()), "events still have room");
        assert_eq!(inbox.offer(signal()), Err(Full));
    }

    #[tokio::test]
    async fn what_is_queued_goes_before_the_end() {
        let (_, inbox) = inbox();
        assert_eq!(inbox.push(event(1, 1)), Ok(()));
        inbox.finish(EndReason::Moved);
        inbox.finish(EndReason::ShuttingDown);
        assert!(inbox.next().await.is_ok());
        assert_eq!(inbox.next().await, Err(EndReason::Moved));
    }
}
