//! The roles of accounts: the answer to each change of a role, also under repetition, and the role
//! after it.

use std::collections::BTreeMap;

use troupe_core::command::{AccountChange, ChangeAccount};
use troupe_core::record::{AccountRole, User};
use troupe_core::state::memory::MemoryState;
use troupe_core::{ClientMessageId, Command, Rejection, Reply, Rows, UserId, limits};

#[derive(Default)]
pub struct Roles(BTreeMap<UserId, Account>);

struct Account {
    /// Of its registration.
    request: ClientMessageId,
    role: AccountRole,
    /// The last changes of any kind: their requests, their authors, and themselves.
    changes: Vec<(ClientMessageId, UserId, AccountChange)>,
}

impl Roles {
    /// The machine has answered a command.
    pub fn follow(&mut self, command: &Command, reply: &Reply) {
        match (command, reply) {
            (Command::Register(c), Reply::Registered { user }) => {
                let (request, role, changes) = (c.request, AccountRole::User, Vec::new());
                self.0.entry(*user).or_insert(Account { request, role, changes });
            }
            (Command::ChangeAccount(c), reply) => {
                if let Some(expected) = self.expected(c) {
                    assert_eq!(*reply, expected, "{c:?}");
                }
                if let (Reply::Done, Some(account)) = (reply, self.0.get_mut(&c.user)) {
                    account.apply(c);
                }
            }
            _ => {}
        }
    }

    /// `None`: the change is none of a role.
    fn expected(&self, c: &ChangeAccount) -> Option<Reply> {
        let to = match c.change {
            AccountChange::SetRole { role } => role,
            AccountChange::SetAdmin { admin: true } => AccountRole::Admin,
            AccountChange::SetAdmin { admin: false } => AccountRole::User,
            _ => return None,
        };
        let Some(account) = self.0.get(&c.user) else { return Some(Reply::Rejected(Rejection::NoSuchUser)) };
        if let Some((_, by, change)) = account.changes.iter().rev().find(|(request, ..)| *request == c.request) {
            let is_same = (*by, change) == (c.by.user, &c.change);
            return Some(if is_same { Reply::Done } else { Reply::Rejected(Rejection::RequestReused) });
        }
        if account.request == c.request {
            return Some(Reply::Rejected(Rejection::RequestReused));
        }
        // One that takes the role of another one remains, so there is always one left.
        let loses = match c.change {
            AccountChange::SetAdmin { admin } => !admin,
            _ => to < account.role,
        };
        let is_own = c.by.user == c.user && loses;
        Some(if is_own { Reply::Rejected(Rejection::OwnAccount) } else { Reply::Done })
    }

    pub fn agree(&self, state: &MemoryState) {
        for (user, account) in &self.0 {
            let row = state.get::<User>(user).expect("a registered user has a row");
            assert_eq!(row.standing.role(), account.role, "user {user}: {:?}", account.changes);
        }
    }
}

impl Account {
    fn apply(&mut self, c: &ChangeAccount) {
        if self.changes.iter().any(|(request, ..)| *request == c.request) {
            return;
        }
        match c.change {
            AccountChange::SetRole { role } => self.role = role,
            AccountChange::SetAdmin { admin: true } => self.role = AccountRole::Admin,
            // An auditor stays one.
            AccountChange::SetAdmin { admin: false } if self.role == AccountRole::Admin => {
                self.role = AccountRole::User;
            }
            _ => {}
        }
        self.changes.push((c.request, c.by.user, c.change.clone()));
        if self.changes.len() > limits::CHANGES_REMEMBERED {
            self.changes.remove(0);
        }
    }
}
