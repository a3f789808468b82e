use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName};
use sha2::{Digest, Sha256};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use troupe_core::NodeId;

use super::{Authority, NodeTls, belongs_to, expected_name};

const CLUSTER: [u8; 16] = [7; 16];

#[test]
fn the_authority_of_a_seed_is_the_same_for_ever() {
    let one = Authority::derive(&[1; 32]);
    assert_eq!(one.certificate(), Authority::derive(&[1; 32]).certificate());
    assert_ne!(one.certificate(), Authority::derive(&[2; 32]).certificate());
    // Golden: a change here separates every running cluster from its new nodes.
    assert_eq!(one.fingerprint().to_string(), GOLDEN_FINGERPRINT);
    let digest: [u8; 32] = Sha256::digest(one.certificate()).into();
    assert_eq!(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), GOLDEN_CERTIFICATE);
}

const GOLDEN_FINGERPRINT: &str = "077cb64d173202c9";
const GOLDEN_CERTIFICATE: &str = "af586849e3fd309985c480eee05244fa3fbf9dea4f6ee0f40160f7b7888bcd57";

/// One handshake in memory; returns the certificate that the server saw.
async fn meet(
    client: &NodeTls,
    server: &NodeTls,
    name: ServerName<'static>,
) -> Result<CertificateDer<'static>, String> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connect = TlsConnector::from(Arc::clone(&client.client)).connect(name, near);
    let accept = TlsAcceptor::from(Arc::clone(&server.server)).accept(far);
    let (connected, accepted) = tokio::join!(connect, accept);
    let _connected = connected.map_err(|error| error.to_string())?;
    let accepted = accepted.map_err(|error| error.to_string())?;
    let certificates = accepted.get_ref().1.peer_certificates().ok_or("no certificate shown")?;
    Ok(certificates[0].clone().into_owned())
}

#[tokio::test]
async fn holders_of_a_token_meet_and_know_each_other_by_name() {
    let seed = [3; 32];
    let one = Authority::derive(&seed).mint(Some((CLUSTER, NodeId(1)))).unwrap();
    let two = Authority::derive(&seed).mint(Some((CLUSTER, NodeId(2)))).unwrap();
    let shown = meet(&one, &two, expected_name(Some((CLUSTER, NodeId(2))))).await.unwrap();
    assert!(belongs_to(&shown, CLUSTER, NodeId(1)));
    assert!(!belongs_to(&shown, CLUSTER, NodeId(2)));
    assert!(!belongs_to(&shown, [8; 16], NodeId(1)));
}

#[tokio::test]
async fn a_node_without_an_id_meets_any_but_is_nobody() {
    let authority = Authority::derive(&[3; 32]);
    let (newcomer, member) = (authority.mint(None).unwrap(), authority.mint(Some((CLUSTER, NodeId(2)))).unwrap());
    let shown = meet(&newcomer, &member, expected_name(None)).await.unwrap();
    assert!(!belongs_to(&shown, CLUSTER, NodeId(1)));
    meet(&member, &newcomer, expected_name(None)).await.unwrap();
    meet(&member, &newcomer, expected_name(Some((CLUSTER, NodeId(9))))).await.expect_err("it is not node 9");
}

#[tokio::test]
async fn another_token_is_another_world() {
    let ours = Authority::derive(&[3; 32]).mint(Some((CLUSTER, NodeId(1)))).unwrap();
    let theirs = Authority::derive(&[4; 32]).mint(Some((CLUSTER, NodeId(2)))).unwrap();
    meet(&ours, &theirs, expected_name(None)).await.expect_err("tokens differ");
    meet(&theirs, &ours, expected_name(None)).await.expect_err("tokens differ");
}
