//! The AMQP client of a control: declares one queue, publishes with confirms, and reads the queue
//! to its end.

use amqprs::callbacks::ChannelCallback;
use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicPublishArguments, Channel, ConfirmSelectArguments,
    QueueDeclareArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::error::Error;
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, FieldTable, Nack, Return};
use anyhow::{Context, Result, ensure};
use tokio::sync::mpsc;

use crate::baselines::Client as _;

const QUEUE: &str = "q";
/// Deliveries per acknowledgement. The server stops at 2,000 unacknowledged ones.
const BATCH: u64 = 500;

/// One connection with one channel.
pub struct Client {
    connection: Connection,
    channel: Channel,
    confirms: mpsc::UnboundedReceiver<Confirm>,
    published: u64,
}

/// Messages up to this number, and whether the queue stored them.
struct Confirm {
    number: u64,
    stored: bool,
}

impl Client {
    pub async fn connect(port: u16) -> Result<Client> {
        let connection = Connection::open(&OpenConnectionArguments::new("127.0.0.1", port, "guest", "guest")).await?;
        let channel = connection.open_channel(None).await?;
        let (sender, confirms) = mpsc::unbounded_channel();
        channel.register_callback(Heard { confirms: sender, returned: false }).await?;
        channel.confirm_select(ConfirmSelectArguments::default()).await?;
        Ok(Client { connection, channel, confirms, published: 0 })
    }

    pub async fn declare(&self) -> Result<()> {
        let mut arguments = FieldTable::new();
        let (key, value) = ("x-queue-type", "quorum");
        arguments.insert(key.to_owned().try_into().map_err(anyhow::Error::msg)?, value.into());
        let queue = QueueDeclareArguments::durable_client_named(QUEUE).arguments(arguments).finish();
        self.channel.queue_declare(queue).await?;
        Ok(())
    }

    /// Reads until `end`, which it publishes first. A queue is ordered, so all its messages precede
    /// `end`.
    pub async fn drain(mut self, end: &str, mut each: impl FnMut(String)) -> Result<()> {
        ensure!(self.publish(end).await?, "the queue does not take messages");
        let consume = BasicConsumeArguments::new(QUEUE, "control").manual_ack(true).finish();
        let (_, mut deliveries) = self.channel.basic_consume_rx(consume).await?;
        let mut unacknowledged = 0;
        loop {
            let message = deliveries.recv().await.context("the server closed the connection")?;
            let body = String::from_utf8(message.content.context("a content")?)?;
            let number = message.deliver.context("a delivery")?.delivery_tag();
            let last = body == end;
            each(body);
            unacknowledged += 1;
            if last || unacknowledged == BATCH {
                self.channel.basic_ack(BasicAckArguments::new(number, true)).await?;
                unacknowledged = 0;
            }
            if last {
                // The close waits for the server, which has processed the acknowledgement by then.
                return self.channel.close().await.context("the channel does not close");
            }
        }
    }
}

impl crate::baselines::Client for Client {
    fn version(&self) -> &str {
        self.connection.server_properties().version()
    }

    /// Waits as long as the connection lives: the queue's next leader confirms messages of its
    /// predecessor.
    async fn publish(&mut self, body: &str) -> Result<bool> {
        self.published += 1;
        let persistent = BasicProperties::default().with_persistence(true).finish();
        // Without it a server confirms messages that reach no queue.
        let to = BasicPublishArguments::new("", QUEUE).mandatory(true).finish();
        self.channel.basic_publish(persistent, body.as_bytes().to_vec(), to).await?;
        loop {
            let confirm = self.confirms.recv().await.context("the server closed the connection")?;
            if confirm.number >= self.published {
                return Ok(confirm.stored);
            }
        }
    }
}

/// Forwards confirms. When the connection ends, the channel closes.
struct Heard {
    confirms: mpsc::UnboundedSender<Confirm>,
    /// Arrives before the confirm of the same message. There is one message at a time.
    returned: bool,
}

#[async_trait::async_trait]
impl ChannelCallback for Heard {
    async fn close(&mut self, _: &Channel, _: CloseChannel) -> Result<(), Error> {
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), Error> {
        Ok(())
    }

    async fn flow(&mut self, _: &Channel, active: bool) -> Result<bool, Error> {
        Ok(active)
    }

    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        let stored = !std::mem::take(&mut self.returned);
        // The receiver is gone when the client is.
        let _ = self.confirms.send(Confirm { number: ack.delivery_tag(), stored });
    }

    async fn publish_nack(&mut self, _: &Channel, nack: Nack) {
        let _ = self.confirms.send(Confirm { number: nack.delivery_tag(), stored: false });
    }

    async fn publish_return(&mut self, _: &Channel, _: Return, _: BasicProperties, _: Vec<u8>) {
        self.returned = true;
    }
}
