//! The disk's own figures, printed beside every other one so that ratios mean something: plain
//! append and fdatasync, and one RocksDB append with fsync at a time.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;
use troupe_store::engine::{Batch, Durability, Engine, Family};
use troupe_store::rocks::Rocks;

/// Bytes of one append: a short chat message with its keys.
const APPEND_BYTES: usize = 512;

#[derive(Clone, Debug, Serialize)]
pub struct Baseline {
    pub fsync_p50_ms: f64,
    pub fsync_p99_ms: f64,
    /// RocksDB, one synced write of 250 bytes after another.
    pub bare_append_fsync_per_s: f64,
}

/// Blocks for about twice `each`; call it while nothing else is measured.
pub fn measure(dir: &Path, each: Duration) -> Result<Baseline> {
    let fsync = fsync_histogram(&dir.join("fsync-probe"), each)?;
    let bare = bare_appends(&dir.join("append-probe"), each)?;
    Ok(Baseline {
        fsync_p50_ms: fsync.value_at_quantile(0.5) as f64 / 1000.0,
        fsync_p99_ms: fsync.value_at_quantile(0.99) as f64 / 1000.0,
        bare_append_fsync_per_s: bare,
    })
}

/// Microseconds of append plus fdatasync.
fn fsync_histogram(path: &Path, time: Duration) -> Result<Histogram<u64>> {
    let mut histogram = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    let mut file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let bytes = [7u8; APPEND_BYTES];
    let start = Instant::now();
    while start.elapsed() < time {
        let before = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        histogram.saturating_record(before.elapsed().as_micros() as u64);
    }
    std::fs::remove_file(path)?;
    Ok(histogram)
}

fn bare_appends(path: &Path, time: Duration) -> Result<f64> {
    let engine = Rocks::open(path)?;
    let start = Instant::now();
    let mut count = 0u64;
    while start.elapsed() < time {
        let mut batch = Batch::default();
        batch.put(Family::RaftLog, count.to_be_bytes(), [7u8; 250]);
        engine.write(batch, Durability::Synced)?;
        count += 1;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    drop(engine);
    std::fs::remove_dir_all(path)?;
    Ok(rate)
}
