//! A bare loop that writes the bytes of a delivery to as many sockets as a fan-out has, one write
//! for each: the most that this machine can deliver in that form.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Bytes of an event without its body: length, kind, ids, seq and times.
const ENVELOPE_BYTES: usize = 100;
/// Loops, as many as the nodes of the cluster.
const LOOPS: usize = 3;
const TIME: Duration = Duration::from_secs(3);

/// Bytes received, in units of one delivery, for each second.
pub async fn writes_per_s(sockets: usize, body_bytes: usize) -> Result<f64> {
    #[allow(clippy::disallowed_methods, reason = "the machine's own figure has no platform between")]
    let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
    let address = listener.local_addr()?;
    let received = Arc::new(AtomicU64::new(0));
    // Ends with this function.
    let mut tasks = JoinSet::new();
    let mut writers: Vec<Vec<TcpStream>> = (0..LOOPS).map(|_| Vec::new()).collect();
    for index in 0..sockets {
        #[allow(clippy::disallowed_methods, reason = "as above")]
        let (reader, writer) = tokio::try_join!(TcpStream::connect(address), listener.accept())?;
        writer.0.set_nodelay(true)?;
        writers[index % LOOPS].push(writer.0);
        tasks.spawn(read(reader, received.clone()));
    }
    let frame: Arc<[u8]> = vec![7; body_bytes + ENVELOPE_BYTES].into();
    for mut streams in writers {
        let frame = frame.clone();
        tasks.spawn(async move {
            loop {
                for stream in &mut streams {
                    if stream.write_all(&frame).await.is_err() {
                        return;
                    }
                }
                if streams.is_empty() {
                    return;
                }
            }
        });
    }
    tokio::time::sleep(TIME / 4).await;
    let (begin, before) = (Instant::now(), received.load(Ordering::Relaxed));
    tokio::time::sleep(TIME).await;
    let bytes = received.load(Ordering::Relaxed) - before;
    Ok(bytes as f64 / frame.len() as f64 / begin.elapsed().as_secs_f64())
}

async fn read(mut reader: TcpStream, received: Arc<AtomicU64>) {
    let mut buffer = vec![0; 4_096];
    while let Ok(bytes @ 1..) = reader.read(&mut buffer).await {
        received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
