//! One look at all nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use serde_json::Value;
use tokio::time::Instant;
use troupe_fetch as fetch;

use crate::status;

const PATIENCE: Duration = Duration::from_secs(2);

/// All nodes at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Since the command began.
    pub at: Duration,
    /// As `troupe cluster status` has it.
    pub status: Value,
    /// By the number of the node; those that did not answer are missing.
    pub metrics: BTreeMap<u64, Metrics>,
}

/// The page of one node.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub at: Duration,
    /// By name and labels, as the page has them.
    values: BTreeMap<String, f64>,
}

impl Sample {
    pub async fn take(http: &str, begin: Instant) -> Result<Sample> {
        let (answered, status) = status::gather_from(http).await?;
        let at = begin.elapsed();
        let pages = status["nodes"].as_array().into_iter().flatten().filter_map(|node| {
            let id = node["id"].as_u64()?;
            let own = id == status["node"].as_u64()?;
            let address = if own { answered.as_str() } else { node["http"].as_str()? };
            // Another node may answer at the address of one that is not there.
            let itself = node["state"].as_str().is_some_and(|state| state.contains("ready"));
            (itself && !address.is_empty()).then(|| page(id, address.to_owned(), begin))
        });
        let metrics = join_all(pages).await.into_iter().flatten().collect();
        Ok(Sample { at, status, metrics })
    }
}

async fn page(id: u64, address: String, begin: Instant) -> Option<(u64, Metrics)> {
    let (code, body) = fetch::get(&address, "/metrics", PATIENCE).await.ok()?;
    (code == 200).then(|| (id, Metrics::parse(&String::from_utf8_lossy(&body), begin.elapsed())))
}

impl Metrics {
    /// Lines that are not a name and a number are skipped.
    pub fn parse(text: &str, at: Duration) -> Metrics {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let values = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse::<f64>().ok()?))
        });
        Metrics { at, values: values.collect() }
    }

    /// The value of a metric without a label.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }

    /// The buckets of a histogram: upper bounds and how many values are within each.
    pub fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let prefix = format!("{name}_bucket{{le=\"");
        let bucket = |(key, count): (&String, &f64)| {
            let bound = key.strip_prefix(&prefix)?.split('"').next()?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, *count))
        };
        let mut buckets: Vec<(f64, f64)> = self.values.iter().filter_map(bucket).collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_and_what_is_no_number_is_skipped() {
        let text = "# HELP a Text.\n# TYPE a counter\na 3\nb{shard=\"1\"} 2.5\nc no\n\n\
            h_bucket{le=\"10\"} 4\nh_bucket{le=\"2.5\"} 1\nh_bucket{le=\"+Inf\"} 5\nh_sum 9\nh_count 5\n";
        let metrics = Metrics::parse(text, Duration::from_secs(1));
        assert_eq!((metrics.get("a"), metrics.get("b{shard=\"1\"}"), metrics.get("c")), (Some(3.0), Some(2.5), None));
        assert_eq!(metrics.buckets("h"), [(2.5, 1.0), (10.0, 4.0), (f64::INFINITY, 5.0)]);
        assert!(metrics.buckets("a").is_empty());
    }
}
