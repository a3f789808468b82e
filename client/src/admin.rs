//! Requests of administrators, and requests of users about their own account.
//!
//! Secrets (one-time passwords, invitation codes) are generated here and travel with the request. A
//! repeated request therefore carries the same secret, and the servers store hashes only.

use bytes::Bytes;
use troupe_core::Timestamp;
use troupe_proto::wire::client as wire;
use wire::admin::Operation;
use wire::admin_answer::Answer;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::{Error, Result};
use crate::requests::SessionInfo;

pub use wire::{Account, AuditRow, GroupRow, Invite, Settings};

impl Client {
    /// Changes the password of this user. Sessions of its other devices end.
    pub async fn change_password(&self, old: &str, new: &str) -> Result<()> {
        let (old_password, new_password) = (old.to_owned(), new.to_owned());
        let change = wire::ChangePassword { old_password, new_password, request: self.fresh_request() };
        match self.call(Request::ChangePassword(change)).await? {
            Message::Done(wire::Done {}) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// A one-time password or an invitation code: 80 bits in groups that a person can type.
    pub fn fresh_secret(&self) -> String {
        let password = self.shared.context.rng.password();
        let groups: Vec<&[u8]> = password.as_bytes().chunks(4).collect();
        String::from_utf8_lossy(&groups.join(&b'-')).into_owned()
    }

    fn fresh_request(&self) -> Bytes {
        Bytes::copy_from_slice(&self.shared.context.rng.bytes::<16>())
    }

    /// One administrative operation. It is repeated under one id until a node answers.
    pub async fn admin(&self, operation: Operation) -> Result<Answer> {
        let admin = wire::Admin { request: self.fresh_request(), operation: Some(operation) };
        match self.call(Request::Admin(admin)).await? {
            Message::Admin(wire::AdminAnswer { answer: Some(answer) }) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    async fn admin_done(&self, operation: Operation) -> Result<()> {
        match self.admin(operation).await? {
            Answer::Done(wire::Done {}) => Ok(()),
            _ => Err(other_answer()),
        }
    }

    /// All accounts, in the order of their slots.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let mut accounts = Vec::new();
        let mut after = 0;
        loop {
            let list = wire::ListAccounts { after, limit: 0 };
            let Answer::Accounts(page) = self.admin(Operation::ListAccounts(list)).await? else {
                return Err(other_answer());
            };
            let last = page.accounts.last().map(|account| account.user_id);
            accounts.extend(page.accounts);
            match last {
                Some(last) if page.more && last != after => after = last,
                _ => return Ok(accounts),
            }
        }
    }

    pub async fn account(&self, named: &str) -> Result<Account> {
        self.one_account(Operation::ShowAccount(named.to_owned())).await
    }

    /// Creates an account whose password is valid for one login.
    pub async fn create_account(&self, name: &str, password: &str, admin: bool) -> Result<Account> {
        let (name, password) = (name.to_owned(), password.to_owned());
        self.one_account(Operation::CreateAccount(wire::CreateAccount { name, password, admin })).await
    }

    async fn one_account(&self, operation: Operation) -> Result<Account> {
        match self.admin(operation).await? {
            Answer::Accounts(page) => page.accounts.into_iter().next().ok_or_else(other_answer),
            _ => Err(other_answer()),
        }
    }

    pub async fn disable_account(&self, named: &str) -> Result<()> {
        self.admin_done(Operation::DisableAccount(named.to_owned())).await
    }

    pub async fn enable_account(&self, named: &str) -> Result<()> {
        self.admin_done(Operation::EnableAccount(named.to_owned())).await
    }

    /// Permanent: the name stays reserved and messages stay in their logs.
    pub async fn delete_account(&self, named: &str) -> Result<()> {
        self.admin_done(Operation::DeleteAccount(named.to_owned())).await
    }

    /// The password is valid for one login. All sessions of the account end.
    pub async fn reset_password(&self, named: &str, password: &str) -> Result<()> {
        let (account, password) = (named.to_owned(), password.to_owned());
        self.admin_done(Operation::ResetPassword(wire::ResetPassword { account, password })).await
    }

    pub async fn set_admin(&self, named: &str, admin: bool) -> Result<()> {
        self.admin_done(Operation::SetAdmin(wire::SetAdmin { account: named.to_owned(), admin })).await
    }

    /// The role is `user`, `auditor` (reads and changes nothing) or `admin`.
    pub async fn set_role(&self, named: &str, role: &str) -> Result<()> {
        let (account, role) = (named.to_owned(), role.to_owned());
        self.admin_done(Operation::SetRole(wire::SetRole { account, role })).await
    }

    pub async fn account_sessions(&self, named: &str) -> Result<Vec<SessionInfo>> {
        match self.admin(Operation::AccountSessions(named.to_owned())).await? {
            Answer::Sessions(list) => Ok(list.sessions.into_iter().map(SessionInfo::from).collect()),
            _ => Err(other_answer()),
        }
    }

    /// Logs out one device of an account, or all of them.
    pub async fn end_sessions(&self, named: &str, device: Option<&str>) -> Result<()> {
        let (account, device) = (named.to_owned(), device.unwrap_or_default().to_owned());
        self.admin_done(Operation::EndSessions(wire::EndSessions { account, device })).await
    }

    /// All groups of the cluster with their sizes, in the order of their slots.
    pub async fn all_groups(&self) -> Result<Vec<GroupRow>> {
        let mut groups = Vec::new();
        let mut after = String::new();
        loop {
            let list = wire::ListGroups { after: after.clone(), limit: 0 };
            let Answer::Groups(page) = self.admin(Operation::ListGroups(list)).await? else {
                return Err(other_answer());
            };
            let last = page.groups.last().map(|group| group.conversation.clone());
            groups.extend(page.groups);
            match last {
                Some(last) if page.more && last != after => after = last,
                _ => return Ok(groups),
            }
        }
    }

    pub async fn create_invite(&self, code: &str, uses: u32, expires: Timestamp, note: &str) -> Result<Invite> {
        let (code, note) = (code.to_owned(), note.to_owned());
        let create = wire::CreateInvite { code, uses, expires_ms: expires.0, note };
        match self.admin(Operation::CreateInvite(create)).await? {
            Answer::Invites(page) => page.invites.into_iter().next().ok_or_else(other_answer),
            _ => Err(other_answer()),
        }
    }

    pub async fn invites(&self) -> Result<Vec<Invite>> {
        let mut invites = Vec::new();
        let mut after = String::new();
        loop {
            let list = wire::ListInvites { after: after.clone(), limit: 0 };
            let Answer::Invites(page) = self.admin(Operation::ListInvites(list)).await? else {
                return Err(other_answer());
            };
            let last = page.invites.last().map(|invite| invite.id.clone());
            invites.extend(page.invites);
            match last {
                Some(last) if page.more && last != after => after = last,
                _ => return Ok(invites),
            }
        }
    }

    pub async fn revoke_invite(&self, id: &str) -> Result<()> {
        self.admin_done(Operation::RevokeInvite(id.to_owned())).await
    }

    /// The audit log since a given time, in order of time.
    pub async fn audit(&self, since: Timestamp) -> Result<Vec<AuditRow>> {
        let mut rows: Vec<AuditRow> = Vec::new();
        loop {
            let after = rows.last().and_then(|row| row.place);
            let read = wire::ReadAudit { since_ms: since.0, after, limit: 0 };
            let Answer::Audit(page) = self.admin(Operation::ReadAudit(read)).await? else {
                return Err(other_answer());
            };
            let done = !page.more || page.rows.is_empty();
            rows.extend(page.rows);
            if done {
                return Ok(rows);
            }
        }
    }

    pub async fn settings(&self) -> Result<Settings> {
        self.settings_after(Operation::ShowSettings(wire::Done {})).await
    }

    /// Changes settings of the cluster. Absent settings keep their values.
    pub async fn change_settings(&self, change: wire::ChangeSettings) -> Result<Settings> {
        self.settings_after(Operation::ChangeSettings(change)).await
    }

    async fn settings_after(&self, operation: Operation) -> Result<Settings> {
        match self.admin(operation).await? {
            Answer::Settings(settings) => Ok(settings),
            _ => Err(other_answer()),
        }
    }
}

fn other_answer() -> Error {
    Error::Protocol("another answer than the operation asks for".into())
}
