//! Roles in the words of a bundle.

use serde::{Deserialize, Serialize};
use troupe_core::event::Role;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleWord {
    Member,
    Admin,
    Owner,
}

impl From<Role> for RoleWord {
    fn from(role: Role) -> RoleWord {
        match role {
            Role::Member => RoleWord::Member,
            Role::Admin => RoleWord::Admin,
            Role::Owner => RoleWord::Owner,
        }
    }
}

impl From<RoleWord> for Role {
    fn from(role: RoleWord) -> Role {
        match role {
            RoleWord::Member => Role::Member,
            RoleWord::Admin => Role::Admin,
            RoleWord::Owner => Role::Owner,
        }
    }
}
