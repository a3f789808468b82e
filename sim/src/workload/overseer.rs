//! An overseer: with the rights of the first administrator it makes accounts, gives them roles and
//! takes these away. At any node the accounts try what their new role permits. Their last login
//! and the list of groups are read, as administrator and as auditor.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use troupe_actors::address::Address;
use troupe_chaos::history::{ListedGroup, Outcome, Oversight, OversightVerdict as Verdict, Role};
use troupe_client::{Client, Connection, Error};
use troupe_core::command::Intent;
use troupe_core::{ClientMessageId, ConversationId, limits};
use troupe_proto::client::Refusal;
use troupe_proto::wire::client::{self as wire, admin::Operation, admin_answer::Answer};
use troupe_proto::wire::client::{client_frame::Request, server_frame::Message};
use troupe_runtime::Platform;

use super::account::Account;
use super::{AGAIN, PASSWORD, Phase, WorkloadContext};
use crate::nemesis::client_hosts;

/// A request without an answer may or may not have been applied.
const SILENCE: Duration = Duration::from_secs(2);
/// Maximum pause between two acts.
const PAUSE_MS: u64 = 200;
/// Acts on one account, at most.
const ACTS: u64 = 14;
/// Changes of one account. They are remembered with its creation and its own password, so each
/// late repeat is recognised.
const CHANGES: usize = limits::CHANGES_REMEMBERED - 2;
/// Groups that the overseer makes.
const GROUPS: usize = 6;
/// Groups of a page, at most.
const PAGE: u64 = 4;
const ROLES: [(Role, &str); 3] = [(Role::User, "user"), (Role::Auditor, "auditor"), (Role::Admin, "admin")];
const DEVICES: [&str; 3] = ["desk", "phone", "tablet"];
const ONCE: &str = "once only";
/// Answers to a repetition of the end of a group.
const OVER: [&str; 2] = ["not_member", "group_disbanded"];

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize, client_host: usize) {
    let account = Account::new(workload.clone(), number, user, "founder");
    account.register().await;
    let mut administered = workload.administered.subscribe();
    drop(administered.wait_for(|is| *is).await.expect("the square outlives the people"));
    let Some((ruler, _)) = workload.evidence.look(|seen| seen.born.clone()) else { return };
    let (founder, mut events) = account.open();
    // No other participant follows its groups.
    tokio::spawn(async move { while events.next().await.is_some() {} });
    let home = SocketAddr::new(turmoil::lookup(client_hosts()[client_host]), 0);
    let mut overseer = Overseer {
        workload: workload.clone(),
        platform: account.platform.clone(),
        founder,
        ruler,
        home: Address::of(home).to_string(),
        desk: None,
        groups: Vec::new(),
        made: 0,
        known: BTreeSet::new(),
    };
    // Without an outcome the run is over.
    for round in 0.. {
        if overseer.look_after(round).await.is_none() {
            break;
        }
    }
    // The founder's device stays connected.
    std::future::pending().await
}

struct Overseer {
    workload: Arc<WorkloadContext>,
    platform: Platform,
    /// The owner of the groups.
    founder: Client,
    /// The name of the first administrator.
    ruler: String,
    /// The address of this host, as nodes see it.
    home: String,
    /// A connection of the administrator.
    desk: Option<Connection>,
    /// Groups of the founder that go on.
    groups: Vec<ConversationId>,
    made: usize,
    /// Groups whose creation is recorded.
    known: BTreeSet<ConversationId>,
}

/// An account that gets roles.
struct Subject {
    user: u64,
    name: String,
    role: Role,
    changes: usize,
    /// Its password is its own.
    is_settled: bool,
    /// The device of its newest login.
    newest: &'static str,
    /// A login without an answer may be committed late.
    is_vague: bool,
}

impl Overseer {
    async fn look_after(&mut self, round: usize) -> Option<()> {
        let mut subject = self.make(round).await?;
        for _ in 0..self.platform.rng.range(4, ACTS) {
            self.pause().await?;
            match self.platform.rng.range(0, 10) {
                0..=2 => self.give_role(&mut subject).await?,
                3 => self.try_as(&mut subject, true).await,
                4 => self.try_as(&mut subject, false).await,
                5 | 6 => self.show_login(&mut subject).await,
                7 if self.made < GROUPS => self.begin_group().await?,
                7 => self.end_group().await?,
                _ => self.list_groups(&mut subject).await?,
            }
        }
        Some(())
    }

    async fn make(&mut self, round: usize) -> Option<Subject> {
        let name = format!("overseen-{round}");
        let create = wire::CreateAccount { name: name.clone(), password: ONCE.to_owned(), admin: false };
        let made = self.act("user.create", Operation::CreateAccount(create)).await?;
        let Answer::Accounts(made) = made else { return None };
        let user = made.accounts.first()?.user_id;
        let (role, newest) = (Role::User, DEVICES[0]);
        self.record(self.now(), Oversight::Role { user, role, outcome: Outcome::Done });
        Some(Subject { user, name, role, changes: 0, is_settled: false, newest, is_vague: false })
    }

    async fn give_role(&mut self, subject: &mut Subject) -> Option<()> {
        if subject.changes >= CHANGES {
            return Some(());
        }
        subject.changes += 1;
        let others: Vec<(Role, &str)> = ROLES.into_iter().filter(|(role, _)| *role != subject.role).collect();
        // Most accounts are auditors for a while, because theirs is the narrowest role.
        let auditor = others.iter().find(|(role, _)| *role == Role::Auditor && self.platform.rng.range(0, 3) > 0);
        let (role, word) = match auditor {
            Some(auditor) => *auditor,
            None => others[self.platform.rng.range(0, others.len() as u64) as usize],
        };
        let (user, asked) = (subject.user, self.now());
        self.record(asked, Oversight::Role { user, role, outcome: Outcome::Asked });
        let set = wire::SetRole { account: subject.name.clone(), role: word.to_owned() };
        self.act("user.set_role", Operation::SetRole(set)).await?;
        self.record(asked, Oversight::Role { user, role, outcome: Outcome::Done });
        subject.role = role;
        // From the answer on it counts, at each node.
        self.try_as(subject, true).await;
        Some(())
    }

    /// One operation of administrators, as the subject.
    async fn try_as(&self, subject: &mut Subject, changes: bool) {
        if changes && subject.role == Role::Admin {
            if subject.changes >= CHANGES {
                return;
            }
            subject.changes += 1;
        }
        let Some(connection) = self.enter(subject, DEVICES[0]).await else { return };
        let account = subject.name.clone();
        let (action, operation) = match self.platform.rng.range(0, 2) {
            _ if !changes => ("", Operation::ShowAccount(self.ruler.clone())),
            0 if subject.role != Role::Admin => {
                ("user.set_role", Operation::SetRole(wire::SetRole { account, role: "admin".to_owned() }))
            }
            _ => {
                let end = wire::EndSessions { account, device: "none".to_owned() };
                ("user.end_sessions", Operation::EndSessions(end))
            }
        };
        let (request, evidence) = (self.request(), &self.workload.evidence);
        if changes {
            evidence.asked(request, action);
        }
        let asked = self.now();
        let verdict = match ask(&connection, request, operation).await {
            Ok(_) if changes => {
                evidence.done(request, action);
                Verdict::Done
            }
            Ok(_) => Verdict::Done,
            Err(error) if error.code() == Some(Refusal::ReadOnlyRole.code()) => Verdict::ReadOnly,
            Err(error) if error.code() == Some(Refusal::NotAdmin.code()) => Verdict::NotAdmin,
            Err(_) => return,
        };
        self.record(asked, Oversight::Answered { user: subject.user, changes, verdict });
    }

    /// Logs in with one of the devices, and reads the last login.
    async fn show_login(&mut self, subject: &mut Subject) {
        let device = DEVICES[self.platform.rng.range(0, DEVICES.len() as u64) as usize];
        if self.enter(subject, device).await.is_none() || subject.is_vague {
            return;
        }
        let asked = self.now();
        let Some(Answer::Sessions(open)) = self.read(Operation::AccountSessions(subject.name.clone())).await else {
            return;
        };
        let Some(newest) = open.sessions.iter().find(|session| session.device == subject.newest) else { return };
        let Some(Answer::Accounts(shown)) = self.read(Operation::ShowAccount(subject.name.clone())).await else {
            return;
        };
        let Some(account) = shown.accounts.into_iter().next() else { return };
        let (user, at_ms, from) = (subject.user, account.last_login_ms, account.last_login_from);
        self.record(asked, Oversight::LastLogin { user, at_ms, from, opened_ms: newest.created_ms });
    }

    async fn begin_group(&mut self) -> Option<()> {
        let request = self.request();
        let group = loop {
            match self.founder.create_group_as(request, "overseen", false, &[]).await {
                Ok(group) => break group,
                Err(Error::Stopped(_)) => return None,
                Err(_) => sleep(AGAIN).await,
            }
        };
        self.made += 1;
        self.groups.push(group);
        // Its members are not those of the busy group.
        self.workload.churn_groups.send_modify(|groups| groups.push(group));
        Some(())
    }

    async fn end_group(&mut self) -> Option<()> {
        let Some(group) = self.groups.pop() else { return Some(()) };
        let (request, asked) = (self.request(), self.now());
        let ended = |outcome| Oversight::GroupEnded { group: group.to_string(), outcome };
        self.record(asked, ended(Outcome::Asked));
        loop {
            match self.founder.change_group_as(request, group, Intent::Disband).await {
                Ok(_) => break,
                Err(Error::Rejected { code, .. }) if OVER.contains(&&*code) => break,
                Err(Error::Rejected { code, text }) => {
                    self.workload.evidence.wrong(format!("the owner may not disband {group}: {text} ({code})"));
                    return None;
                }
                Err(Error::Stopped(_)) => return None,
                Err(_) => sleep(AGAIN).await,
            }
        }
        self.record(asked, ended(Outcome::Done));
        Some(())
    }

    /// All pages, as the administrator or as an auditor.
    async fn list_groups(&mut self, subject: &mut Subject) -> Option<()> {
        let reader = match subject.role != Role::User && self.platform.rng.range(0, 2) == 0 {
            true => self.enter(subject, DEVICES[0]).await,
            false => None,
        };
        let (asked, limit) = (self.now(), self.platform.rng.range(1, PAGE + 1) as u32);
        let (mut groups, mut after) = (Vec::new(), String::new());
        loop {
            let list = Operation::ListGroups(wire::ListGroups { after: after.clone(), limit });
            let told = match &reader {
                Some(connection) => ask(connection, self.request(), list).await.ok(),
                None => self.read(list).await,
            };
            let Some(Answer::Groups(page)) = told else {
                // A list in parts of two connections is one list; the auditor begins another one.
                if reader.is_some() {
                    return Some(());
                }
                self.pause().await?;
                continue;
            };
            let last = page.groups.last().map(|line| line.conversation.clone());
            let line = |line: wire::GroupRow| ListedGroup { group: line.conversation, ended: line.disbanded };
            groups.extend(page.groups.into_iter().map(line));
            match last.filter(|last| page.more && *last != after) {
                Some(last) => after = last,
                None => break,
            }
        }
        self.record(asked, Oversight::Groups { groups });
        Some(())
    }

    /// Repeats an act of the administrator until it is applied.
    async fn act(&mut self, action: &'static str, operation: Operation) -> Option<Answer> {
        let request = self.request();
        self.workload.evidence.asked(request, action);
        loop {
            match self.ask(request, operation.clone()).await {
                Ok(answer) => {
                    self.workload.evidence.done(request, action);
                    return Some(answer);
                }
                Err(error @ Error::Rejected { .. }) if !is_of_session(&error) => {
                    self.workload.evidence.wrong(format!("the administrator may not do {action}: {error}"));
                    return None;
                }
                Err(_) => self.desk = None,
            }
            self.pause().await?;
        }
    }

    /// One attempt to read something as the administrator.
    async fn read(&mut self, operation: Operation) -> Option<Answer> {
        let answer = self.ask(self.request(), operation).await;
        if answer.is_err() {
            self.desk = None;
        }
        answer.ok()
    }

    async fn ask(&mut self, request: ClientMessageId, operation: Operation) -> Result<Answer, Error> {
        if self.desk.as_ref().is_none_or(Connection::is_closed) {
            let connection = self.open().await?;
            in_time(connection.login(&self.ruler, PASSWORD, "overseer")).await?;
            self.desk = Some(connection);
        }
        let Some(desk) = &self.desk else { return Err(Error::closed()) };
        ask(desk, request, operation).await
    }

    /// A login of the subject at any node.
    async fn enter(&self, subject: &mut Subject, device: &'static str) -> Option<Connection> {
        let connection = self.open().await.ok()?;
        let (asked, user, from) = (self.now(), subject.user, self.home.clone());
        self.record(asked, Oversight::LogIn { user, from: from.clone(), outcome: Outcome::Asked });
        let entered = match subject.is_settled {
            true => in_time(connection.login(&subject.name, PASSWORD, device)).await,
            false => in_time(connection.login_with_new(&subject.name, ONCE, PASSWORD, device)).await,
        };
        if entered.is_err() {
            subject.is_vague = true;
            return None;
        }
        (subject.is_settled, subject.newest) = (true, device);
        self.record(asked, Oversight::LogIn { user, from, outcome: Outcome::Done });
        Some(connection)
    }

    async fn open(&self) -> Result<Connection, Error> {
        let node = self.platform.rng.range(0, self.workload.plan.machines() as u64) as usize;
        let address = &self.workload.nodes(node)[0];
        Ok(in_time(Connection::open(&*self.platform.net, address)).await?.0)
    }

    /// `None`: the run is over.
    async fn pause(&mut self) -> Option<()> {
        let groups: Vec<ConversationId> = {
            let strangers = self.workload.stranger_groups.borrow();
            let open = self.workload.churn_groups.borrow();
            open.iter().chain(strangers.keys()).copied().chain(*self.workload.group.borrow()).collect()
        };
        let fresh: Vec<ConversationId> = groups.into_iter().filter(|group| self.known.insert(*group)).collect();
        for group in fresh {
            self.workload.evidence.overseen(self.now(), Oversight::GroupMade { group: group.to_string() });
        }
        sleep(Duration::from_millis(self.platform.rng.range(10, PAUSE_MS))).await;
        (*self.workload.phase.borrow() == Phase::Talking).then_some(())
    }

    fn request(&self) -> ClientMessageId {
        ClientMessageId(self.platform.rng.bytes())
    }

    fn now(&self) -> u64 {
        self.workload.evidence.now().as_micros() as u64
    }

    fn record(&self, asked: u64, step: Oversight) {
        self.workload.evidence.overseen(asked, step);
    }
}

async fn ask(connection: &Connection, request: ClientMessageId, operation: Operation) -> Result<Answer, Error> {
    let admin = wire::Admin { request: Bytes::copy_from_slice(&request.0), operation: Some(operation) };
    match in_time(connection.request(Request::Admin(admin))).await? {
        Message::Admin(wire::AdminAnswer { answer: Some(answer) }) => Ok(answer),
        other => Err(Error::Protocol(format!("an administrator's answer is {other:?}"))),
    }
}

/// A login without an answer may be committed late, and replace this session.
fn is_of_session(error: &Error) -> bool {
    [Refusal::ExpiredToken, Refusal::NotLoggedIn].iter().any(|refusal| error.code() == Some(refusal.code()))
}

async fn in_time<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(SILENCE, what).await.unwrap_or_else(|_| Err(Error::closed()))
}
