//! Moves bytes in one direction, under the conditions of its link.
//!
//! A reader splits the stream into packets with arrival times, and a writer forwards each at its
//! time. At most [`PACKETS`] are in between. At the limit the reader stops, the kernel's buffers
//! fill, and the sender sees a slow network.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant, sleep_until};
use troupe_runtime::Rng;

use super::{NetworkConditions, Party};

/// Maximum size of a packet, the unit of loss and jitter.
const PACKET_BYTES: usize = 16 * 1024;
/// Packets in flight.
const PACKETS: usize = 64;

pub struct Direction<'a> {
    pub from: Party,
    pub to: Party,
    pub network: watch::Receiver<NetworkConditions>,
    pub rng: &'a Rng,
}

struct Packet {
    bytes: Bytes,
    arrives: Instant,
}

impl Direction<'_> {
    /// Runs until the reading end closes and everything is written. An error requests a reset of
    /// the connection.
    pub async fn run(self, reads: &mut OwnedReadHalf, writes: &mut OwnedWriteHalf) -> io::Result<()> {
        let (send, mut packets) = mpsc::channel::<Packet>(PACKETS);
        let mut clear = self.network.clone();
        let (from, to) = (self.from, self.to);
        let reader = self.read(reads, send);
        let writer = async {
            while let Some(packet) = packets.recv().await {
                sleep_until(packet.arrives).await;
                // Bytes in flight when the link was blocked are held until it is restored.
                if clear.wait_for(|network| !network.conditions(from, to).blocked).await.is_err() {
                    return Ok(());
                }
                writes.write_all(&packet.bytes).await?;
            }
            if clear.wait_for(|network| !network.conditions(from, to).blocked).await.is_ok() {
                writes.shutdown().await?;
            }
            Ok::<(), io::Error>(())
        };
        tokio::try_join!(reader, writer).map(|_| ())
    }

    async fn read(self, reads: &mut OwnedReadHalf, packets: mpsc::Sender<Packet>) -> io::Result<()> {
        let mut buffer = vec![0u8; PACKET_BYTES];
        let mut arrives = Instant::now();
        loop {
            let count = reads.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            let conditions = self.network.borrow().conditions(self.from, self.to);
            let mut draw = |below| self.rng.range(0, below);
            if conditions.resets(&mut draw) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let carried = conditions.bandwidth.map_or(Duration::ZERO, |bytes_per_second| {
                Duration::from_secs_f64(count as f64 / bytes_per_second.max(1) as f64)
            });
            // Not before earlier bytes, because TCP is ordered. With limited bandwidth a packet
            // waits for its predecessor.
            arrives = arrives.max(Instant::now() + conditions.latency(&mut draw)) + carried;
            let bytes = Bytes::copy_from_slice(&buffer[..count]);
            if packets.send(Packet { bytes, arrives }).await.is_err() {
                // The other side accepts no more bytes.
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
    }
}

/// The connection ends with a reset instead of a graceful close when its socket is dropped.
pub fn reset(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
