use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use troupe_runtime::net::{TcpNet, TcpNetFrom};
use troupe_runtime::{Listener, Net, Stream};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough for a byte to pass an open proxy.
const SILENCE: Duration = Duration::from_millis(150);

/// Node 1 behind a proxy, dialed by node 0.
struct Fixture {
    proxy: Proxy,
    address: String,
    listener: Box<dyn Listener>,
}

impl Fixture {
    async fn new() -> Fixture {
        let listener = TcpNet.bind("127.0.0.1:0").await.expect("a port");
        let upstream = listener.local_addr().expect("its address");
        let free = TcpNet.bind("127.0.0.1:0").await.expect("a port");
        let listen = free.local_addr().expect("its address");
        drop(free);
        let proxy = Proxy::open(&[Route { listen, upstream, node: 1 }], 1).await.expect("open");
        Fixture { proxy, address: listen.to_string(), listener }
    }

    async fn connect(&self) -> (Box<dyn Stream>, Box<dyn Stream>) {
        let net = TcpNetFrom(address_of(0).into());
        let (dialed, accepted) = tokio::join!(net.connect(&self.address), self.listener.accept());
        (dialed.expect("connected"), accepted.expect("accepted").0)
    }
}

async fn say(stream: &mut Box<dyn Stream>, byte: u8) {
    stream.write_all(&[byte]).await.expect("written");
}

async fn hears(stream: &mut Box<dyn Stream>, byte: u8) {
    let mut heard = [0u8];
    timeout(PATIENCE, stream.read_exact(&mut heard)).await.expect("in time").expect("read");
    assert_eq!(heard, [byte]);
}

async fn hears_nothing(stream: &mut Box<dyn Stream>) {
    let mut heard = [0u8];
    assert!(timeout(SILENCE, stream.read(&mut heard)).await.is_err(), "heard {heard:?}");
}

const ZERO: Party = Party::Node(0);
const ONE: Party = Party::Node(1);

#[tokio::test]
async fn in_fair_weather_bytes_and_goodbyes_pass_both_ways() {
    let fixture = Fixture::new().await;
    let (mut dialer, mut listener) = fixture.connect().await;
    say(&mut dialer, 1).await;
    hears(&mut listener, 1).await;
    say(&mut listener, 2).await;
    hears(&mut dialer, 2).await;
    drop(dialer);
    let mut rest = Vec::new();
    timeout(PATIENCE, listener.read_to_end(&mut rest)).await.expect("in time").expect("a goodbye");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn one_way_is_dark_and_the_other_is_not_and_healing_delivers_what_was_held() {
    let fixture = Fixture::new().await;
    let (mut dialer, mut listener) = fixture.connect().await;
    fixture.proxy.set(ZERO, ONE, LinkConditions::BLOCKED);
    say(&mut dialer, 1).await;
    hears_nothing(&mut listener).await;
    say(&mut listener, 2).await;
    hears(&mut dialer, 2).await;
    fixture.proxy.heal();
    hears(&mut listener, 1).await;
}

#[tokio::test]
async fn a_new_connection_into_the_dark_is_silent_until_it_is_healed() {
    let fixture = Fixture::new().await;
    // A blocked return direction is enough: a handshake needs both.
    fixture.proxy.set(ONE, ZERO, LinkConditions::BLOCKED);
    let net = TcpNetFrom(address_of(0).into());
    let mut dialer = net.connect(&fixture.address).await.expect("the proxy answers");
    assert!(timeout(SILENCE, fixture.listener.accept()).await.is_err());
    fixture.proxy.heal();
    let (mut listener, _) = timeout(PATIENCE, fixture.listener.accept()).await.expect("in time").expect("accepted");
    say(&mut dialer, 3).await;
    hears(&mut listener, 3).await;
}

#[tokio::test]
async fn a_cut_resets_both_ends_of_that_pair_only() {
    let fixture = Fixture::new().await;
    let (mut dialer, mut listener) = fixture.connect().await;
    fixture.proxy.cut(ZERO, Party::Node(2));
    say(&mut dialer, 1).await;
    hears(&mut listener, 1).await;
    fixture.proxy.cut(ONE, ZERO);
    let mut byte = [0u8];
    let ended = timeout(PATIENCE, listener.read(&mut byte)).await.expect("in time");
    assert_eq!(ended.expect_err("reset").kind(), io::ErrorKind::ConnectionReset);
    let ended = timeout(PATIENCE, dialer.read(&mut byte)).await.expect("in time");
    assert_eq!(ended.expect_err("reset").kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn delay_and_a_thin_line_take_their_time_and_keep_the_order() {
    let fixture = Fixture::new().await;
    let (mut dialer, mut listener) = fixture.connect().await;
    fixture.proxy.set(ZERO, ONE, LinkConditions { delay_ms: 100, jitter_ms: 90, ..LinkConditions::default() });
    for byte in 0..20 {
        say(&mut dialer, byte).await;
        tokio::task::yield_now().await;
    }
    for byte in 0..20 {
        hears(&mut listener, byte).await;
    }
    fixture.proxy.set(ZERO, ONE, LinkConditions { bandwidth: Some(100_000), ..LinkConditions::default() });
    let begun = Instant::now();
    let sent = vec![7u8; 50_000];
    dialer.write_all(&sent).await.expect("written");
    let mut got = vec![0u8; sent.len()];
    timeout(PATIENCE, listener.read_exact(&mut got)).await.expect("in time").expect("read");
    assert_eq!(got, sent);
    assert!(begun.elapsed() >= Duration::from_millis(400), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_is_held_back_is_bounded() {
    let fixture = Fixture::new().await;
    let (mut dialer, _listener) = fixture.connect().await;
    fixture.proxy.set(ZERO, ONE, LinkConditions::BLOCKED);
    let chunk = vec![0u8; 64 * 1024];
    let mut written = 0usize;
    while let Ok(Ok(())) = timeout(SILENCE * 2, dialer.write_all(&chunk)).await {
        written += chunk.len();
        assert!(written < 64 * 1024 * 1024, "the proxy takes everything");
    }
}

#[tokio::test]
async fn a_node_that_does_not_listen_is_a_reset() {
    let fixture = Fixture::new().await;
    let Fixture { proxy: _proxy, address, listener } = fixture;
    drop(listener);
    let net = TcpNetFrom(address_of(0).into());
    let mut dialer = net.connect(&address).await.expect("the proxy answers");
    let mut byte = [0u8];
    let ended = timeout(PATIENCE, dialer.read(&mut byte)).await.expect("in time");
    assert!(matches!(ended, Err(_) | Ok(0)));
}
