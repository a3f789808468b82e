//! Moves bytes one way, as the weather of that way allows.
//!
//! A reader cuts what comes into packets and gives each the time at which it arrives; a writer
//! hands them on at that time. Between them lie at most [`PACKETS`]; then the reader stops, the
//! kernel's buffers fill, and the sender feels it as it would feel a slow network.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant, sleep_until};
use troupe_runtime::Rng;

use super::{Party, Sky};

/// The most that one packet carries: loss and jitter are drawn for each.
const PACKET_BYTES: usize = 16 * 1024;
/// Packets on their way at once.
const PACKETS: usize = 64;

pub struct Way<'a> {
    pub from: Party,
    pub to: Party,
    pub sky: watch::Receiver<Sky>,
    pub rng: &'a Rng,
}

struct Packet {
    bytes: Bytes,
    arrives: Instant,
}

impl Way<'_> {
    /// Until the reading end closes and all is written. An error means that the connection is to be
    /// reset.
    pub async fn run(self, reads: &mut OwnedReadHalf, writes: &mut OwnedWriteHalf) -> io::Result<()> {
        let (send, mut packets) = mpsc::channel::<Packet>(PACKETS);
        let mut clear = self.sky.clone();
        let (from, to) = (self.from, self.to);
        let reader = self.read(reads, send);
        let writer = async {
            while let Some(packet) = packets.recv().await {
                sleep_until(packet.arrives).await;
                // What was on its way when it got dark waits until it is light again.
                if clear.wait_for(|sky| !sky.weather(from, to).dark).await.is_err() {
                    return Ok(());
                }
                writes.write_all(&packet.bytes).await?;
            }
            if clear.wait_for(|sky| !sky.weather(from, to).dark).await.is_ok() {
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
            let weather = self.sky.borrow().weather(self.from, self.to);
            let mut draw = |below| self.rng.range(0, below);
            if weather.resets(&mut draw) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let carried = weather.bandwidth.map_or(Duration::ZERO, |bytes_per_second| {
                Duration::from_secs_f64(count as f64 / bytes_per_second.max(1) as f64)
            });
            // Never before what was sent earlier: TCP hands out in order. On a thin line the next
            // waits until this one is through.
            arrives = arrives.max(Instant::now() + weather.way(&mut draw)) + carried;
            let bytes = Bytes::copy_from_slice(&buffer[..count]);
            if packets.send(Packet { bytes, arrives }).await.is_err() {
                // The other side takes nothing more.
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
    }
}

/// The connection ends with a reset instead of a goodbye once its socket is dropped.
pub fn reset(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
