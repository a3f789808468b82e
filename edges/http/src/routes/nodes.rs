//! Nodes of the cluster, for clients to spread over.

use axum::Json as Answer;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Api;

#[derive(Serialize, ToSchema)]
pub struct Nodes {
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
    Answer(Nodes { nodes: api.service.nodes().into_iter().map(node).collect() })
}
