//! Logged-in connections that stay idle. The caller measures their cost on the servers.

use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use serde::Serialize;
use tokio::time::Instant;
use troupe_core::limits;

use super::{Link, SETUP, Target};

#[derive(Clone)]
pub struct Options {
    pub target: Target,
    pub connections: usize,
    pub hold: Duration,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub nodes: usize,
    pub asked: usize,
    pub opened: usize,
    /// Time of registration and login, mostly password hashes on the servers.
    pub open_seconds: f64,
    pub held_seconds: f64,
    /// Open at the end.
    pub alive: usize,
    pub first_error: Option<String>,
}

/// Connections that stay open until this is dropped.
pub struct Idle {
    links: Vec<Link>,
    report: Report,
}

/// Opens the connections: as many devices per user as allowed, spread over all nodes.
pub async fn open(options: &Options) -> Result<Idle> {
    let target = &options.target;
    target.check()?;
    let start = Instant::now();
    let run = target.run_name();
    let users = target.register(&run, "i", options.connections.div_ceil(limits::SESSIONS_PER_USER)).await?;
    let mut links = Vec::with_capacity(options.connections);
    let mut first_error = None;
    let logins = (0..options.connections).map(|index| {
        let (name, _) = &users[index / limits::SESSIONS_PER_USER];
        let device = format!("load-{}", index % limits::SESSIONS_PER_USER);
        async move { target.log_in(index, name, &device).await }
    });
    let mut logins = futures::stream::iter(logins).buffer_unordered(SETUP);
    while let Some(link) = logins.next().await {
        match link {
            Ok(link) => links.push(link),
            Err(error) => first_error = first_error.or(Some(format!("{error:#}"))),
        }
    }
    drop(logins);
    let report = Report {
        nodes: target.nodes.len(),
        asked: options.connections,
        opened: links.len(),
        open_seconds: start.elapsed().as_secs_f64(),
        held_seconds: 0.0,
        alive: links.len(),
        first_error,
    };
    Ok(Idle { links, report })
}

impl Idle {
    pub fn opened(&self) -> usize {
        self.links.len()
    }

    /// Holds the connections for a while, reads pushes, and counts the connections that remain.
    pub async fn hold(&mut self, time: Duration) -> Report {
        let start = Instant::now();
        let end = start + time;
        let reading = self.links.iter_mut().map(|link| async move {
            while let Ok(Some(_)) = tokio::time::timeout_at(end, link.pushes.next()).await {}
        });
        futures::future::join_all(reading).await;
        tokio::time::sleep_until(end).await;
        self.report.held_seconds += start.elapsed().as_secs_f64();
        self.report.alive = self.links.iter().filter(|link| !link.connection.is_closed()).count();
        self.report.clone()
    }
}

pub async fn run(options: Options) -> Result<Report> {
    Ok(open(&options).await?.hold(options.hold).await)
}
