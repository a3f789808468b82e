//! Bodies that come at once on one connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::{Method, Request};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::join_all;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use troupe_edge_http::{Bodies, router};
use troupe_raft::api::LoginPolicy;

use crate::harness::{one_node, within};

#[tokio::test]
async fn a_connection_holds_few_bodies_before_it_has_logged_in() {
    let node = one_node(LoginPolicy::Replace).await;
    let service = TowerToHyperService::new(router(node.handle.service().clone()));
    let (connection, held, most) = (Bodies::default(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let goes_on = watch::Sender::new(false);
    let requests = (0..100).map(|_| {
        let (held, most, mut goes_on) = (held.clone(), most.clone(), goes_on.subscribe());
        let first = futures::stream::once(async move {
            most.fetch_max(held.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            goes_on.wait_for(|goes_on| *goes_on).await.expect("it goes on");
            held.fetch_sub(1, Ordering::Relaxed);
            Ok::<Bytes, Infallible>(Bytes::from_static(b"{}"))
        });
        let request =
            Request::builder().method(Method::POST).uri("/v1/login").header("content-type", "application/json");
        let mut request = request.body(Body::from_stream(first.boxed())).expect("a request");
        request.extensions_mut().insert(connection.clone());
        service.call(request)
    });
    let answers = tokio::spawn(join_all(requests.collect::<Vec<_>>()));
    within(async {
        while held.load(Ordering::Relaxed) < 8 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    goes_on.send_replace(true);
    for answer in within(answers).await.expect("no panic") {
        let Ok(answer) = answer;
        assert_eq!(answer.status().as_u16(), 400, "an empty login");
    }
    assert_eq!(most.load(Ordering::Relaxed), 8);
    node.stop().await;
}
