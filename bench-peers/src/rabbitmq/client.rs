//! The AMQP client of a sender: one connection, one channel, publisher confirms.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use amqprs::callbacks::ChannelCallback;
use amqprs::channel::{BasicPublishArguments, Channel, ConfirmSelectArguments, QueueDeclareArguments};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::error::Error;
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, FieldTable, FieldValue, Nack, Return};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::load::Link;

pub struct Client {
    connection: Connection,
    channel: Channel,
    to: BasicPublishArguments,
    properties: BasicProperties,
    published: u64,
    waiting: Waiting,
}

/// Messages without a confirm, by their numbers on the channel, in order. The load bounds them.
type Unconfirmed = VecDeque<(u64, oneshot::Sender<bool>)>;

#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<Unconfirmed>>);

impl Waiting {
    fn lock(&self) -> std::sync::MutexGuard<'_, Unconfirmed> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn add(&self, number: u64) -> oneshot::Receiver<bool> {
        let (sender, receiver) = oneshot::channel();
        self.lock().push_back((number, sender));
        receiver
    }

    /// A confirm of this message, or of all up to it.
    fn confirm(&self, number: u64, multiple: bool, stored: bool) {
        let mut waiting = self.lock();
        // A receiver is gone when the run has ended.
        if multiple {
            while waiting.front().is_some_and(|(first, _)| *first <= number) {
                if let Some((_, sender)) = waiting.pop_front() {
                    let _ = sender.send(stored);
                }
            }
        } else if let Ok(place) = waiting.binary_search_by_key(&number, |(number, _)| *number)
            && let Some((_, sender)) = waiting.remove(place)
        {
            let _ = sender.send(stored);
        }
    }
}

impl Client {
    pub async fn connect(port: u16) -> Result<Client> {
        let connection = Connection::open(&OpenConnectionArguments::new("127.0.0.1", port, "guest", "guest")).await?;
        let channel = connection.open_channel(None).await?;
        let waiting = Waiting::default();
        channel.register_callback(Heard { waiting: waiting.clone() }).await?;
        let properties = BasicProperties::default().with_persistence(true).finish();
        Ok(Client { connection, channel, to: BasicPublishArguments::default(), properties, published: 0, waiting })
    }

    pub fn version(&self) -> &str {
        self.connection.server_properties().version()
    }

    /// A quorum queue with this many members, led by the node of this connection.
    pub async fn declare(&self, queue: &str, members: usize) -> Result<()> {
        let mut arguments = FieldTable::new();
        let mut insert = |key: &str, value| {
            let key = key.to_owned().try_into().map_err(anyhow::Error::msg)?;
            arguments.insert(key, value);
            anyhow::Ok(())
        };
        insert("x-queue-type", "quorum".into())?;
        insert("x-quorum-initial-group-size", FieldValue::I(members as i32))?;
        insert("x-queue-leader-locator", "client-local".into())?;
        let queue = QueueDeclareArguments::durable_client_named(queue).arguments(arguments).finish();
        self.channel.queue_declare(queue).await?;
        Ok(())
    }

    /// Messages of a queue.
    pub async fn held(&self, queue: &str) -> Result<u64> {
        let queue = QueueDeclareArguments::new(queue).passive(true).finish();
        let (_, messages, _) = self.channel.queue_declare(queue).await?.context("no answer to a declaration")?;
        Ok(messages.into())
    }

    /// Publishes to this queue from now on, with confirms.
    pub async fn confirm(&mut self, queue: &str) -> Result<()> {
        self.to = BasicPublishArguments::new("", queue);
        self.channel.confirm_select(ConfirmSelectArguments::default()).await?;
        Ok(())
    }
}

impl Link for Client {
    async fn publish(&mut self, body: Bytes) -> Result<BoxFuture<'static, Result<()>>> {
        self.published += 1;
        // Before the message: its confirm may arrive at once.
        let confirm = self.waiting.add(self.published);
        self.channel.basic_publish(self.properties.clone(), body.into(), self.to.clone()).await?;
        Ok(async move {
            match confirm.await.context("the server closed the connection")? {
                true => Ok(()),
                false => bail!("the queue did not store a message"),
            }
        }
        .boxed())
    }
}

/// Receives confirms. They end with the channel.
struct Heard {
    waiting: Waiting,
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.waiting.lock().clear();
    }
}

#[async_trait::async_trait]
impl ChannelCallback for Heard {
    async fn close(&mut self, _: &Channel, _: CloseChannel) -> Result<(), Error> {
        self.waiting.lock().clear();
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), Error> {
        Ok(())
    }

    async fn flow(&mut self, _: &Channel, active: bool) -> Result<bool, Error> {
        Ok(active)
    }

    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        self.waiting.confirm(ack.delivery_tag(), ack.mutiple(), true);
    }

    async fn publish_nack(&mut self, _: &Channel, nack: Nack) {
        self.waiting.confirm(nack.delivery_tag(), nack.multiple(), false);
    }

    async fn publish_return(&mut self, _: &Channel, _: Return, _: BasicProperties, _: Vec<u8>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirm_is_of_one_message_or_of_all_up_to_it() {
        let waiting = Waiting::default();
        let mut heard: Vec<_> = (1..=5).map(|number| waiting.add(number)).collect();
        waiting.confirm(4, false, true);
        waiting.confirm(2, true, true);
        waiting.confirm(3, true, false);
        waiting.confirm(4, true, true);
        let outcomes: Vec<_> = heard.iter_mut().map(|it| it.try_recv().ok()).collect();
        assert_eq!(outcomes, [Some(true), Some(true), Some(false), Some(true), None]);
    }
}
