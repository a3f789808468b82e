//! Nodes of the cluster, for clients to spread over.

use axum::Json as Answer;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Api;

#[derive(Serialize, ToSchema)]
pub struct Nodes {
    /// The cluster, in hexadecimal digits. A client that holds state belongs to one cluster, and
    /// shows its token to no other.
    cluster_id: String,
    /// The clusters that this one continues, oldest first.
    continues: Vec<String>,
    /// The history of the cluster's content, a new number after a restore. 0: it was never
    /// restored.
    #[schema(pattern = "^[0-9]{1,20}$")]
    history: String,
    /// The node that answers.
    node_id: u64,
    nodes: Vec<Node>,
}

#[derive(Serialize, ToSchema)]
pub struct Node {
    id: u64,
    /// Where native clients connect.
    client: String,
    /// Where this API answers; empty if the node does not advertise it.
    http: String,
    /// Whether the node that answers reaches it.
    reachable: bool,
    /// Whether it is being emptied: clients are better served by the others.
    draining: bool,
}

/// All nodes. It wants no session, as a client asks before it logs in.
#[utoipa::path(get, path = "/v1/nodes", tag = "nodes", security(()), responses((status = 200, body = Nodes)))]
pub async fn list(State(api): State<Api>) -> Answer<Nodes> {
    let node = |node: troupe_actors::service::Member| Node {
        id: node.id.0,
        client: node.client,
        http: node.http,
        reachable: node.reachable,
        draining: node.leaves,
    };
    let hex = |id: &bytes::Bytes| -> String { id.iter().map(|byte| format!("{byte:02x}")).collect() };
    let welcome = api.service.welcome();
    Answer(Nodes {
        cluster_id: hex(&welcome.cluster_id),
        continues: welcome.continues.iter().map(hex).collect(),
        history: welcome.history.to_string(),
        node_id: welcome.node_id,
        nodes: api.service.nodes().into_iter().map(node).collect(),
    })
}
