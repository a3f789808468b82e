//! A file that is uploaded beside a load of messages: what its chunks cost the messages, and how
//! fast it goes in and out.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::time::Instant;
use troupe_client::Client;
use troupe_client::load::{Target, sends};
use troupe_core::{ConversationId, FileHash};

const PASSWORD: &str = "load-generator";
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Options {
    pub target: Target,
    pub mib: usize,
    /// Messages per second, before and beside the upload.
    pub rate: f64,
    pub seconds: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub nodes: usize,
    pub mib: usize,
    pub rate: f64,
    /// Without an upload.
    pub ack_p50_ms: f64,
    pub ack_p99_ms: f64,
    /// While a file is uploaded, and the next when it is whole.
    pub uploading_ack_p50_ms: f64,
    pub uploading_ack_p99_ms: f64,
    pub ack_p99_ratio: f64,
    pub uploads: usize,
    pub upload_mib_per_s: f64,
    /// Without messages.
    pub download_mib_per_s: f64,
}

pub async fn run(options: Options) -> Result<Report> {
    ensure!((1..=100).contains(&options.mib), "a file has 1 to 100 MiB");
    let Options { target, mib, rate, seconds } = options;
    let mut load = sends::Options::new(target.clone());
    load.rate = Some(rate);
    load.duration = Duration::from_secs(seconds);
    let alone = sends::run(load.clone()).await?;
    let name = format!("uploader{:08x}", target.context.rng.u64() as u32);
    let builder = || {
        let builder = Client::builder().context(target.context.clone()).nodes(target.nodes.clone());
        builder.credentials(&name, PASSWORD).device("bench").patience(PATIENCE)
    };
    builder().register().await?;
    let (client, _events) = builder().start()?;
    client.wait_online(PATIENCE).await?;
    let (ended, mut end) = tokio::sync::watch::channel(false);
    let loaded = async {
        let report = sends::run(load).await;
        let _ = ended.send(true);
        report
    };
    let uploaded = async {
        let (mut uploads, mut time, mut last) = (0, Duration::ZERO, None);
        while last.is_none() || !*end.borrow_and_update() {
            let content = content(uploads, mib);
            let begun = Instant::now();
            last = Some(client.upload(ConversationId::Everyone, "bench.bin", &content).await?);
            time += begun.elapsed();
            uploads += 1;
        }
        anyhow::Ok((uploads, time, last))
    };
    let (beside, uploaded) = tokio::join!(loaded, uploaded);
    let (beside, (uploads, time, file)) = (beside?, uploaded?);
    let file: FileHash = file.context("no file was uploaded")?;
    let begun = Instant::now();
    client.download(ConversationId::Everyone, file).await?;
    let download = begun.elapsed();
    let per_s = |files: usize, time: Duration| (files * mib) as f64 / time.as_secs_f64();
    Ok(Report {
        nodes: target.nodes.len(),
        mib,
        rate,
        ack_p50_ms: alone.ack_p50_ms,
        ack_p99_ms: alone.ack_p99_ms,
        uploading_ack_p50_ms: beside.ack_p50_ms,
        uploading_ack_p99_ms: beside.ack_p99_ms,
        ack_p99_ratio: beside.ack_p99_ms / alone.ack_p99_ms,
        uploads,
        upload_mib_per_s: per_s(uploads, time),
        download_mib_per_s: per_s(1, download),
    })
}

/// Each file is another one: the same again would be one file.
fn content(number: usize, mib: usize) -> Vec<u8> {
    (0..mib << 20).map(|at| ((at as u64 + 1).wrapping_mul(0x9e37_79b9 + number as u64) >> 13) as u8).collect()
}
