//! The set-up of a workload: users, groups, devices and observers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use troupe_client::Client;
use troupe_client::load::websocket::WebSocketNet;
use troupe_core::{ConversationId, UserId};
use troupe_runtime::{Platform, Rng};

use super::by_http::Receives;
use super::edges::{Edge, Participant};
use super::participants::{DeviceLog, Namespace, PASSWORD, PATIENCE, connect, connect_over};
use super::reactors::{Reactor, Wrong};
use super::{Device, OBSERVERS, Positions, USERS, Workload, by_http, by_json};
use crate::history::DeviceNumber;
use crate::observer;
use crate::recorder::Recorder;

/// The network of a device that comes in by WebSocket.
fn websocket() -> Platform {
    let plain = Platform::production();
    Platform { net: Arc::new(WebSocketNet(plain.net.clone())), ..plain }
}

impl Workload {
    /// Registers the users, creates the groups, and starts to receive. Sends nothing yet.
    /// `all_edges`: devices use HTTP and WebSocket too, which the nodes must take in plain text.
    pub async fn set_up(nodes: &[String], recorder: Arc<Recorder>, rng: Arc<Rng>, all_edges: bool) -> Result<Workload> {
        let mut workload = Workload::set_up_at(nodes, recorder, rng, Namespace::default(), all_edges).await?;
        if all_edges {
            workload.add_reactors(nodes);
        }
        Ok(workload)
    }

    pub async fn set_up_at(
        nodes: &[String],
        recorder: Arc<Recorder>,
        rng: Arc<Rng>,
        namespace: Namespace,
        all_edges: bool,
    ) -> Result<Workload> {
        let positions = Positions::default();
        let stop_all = CancellationToken::new();
        let mut tasks = Vec::new();
        let mut devices = Vec::new();
        let connects = (0..=USERS).map(|number| {
            // The last device is the first user's second one.
            let user = number % USERS;
            connect(nodes, number, namespace.user(user), number < USERS)
        });
        for (number, (client, events)) in try_join_all(connects).await?.into_iter().enumerate() {
            let number = number as DeviceNumber;
            let user = client.user().context("a logged-in client knows its user")?;
            let device_log = DeviceLog {
                device: number,
                recorder: recorder.clone(),
                positions: positions.clone(),
                namespace: namespace.clone(),
            };
            tasks.push(tokio::spawn(device_log.listen(client.clone(), events)));
            devices.push(Device { number, user, client });
        }

        let users: Vec<UserId> = devices[..USERS].iter().map(|device| device.user).collect();
        let guest =
            Client::builder().nodes(nodes.to_vec()).credentials(namespace.name("guest"), PASSWORD).patience(PATIENCE);
        let guest = guest.register().await.context("register the guest")?;
        let mut newcomers = Vec::new();
        for edge in Edge::OTHERS.into_iter().filter(|_| all_edges) {
            let name = namespace.name(&format!("by-{}", edge.name()));
            let builder = Client::builder().nodes(nodes.to_vec()).credentials(&name, PASSWORD).patience(PATIENCE);
            newcomers.push((edge, builder.register().await.context("register")?, name));
        }
        let members: Vec<UserId> = users.iter().copied().chain(newcomers.iter().map(|(_, user, _)| *user)).collect();
        // In a shared cluster, messages of others to `everyone` are not checked.
        let mut shared: Vec<_> = (!namespace.shared).then_some(ConversationId::Everyone).into_iter().collect();
        for name in ["busy", "quiet"] {
            let group = devices[0].client.create_group(name, false, &members).await.context("create a group")?;
            shared.push(group);
        }
        let groups: Vec<ConversationId> =
            shared.iter().copied().filter(|place| *place != ConversationId::Everyone).collect();
        let mut member_of: BTreeMap<DeviceNumber, Vec<ConversationId>> = BTreeMap::new();
        for device in &devices {
            let index = users.iter().position(|user| *user == device.user).unwrap_or_default();
            let peer = users[index ^ 1];
            let direct = ConversationId::direct(device.user, peer).context("two users")?;
            member_of.insert(device.number, shared.iter().copied().chain([direct]).collect());
        }
        for index in 0..OBSERVERS {
            let number = (devices.len() + index) as DeviceNumber;
            let rotated: Vec<String> = (0..nodes.len()).map(|i| nodes[(index + i) % nodes.len()].clone()).collect();
            let device_log = DeviceLog {
                device: number,
                recorder: recorder.clone(),
                positions: positions.clone(),
                namespace: namespace.clone(),
            };
            let credentials = (namespace.user(index), PASSWORD.to_owned());
            tasks.push(tokio::spawn(observer::run(device_log, rotated, credentials, stop_all.clone())));
            member_of.insert(number, member_of[&(index as DeviceNumber)].clone());
        }
        let mut edges: BTreeMap<DeviceNumber, Edge> = member_of.keys().map(|device| (*device, Edge::Tcp)).collect();
        let (pending, wrong) = (Arc::<Mutex<u64>>::default(), Wrong::default());
        let sending = watch::Sender::new(false);
        for (index, (edge, user, name)) in newcomers.into_iter().enumerate() {
            let number = (USERS + 1 + OBSERVERS + index) as DeviceNumber;
            let nodes: Vec<String> = (0..nodes.len()).map(|i| nodes[(index + i) % nodes.len()].clone()).collect();
            let log = DeviceLog {
                device: number,
                recorder: recorder.clone(),
                positions: positions.clone(),
                namespace: namespace.clone(),
            };
            edges.insert(number, edge);
            member_of.insert(number, shared.clone());
            if edge == Edge::WebSocket {
                let (client, events) = connect_over(websocket(), &nodes, &name, &format!("device-{number}")).await?;
                tasks.push(tokio::spawn(log.listen(client.clone(), events)));
                devices.push(Device { number, user, client });
                continue;
            }
            let participant = Participant {
                log,
                name,
                user,
                nodes,
                conversations: shared.clone(),
                rng: rng.clone(),
                pending: pending.clone(),
                sending: sending.subscribe(),
            };
            let stop = stop_all.clone();
            tasks.push(match edge {
                Edge::Http => tokio::spawn(by_http::run(participant, Receives::History, stop)),
                Edge::HttpEvents => tokio::spawn(by_http::run(participant, Receives::Events, stop)),
                _ => tokio::spawn(by_json::run(participant, stop)),
            });
        }
        Ok(Workload {
            devices,
            positions,
            recorder,
            rng,
            pending,
            member_of,
            tasks,
            stop_all,
            guest,
            groups,
            turns: AtomicU64::new(0),
            edges,
            sending,
            reactors: Mutex::default(),
            people: Mutex::default(),
            guests: Vec::new(),
            due: Arc::default(),
            wrong,
        })
    }

    /// Two devices of the second user give reactions and take them back.
    fn add_reactors(&mut self, nodes: &[String]) {
        let first = self.edges.len() as DeviceNumber;
        for (number, (edge, platform)) in
            (first..).zip([(Edge::Tcp, Platform::production()), (Edge::WebSocket, websocket())])
        {
            self.edges.insert(number, edge);
            let log = DeviceLog {
                device: number,
                recorder: self.recorder.clone(),
                positions: self.positions.clone(),
                namespace: Namespace::default(),
            };
            self.reactors.lock().push(Reactor {
                log,
                platform,
                nodes: nodes.to_vec(),
                name: Namespace::default().user(1),
                user: self.devices[1].user,
                conversations: self.groups.clone(),
                rng: self.rng.clone(),
                wrong: self.wrong.clone(),
            });
        }
    }
}
