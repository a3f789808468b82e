//! Definite refusals: every replica refuses the request alike. It was not applied and never will
//! be.

use std::fmt;

/// Each has a stable code for programs and a sentence with the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    NameTaken,
    NoSuchUser,
    /// No rule returns it any more, because an outsider must not learn that a conversation exists.
    /// Nodes of 74c331d return it, so clients know it.
    NoSuchConversation,
    NotMember,
    NotAllowed,
    NotOpen,
    GroupFull,
    LastOwner,
    AlreadyMember,
    NoSuchMember,
    LeaveInstead,
    /// `everyone` and direct conversations have no name, members or roles to change.
    NotAGroup,
    NoSuchInvitation,
    TooManyInvitations,
    TooLarge,
    TooMany,
    BadName,
    BadRequest(&'static str),
    /// The message named by `after` is not in the log.
    OutOfOrder,
    AccountDisabled,
    /// A one-time password: its login must set another one.
    PasswordChangeRequired,
    /// The password or the account changed after it was read.
    AccountChanged,
    /// Administrators cannot do this to their own account.
    OwnAccount,
    /// Unknown, spent, expired or revoked; the answer does not say which.
    BadInvite,
    InviteExists,
    /// The id belongs to another request, or to one with another body.
    RequestReused,
    /// Of one feature, whose file declares it.
    Of(Refused),
}

/// A refusal that one feature has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Stable, for programs.
    pub code: &'static str,
    /// The remedy.
    pub text: &'static str,
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Rejection {
        Rejection::Of(refused)
    }
}

impl Rejection {
    pub fn code(&self) -> &'static str {
        match self {
            Rejection::NameTaken => "name_taken",
            Rejection::NoSuchUser => "no_such_user",
            Rejection::NoSuchConversation => "no_such_conversation",
            Rejection::NotMember => "not_member",
            Rejection::NotAllowed => "not_allowed",
            Rejection::NotOpen => "not_open",
            Rejection::GroupFull => "group_full",
            Rejection::LastOwner => "last_owner",
            Rejection::AlreadyMember => "already_member",
            Rejection::NoSuchMember => "no_such_member",
            Rejection::LeaveInstead => "leave_instead",
            Rejection::NotAGroup => "not_a_group",
            Rejection::NoSuchInvitation => "no_such_invitation",
            Rejection::TooManyInvitations => "too_many_invitations",
            Rejection::TooLarge => "too_large",
            Rejection::TooMany => "too_many",
            Rejection::BadName => "bad_name",
            Rejection::BadRequest(_) => "bad_request",
            Rejection::OutOfOrder => "out_of_order",
            Rejection::AccountDisabled => "account_disabled",
            Rejection::PasswordChangeRequired => "password_change_required",
            Rejection::AccountChanged => "account_changed",
            Rejection::OwnAccount => "own_account",
            Rejection::BadInvite => "bad_invite",
            Rejection::InviteExists => "invite_exists",
            Rejection::RequestReused => "request_reused",
            Rejection::Of(refused) => refused.code,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rejection::NameTaken => "this name is taken: choose another",
            Rejection::NoSuchUser => "there is no such user: check the name or id",
            Rejection::NoSuchConversation => "there is no such conversation: check its id",
            Rejection::NotMember => "there is no such conversation, or you are not in it: ask a member to add you",
            Rejection::NotAllowed => "your role does not allow this: ask an admin or the owner",
            Rejection::NotOpen => "there is no open group with this id: ask a member to add you",
            Rejection::GroupFull => "this group has its largest number of members",
            Rejection::LastOwner => "the last owner cannot leave or step down: make another member owner first",
            Rejection::AlreadyMember => "in this group already: there is nothing to do",
            Rejection::NoSuchMember => "this user is not in the group: name a member",
            Rejection::LeaveInstead => "a member cannot remove itself: leave the group instead",
            Rejection::NotAGroup => "only a group can be changed: name one",
            Rejection::NoSuchInvitation => "there is no such invitation: list them again",
            Rejection::TooManyInvitations => {
                "this user has too many invitations pending: wait until it has answered some"
            }
            Rejection::TooLarge => "too large: a message holds at most 64 KiB",
            Rejection::TooMany => "too many in one request: split it",
            Rejection::BadName => "this name is not allowed: see the documentation for length and characters",
            Rejection::BadRequest(why) => why,
            Rejection::AccountDisabled => "this account is disabled: ask an administrator to enable it",
            Rejection::PasswordChangeRequired => {
                "this password serves for one login: log in with it and a new password at once"
            }
            Rejection::AccountChanged => "this account has changed meanwhile: read it again, then try again",
            Rejection::OwnAccount => "administrators cannot do this to their own account: ask another administrator",
            Rejection::BadInvite => "this invitation code is not valid (any more): ask for another one",
            Rejection::InviteExists => "this invitation code exists already: choose another one",
            Rejection::RequestReused => {
                "this id belongs to a request that asked for something else: give each request an id of its own"
            }
            Rejection::OutOfOrder => "the message this one must follow is not in the log: send that one first",
            Rejection::Of(refused) => refused.text,
        })
    }
}

impl std::error::Error for Rejection {}
