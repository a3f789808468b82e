//! Journeys with the full-screen client: the real program in a pseudo terminal, its screen as a
//! terminal shows it.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::mpsc;

use nix::pty::{Winsize, openpty};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use troupe_client::Client;
use troupe_core::{Body, ConversationId};

use crate::person::password;
use crate::server::{LOOK, PATIENCE, Server, binary, within};

const ROWS: NonZero<u16> = NonZero::new(24).expect("some");
const COLUMNS: NonZero<u16> = NonZero::new(90).expect("some");

struct Chat {
    keyboard: std::fs::File,
    screen: vt100::Parser,
    output: mpsc::Receiver<Vec<u8>>,
    child: Child,
    _state: TempDir,
}

impl Chat {
    fn start(server: &Server, name: &str) -> Chat {
        let state = tempfile::tempdir().expect("a folder");
        let size = Winsize { ws_row: ROWS.get(), ws_col: COLUMNS.get(), ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a pseudo terminal");
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().expect("a copy"));
        let child = Command::new(binary())
            .args(["chat", "--as", name, "--register", "--server"].map(OsStr::new))
            .arg(server.cluster.client_addresses().join(","))
            .args([OsStr::new("--state-dir"), state.path().as_os_str()])
            .env("TROUPE_PASSWORD", password(name))
            .env("TERM", "xterm-256color")
            .stdin(end(&pty.slave))
            .stdout(end(&pty.slave))
            .stderr(end(&pty.slave))
            .kill_on_drop(true)
            .spawn()
            .expect("started");
        let keyboard = std::fs::File::from(pty.master);
        let mut terminal = keyboard.try_clone().expect("a copy");
        let (sender, output) = mpsc::channel();
        // The read blocks, and ends with the program.
        #[allow(clippy::disallowed_methods, reason = "a thread of the test, not of a node")]
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = terminal.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Chat { keyboard, screen: vt100::Parser::new(ROWS, COLUMNS, 0), output, child, _state: state }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("it reads");
    }

    fn look(&mut self) -> String {
        self.output.try_iter().for_each(|bytes| self.screen.process(&bytes));
        self.screen.screen().contents()
    }

    /// Waits until the screen is as wanted.
    async fn shows(&mut self, wanted: &str, is: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.look();
            if is(&screen) {
                return;
            }
            assert!(Instant::now() < deadline, "{wanted} never came:\n{screen}");
            sleep(LOOK).await;
        }
    }

    async fn says(&mut self, what: &str) {
        self.shows(what, |screen| screen.contains(what)).await;
    }

    async fn ends(mut self) -> String {
        let status = within(self.child.wait()).await.expect("a child");
        assert!(status.success(), "{status}: {}", self.look());
        self.look()
    }
}

#[tokio::test]
async fn the_full_screen_survives_its_node_and_never_disturbs_typing() {
    let mut server = Server::started(3).await;
    let account = Client::builder().nodes(server.cluster.client_addresses()).credentials("bob", password("bob"));
    account.register().await.expect("registered");
    let (bob, _events) = account.connect().await.expect("online");
    let mut chat = Chat::start(&server, "alice");
    chat.says("online at node").await;
    chat.types("hello 你好\r");
    chat.says("alice: hello 你好  ✓").await;

    // Half a line is typed while messages come, and while the node goes.
    chat.types("half a li");
    chat.says("everyone> half a li").await;
    within(bob.send(ConversationId::Everyone, Body::text("good evening")).expect("room")).await.expect("acknowledged");
    chat.says("bob: good evening").await;
    let words = chat.look();
    let node = words.split("online at node ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let node: usize = node.and_then(|node| node.parse().ok()).expect("it names its node");
    server.cluster.kill(node - 1).await.expect("killed");
    let gone = format!("online at node {node} ");
    chat.shows("another node", |screen| screen.contains("online at node") && !screen.contains(&gone)).await;
    chat.types("ne\r");
    chat.says("alice: half a line  ✓").await;
    assert!(!chat.look().contains("> half"), "the line was entered");

    // Arrow keys edit, wide characters go whole, and a paste is text.
    chat.types("张三\x7f\x1b[D\x1b[3~李四\r");
    chat.says("alice: 李四  ✓").await;
    chat.types("\x1b[200~:leave\x1b[201~\r");
    chat.says("alice: :leave  ✓").await;
    chat.types(":-) \r//slash\r/history 1\r");
    chat.says("alice: :-)  ✓").await;
    chat.says("alice: /slash  ✓").await;

    // A direct message is counted until its conversation is opened.
    let users = bob.get_users(&[], &["alice".to_owned()]).await.expect("a page");
    let me = bob.user().expect("logged in");
    let direct = ConversationId::direct(me, users.first().expect("she is registered").user).expect("two users");
    within(bob.send(direct, Body::text("for your eyes only")).expect("room")).await.expect("acknowledged");
    chat.shows("one unread", |screen| screen.lines().any(|row| row.starts_with("@bob") && row.contains(" 1"))).await;
    assert!(!chat.look().contains("for your eyes only"));
    chat.types("\x1ba");
    chat.says("@bob> ").await;
    chat.says("bob: for your eyes only").await;
    chat.types(":q!\r");
    chat.ends().await;
}

#[tokio::test]
async fn the_full_screen_leaves_the_terminal_as_it_was() {
    let server = Server::started(1).await;
    let mut chat = Chat::start(&server, "carol");
    chat.says("online at node").await;
    assert!(chat.screen.screen().alternate_screen() && chat.screen.screen().bracketed_paste());
    chat.types("not to be lost\x03");
    chat.shows("an empty line", |screen| !screen.contains("not to be lost")).await;
    chat.types("\x04");
    let deadline = Instant::now() + PATIENCE;
    while chat.screen.screen().alternate_screen() {
        chat.look();
        assert!(Instant::now() < deadline, "it stays:\n{}", chat.look());
        sleep(LOOK).await;
    }
    assert!(!chat.screen.screen().bracketed_paste());
    chat.ends().await;
}
