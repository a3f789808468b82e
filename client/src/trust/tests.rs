use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::TlsAcceptor;
use troupe_runtime::net::{BoxFuture, TcpNet};

use super::*;

const OURS: [u8; 16] = [1; 16];
const THEIRS: [u8; 16] = [2; 16];

/// A cluster's authority, and the certificates of its nodes.
struct Authority(Issuer<'static, KeyPair>, CertificateDer<'static>);

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("signed").der().clone();
        Authority(Issuer::new(params, key), certificate)
    }

    fn node(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let leaf = params.signed_by(&key, &self.0).expect("signed").der().clone();
        server(vec![leaf, self.1.clone()], &key)
    }
}

fn server(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<ServerConfig> {
    let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("a version")
        .with_no_client_auth()
        .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .expect("a pair");
    Arc::new(server)
}

/// The client's end of a stream to that server.
fn reach(server: &Arc<ServerConfig>) -> Box<dyn Stream> {
    let (here, there) = tokio::io::duplex(64 * 1024);
    let acceptor = TlsAcceptor::from(server.clone());
    tokio::spawn(async move {
        // A client that refuses ends the handshake, which is expected here.
        if let Ok(stream) = acceptor.accept(there).await {
            std::future::pending::<()>().await;
            drop(stream);
        }
    });
    Box::new(here)
}

async fn dial(trust: &Trust, server: &Arc<ServerConfig>, address: &str, cluster: [u8; 16]) -> Result<Fingerprint> {
    let (_stream, seen) = trust.secure(reach(server), address).await?;
    let seen = seen.expect("pinned keys are seen");
    trust.confirm(address, &cluster, seen)?;
    Ok(seen)
}

fn refused<T: fmt::Debug>(outcome: Result<T>, parts: &[&str]) {
    let Err(Error::Untrusted(text)) = outcome else { panic!("{outcome:?}") };
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[tokio::test]
async fn one_pin_serves_every_node_of_a_cluster_and_no_other() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let trust = Trust::first_use();
    let first = dial(&trust, &ours.node(CLIENT_NAME), "a:1", OURS).await.expect("first use");
    assert_eq!(dial(&trust, &ours.node(CLIENT_NAME), "b:1", OURS).await.expect("the same cluster"), first);
    assert_eq!(dial(&trust, &ours.node(CLIENT_NAME), "a:1", OURS).await.expect("a new certificate"), first);
    // An attacker in between, at a known address, and as the known cluster at a new one.
    refused(dial(&trust, &theirs.node(CLIENT_NAME), "a:1", OURS).await, &["a:1", "another key", &first.to_string()]);
    refused(dial(&trust, &theirs.node(CLIENT_NAME), "c:1", OURS).await, &["c:1", "another key"]);
    let other = dial(&trust, &theirs.node(CLIENT_NAME), "d:1", THEIRS).await.expect("another cluster");
    assert_ne!(other, first);
}

#[tokio::test]
async fn what_nodes_tell_is_judged_before_anything_is_said_there() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let trust = Trust::first_use();
    dial(&trust, &ours.node(CLIENT_NAME), "a:1", OURS).await.expect("first use");
    trust.learn(&OURS, &["b:1".to_owned(), "tls://c:1".to_owned()]);
    for told in ["b:1", "c:1"] {
        let refusal = trust.secure(reach(&theirs.node(CLIENT_NAME)), told).await.map(drop);
        refused(refusal, &[told]);
    }
    // A foreign server cannot claim an address of this cluster either.
    dial(&trust, &theirs.node(CLIENT_NAME), "x:1", THEIRS).await.expect("first use");
    trust.learn(&THEIRS, &["a:1".to_owned(), "b:1".to_owned()]);
    for ours_still in ["a:1", "b:1"] {
        dial(&trust, &ours.node(CLIENT_NAME), ours_still, OURS).await.expect("ours");
    }
}

#[tokio::test]
async fn the_authority_counts_only_for_what_it_signed() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let trust = Trust::first_use();
    let pinned = dial(&trust, &ours.node(CLIENT_NAME), "a:1", OURS).await.expect("first use");
    // A forged certificate with the real authority put above it.
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![CLIENT_NAME.to_owned()]).expect("a name");
    let forged = params.signed_by(&key, &theirs.0).expect("signed").der().clone();
    let forged = server(vec![forged, ours.1.clone()], &key);
    refused(trust.secure(reach(&forged), "b:1").await.map(drop), &["b:1"]);
    // A signed certificate for another purpose counts by its own key.
    let node = dial(&Trust::first_use(), &ours.node("node.troupe"), "b:1", OURS).await.expect("first use");
    assert_ne!(node, pinned);
}

#[tokio::test]
async fn a_pin_outlives_the_process_and_is_replaced_by_a_fingerprint_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state/known-clusters");
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let trust = Trust::kept_in(&file).expect("no file yet").telling(move |new| telling.lock().push(new.clone()));
    let (ours, theirs) = (Authority::new(), Authority::new());
    let first = dial(&trust, &ours.node(CLIENT_NAME), "a:1", OURS).await.expect("first use");
    dial(&trust, &ours.node(CLIENT_NAME), "b:1", OURS).await.expect("known");
    assert_eq!(
        told.lock().iter().map(|new| (new.address.clone(), new.fingerprint)).collect::<Vec<_>>(),
        [("a:1".to_owned(), first)]
    );

    let again = Trust::kept_in(&file).expect("a file");
    let path = file.display().to_string();
    let changed = theirs.node(CLIENT_NAME);
    refused(dial(&again, &changed, "b:1", OURS).await, &["another key", "--fingerprint", &path]);
    let new = Fingerprint::of_chain(std::slice::from_ref(&theirs.1));
    let required = Trust::kept_in(&file).expect("a file").require(new.expect("a key"));
    refused(dial(&required, &ours.node(CLIENT_NAME), "a:1", OURS).await, &["another key", "troupe token ca"]);
    dial(&required, &changed, "b:1", OURS).await.expect("given out of band");
    dial(&Trust::kept_in(&file).expect("a file"), &changed, "b:1", OURS).await.expect("kept");

    std::fs::write(&file, "garbage\n").expect("written");
    assert!(Trust::kept_in(&file).expect_err("no pin must get lost silently").to_string().contains("known-clusters:1"));
}

#[tokio::test]
async fn own_certificates_are_pinned_by_their_key_or_judged_by_an_authority() {
    let own = rcgen::generate_simple_self_signed(vec!["chat.example".into()]).expect("a certificate");
    let shown = server(vec![own.cert.der().clone()], &own.signing_key);
    let trust = Trust::first_use();
    let first = dial(&trust, &shown, "chat.example:7700", OURS).await.expect("first use");
    // Renewed with the same key.
    let params = CertificateParams::new(vec!["chat.example".to_owned()]).expect("a name");
    let renewed = params.self_signed(&own.signing_key).expect("signed").der().clone();
    let renewed = server(vec![renewed], &own.signing_key);
    assert_eq!(dial(&trust, &renewed, "chat.example:7700", OURS).await.expect("the same key"), first);

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, own.cert.pem()).expect("written");
    let roots = Trust::authorities(&file).expect("roots");
    roots.secure(reach(&shown), "chat.example:7700").await.map(drop).expect("the right name");
    refused(roots.secure(reach(&shown), "other.example:7700").await.map(drop), &["other.example:7700"]);
    let stranger = rcgen::generate_simple_self_signed(vec!["chat.example".into()]).expect("a certificate");
    let stranger = server(vec![stranger.cert.der().clone()], &stranger.signing_key);
    refused(roots.secure(reach(&stranger), "chat.example:7700").await.map(drop), &["chat.example"]);
    std::fs::write(&file, "nothing").expect("written");
    assert!(Trust::authorities(&file).is_err());
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_such() {
    let (here, mut there) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let frame = [0, 0, 0, 5, 1, 2, 3, 4, 5];
        tokio::io::AsyncWriteExt::write_all(&mut there, &frame).await.expect("written");
        std::future::pending::<()>().await;
    });
    let refusal = Trust::first_use().secure(Box::new(here), "chat.example:7700").await.map(drop);
    refused(refusal, &["does not speak TLS", "tcp://chat.example:7700"]);
}

#[test]
fn loopback_is_plain_and_everything_else_is_not() {
    let tls = |address| Target::of(address, &TcpNet);
    assert_eq!(tls("127.0.0.1:7700"), Target { dial: "127.0.0.1:7700", tls: false });
    assert_eq!(tls("tls://127.0.0.1:7700"), Target { dial: "127.0.0.1:7700", tls: true });
    assert_eq!(tls("10.0.0.1:7700"), Target { dial: "10.0.0.1:7700", tls: true });
    assert_eq!(tls("tcp://10.0.0.1:7700"), Target { dial: "10.0.0.1:7700", tls: false });
    let told = ["b:1", "127.0.0.1:2", "tcp://c:3", "tls://d:4"].map(str::to_owned);
    assert_eq!(followed("a:1", &told, &TcpNet), ["b:1", "tls://127.0.0.1:2", "tls://d:4"]);
    assert_eq!(followed("127.0.0.1:1", &told, &TcpNet), told);
    struct Simulated;
    impl Net for Simulated {
        fn bind<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Box<dyn troupe_runtime::Listener>>> {
            Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
        }
        fn connect<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
            Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
        }
        fn is_private(&self, _: &str) -> bool {
            true
        }
    }
    assert!(!Target::of("machine-1:7700", &Simulated).tls);
}

#[test]
fn a_fingerprint_is_read_as_it_is_printed() {
    let text = "00ff10".to_owned() + &"ab".repeat(29);
    let read: Fingerprint = text.parse().expect("hex");
    assert_eq!(read.to_string(), text);
    let colons: Vec<&str> = (0..32).map(|at| &text[2 * at..2 * at + 2]).collect();
    assert_eq!(colons.join(":").to_uppercase().parse(), Ok(read));
    for wrong in ["", "00", &text[1..], &format!("{}g", &text[1..])] {
        assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
    }
}
