//! The role of an account in the administration of the cluster.

use super::user::Standing;

/// In the order of what they permit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountRole {
    #[default]
    User,
    /// Reads what administrators read, and changes nothing.
    Auditor,
    Admin,
}

impl AccountRole {
    pub const ALL: [AccountRole; 3] = [AccountRole::User, AccountRole::Auditor, AccountRole::Admin];

    pub const fn number(self) -> u32 {
        match self {
            AccountRole::User => 0,
            AccountRole::Auditor => 1,
            AccountRole::Admin => 2,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            AccountRole::User => "user",
            AccountRole::Auditor => "auditor",
            AccountRole::Admin => "admin",
        }
    }

    pub fn of(number: u32) -> Option<AccountRole> {
        AccountRole::ALL.into_iter().find(|role| role.number() == number)
    }

    pub fn named(name: &str) -> Option<AccountRole> {
        AccountRole::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl Standing {
    pub fn role(&self) -> AccountRole {
        match self {
            Standing { admin: true, .. } => AccountRole::Admin,
            Standing { auditor: true, .. } => AccountRole::Auditor,
            _ => AccountRole::User,
        }
    }

    pub(crate) fn set_role(&mut self, role: AccountRole) {
        self.admin = role == AccountRole::Admin;
        self.auditor = role == AccountRole::Auditor;
    }
}
