//! The store against a stand-in that checks signatures and fails on demand.

mod stand_in;

use std::path::PathBuf;
use std::time::Duration;

use stand_in::{BUCKET, Fault, StandIn, signature};
use troupe_objects::{Credentials, Error, Pacing, Settings, Store};

/// Parts of a kilobyte, and no long pauses.
fn pacing() -> Pacing {
    Pacing { attempts: 3, pause: Duration::from_millis(1), part: 1024, ..Pacing::default() }
}

fn settings(endpoint: String) -> Settings {
    Settings {
        endpoint: Some(endpoint),
        region: "us-east-1".to_owned(),
        bucket: BUCKET.to_owned(),
        authorities: PathBuf::from("/does/not/exist"),
        plain: false,
        credentials: Credentials::new(signature::KEY, signature::SECRET),
    }
}

async fn started() -> (StandIn, Store) {
    let server = StandIn::start().await;
    let store = Store::open(settings(format!("http://{}", server.address)), pacing()).expect("open");
    (server, store)
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251) as u8).collect()
}

/// A file with this content.
fn file(folder: &tempfile::TempDir, content: &[u8]) -> PathBuf {
    let path = folder.path().join("file");
    std::fs::write(&path, content).expect("written");
    path
}

async fn read(store: &Store, key: &str, folder: &tempfile::TempDir) -> Result<Vec<u8>, Error> {
    let path = folder.path().join("read");
    store.get(key, &path, std::fs::File::create(&path).expect("made")).await?;
    Ok(std::fs::read(&path).expect("read"))
}

#[tokio::test]
async fn what_was_put_is_listed_read_and_removed() {
    let (_server, store) = started().await;
    let folder = tempfile::tempdir().expect("a folder");
    let keys = ["a/1", "a/2 +ü", "a/b/3", "a/c/4", "a/d/5", "b"];
    for key in keys {
        store.put(key, &file(&folder, key.as_bytes())).await.expect("put");
    }
    let listing = store.list("a/", false).await.expect("listed");
    assert_eq!(
        (listing.keys, listing.folders),
        (vec!["a/1".to_owned(), "a/2 +ü".to_owned()], vec!["a/b/".to_owned(), "a/c/".to_owned(), "a/d/".to_owned()],)
    );
    assert_eq!(store.list("a/", true).await.expect("listed").keys, keys[..5]);
    assert_eq!(store.list("x", true).await.expect("listed"), Default::default());
    assert_eq!(read(&store, "a/2 +ü", &folder).await.expect("read"), "a/2 +ü".as_bytes());
    assert_eq!(store.get_bytes("b").await.expect("read").as_deref(), Some(&b"b"[..]));
    assert_eq!(store.size("b").await.expect("seen"), Some(1));
    for _ in 0..2 {
        store.remove("b").await.expect("removed");
    }
    assert_eq!((store.size("b").await.expect("seen"), store.get_bytes("b").await.expect("read")), (None, None));
    assert!(read(&store, "b", &folder).await.is_err_and(|error| error.is_absent()));
}

#[tokio::test]
async fn a_large_file_goes_in_parts_through_failures() {
    let (server, store) = started().await;
    let folder = tempfile::tempdir().expect("a folder");
    let content = content(5 * 1024 + 7);
    server.state().faults.extend([
        ("POST", Some(Fault::Status(503, "SlowDown"))),
        ("PUT", None),
        ("PUT", Some(Fault::Status(500, "InternalError"))),
        ("PUT", Some(Fault::Mute)),
        ("POST", Some(Fault::Mute)),
    ]);
    store.put("large", &file(&folder, &content)).await.expect("put");
    {
        let mut state = server.state();
        assert_eq!(state.objects["large"], content);
        assert!(state.uploads.is_empty() && state.faults.is_empty(), "{:?}", state.faults);
        state.faults.extend([("GET", Some(Fault::Cut(1000))), ("GET", Some(Fault::Status(503, "SlowDown")))]);
        state.seen.clear();
    }
    assert_eq!(read(&store, "large", &folder).await.expect("read"), content);
    let ranges: Vec<String> = server.state().seen.iter().map(|(_, _, range)| range.clone()).collect();
    assert_eq!(ranges, ["", "bytes=1000-", "bytes=1000-"]);
}

#[tokio::test]
async fn an_upload_that_fails_leaves_nothing_behind() {
    let (server, store) = started().await;
    let folder = tempfile::tempdir().expect("a folder");
    server.state().faults.extend([("PUT", None), ("PUT", Some(Fault::Status(403, "AccessDenied")))]);
    let refused = store.put("large", &file(&folder, &content(3000))).await.expect_err("refused");
    assert_eq!(refused.to_string(), "put part 2 of large: the store refuses it with status 403 AccessDenied");
    assert!(server.state().uploads.is_empty() && server.state().objects.is_empty());
}

#[tokio::test]
async fn attempts_are_bounded_and_a_refusal_is_final() {
    let (server, store) = started().await;
    server.state().faults.extend([("HEAD", Some(Fault::Status(503, "SlowDown"))); 9]);
    let late = store.size("a").await.expect_err("late");
    assert!(matches!(late, Error::Later { attempts: 3, .. }), "{late}");
    assert_eq!(server.state().seen.len(), 3);

    let stranger = Settings {
        credentials: Credentials::new(signature::KEY, "another secret"),
        ..settings(format!("http://{}", server.address))
    };
    server.state().seen.clear();
    let stranger = Store::open(stranger, pacing()).expect("open");
    let refused = stranger.get_bytes("a").await.expect_err("refused").to_string();
    assert_eq!(refused, "get a: the store refuses it with status 403 SignatureDoesNotMatch");
    assert_eq!(server.state().seen.len(), 1);

    let nowhere = Store::open(settings("http://127.0.0.1:1".to_owned()), pacing()).expect("open");
    let late = nowhere.get_bytes("a").await.expect_err("late").to_string();
    assert!(late.contains("nothing answers at 127.0.0.1:1") && !late.contains("X-Amz"), "{late}");
}

#[tokio::test]
async fn a_store_over_tls_is_verified() {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let authorities = folder.path().join("authorities.pem");
    std::fs::write(&authorities, signed.cert.pem()).expect("written");
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
    let provider = std::sync::Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key.into())
        .expect("its key");
    let server = StandIn::start_with(Some(std::sync::Arc::new(config).into())).await;
    let (_, port) = server.address.rsplit_once(':').expect("a port");
    let known = Settings { authorities, ..settings(format!("https://localhost:{port}")) };
    let store = Store::open(known, pacing()).expect("open");
    store.put_bytes("a", "content".into()).await.expect("put");
    assert_eq!(server.state().objects["a"], b"content");

    let unknown = Store::open(settings(format!("https://localhost:{port}")), pacing()).expect("open");
    let late = unknown.get_bytes("a").await.expect_err("not verified").to_string();
    assert!(late.contains("no certificate authorities"), "{late}");
}
