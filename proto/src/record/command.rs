//! Commands.

use bytes::Bytes;
use prost::Message;
use troupe_core::command::{
    AcceptInvitation, AdvanceCursors, CloseSession, CreateGroup, OpenSession, Register, SettleOutbox,
};
use troupe_core::{Command, Seq, UserId, Username};

use super::{RECORD_VERSION, Record};
use crate::field;
use crate::wire::record as wire;
use crate::wire::record::command::Command as Wire;
use troupe_core::form::{DecodeError, Form, Nothing, open, seal};

impl From<&Command> for wire::Command {
    fn from(command: &Command) -> Self {
        let command = match command {
            Command::Register(c) => Wire::Register(wire::Register {
                name: c.name.as_str().to_owned(),
                name_key: if c.name.has_plain_key() { String::new() } else { c.name.key().as_str().to_owned() },
                password_hash: c.password_hash.clone(),
                request: Bytes::copy_from_slice(&c.request.0),
            }),
            Command::OpenSession(c) => Wire::OpenSession(wire::OpenSession {
                user: c.user.0,
                device: c.device.as_str().to_owned(),
                token_hash: Bytes::copy_from_slice(&c.token.0),
                revision: c.revision,
                from: c.from.clone(),
            }),
            Command::CloseSession(c) => Wire::CloseSession(wire::CloseSession {
                user: c.user.0,
                device: c.device.as_str().to_owned(),
                token_hash: c.token.map(|token| Bytes::copy_from_slice(&token.0)).unwrap_or_default(),
            }),
            Command::UpdateInbox(c) => Wire::UpdateInbox(wire::UpdateInbox {
                user: c.user.0,
                conversation: c.conversation.to_string(),
                present: c.present,
                version: c.version.0,
                by: c.by.map_or(0, |by| by.0),
                unasked: c.unasked,
            }),
            Command::AcceptInvitation(c) => Wire::AcceptInvitation(wire::AcceptInvitation {
                user: c.user.0,
                conversation: c.conversation.to_string(),
                version: c.version.0,
                decline: c.decline,
            }),
            Command::Append(c) => c.into(),
            Command::CreateGroup(c) => Wire::CreateGroup(wire::CreateGroup {
                creator: c.creator.0,
                request: Bytes::copy_from_slice(&c.request.0),
                name: c.name.clone(),
                open: c.open,
                members: c.members.iter().map(|user| user.0).collect(),
            }),
            Command::AdvanceCursors(c) => Wire::AdvanceCursors(wire::AdvanceCursors {
                conversation: c.conversation.to_string(),
                moves: c.moves.iter().map(Into::into).collect(),
            }),
            Command::SettleOutbox(c) => Wire::SettleOutbox(wire::SettleOutbox {
                slot: c.slot.0.into(),
                rows: c.rows.iter().map(Into::into).collect(),
            }),
            Command::CreateAccount(c) => Wire::CreateAccount((&**c).into()),
            Command::ChangeAccount(c) => Wire::ChangeAccount((&**c).into()),
            Command::TouchSession(c) => Wire::TouchSession(c.into()),
            Command::ChangeInvite(c) => Wire::ChangeInvite((&**c).into()),
            Command::RecordAct(c) => Wire::RecordAct((&**c).into()),
            Command::Import(c) => Wire::Import((&**c).into()),
            Command::Schedule(c) => Wire::Schedule((&**c).into()),
            Command::CancelScheduled(c) => Wire::CancelScheduled(c.into()),
            Command::RunDue(c) => Wire::RunDue(c.into()),
            Command::ChangeProfile(c) => Wire::ChangeProfile((&**c).into()),
            Command::ChangeBot(c) => Wire::ChangeBot((&**c).into()),
            Command::ChangeHook(c) => Wire::ChangeHook((&**c).into()),
            Command::PostHook(c) => Wire::PostHook((&**c).into()),
            Command::AdvanceHook(c) => Wire::AdvanceHook((&**c).into()),
            Command::Vetted(c) => Wire::Vetted(Box::new((&**c).into())),
            Command::JudgeScheduled(c) => Wire::JudgeScheduled((&**c).into()),
            Command::ChangePush(c) => Wire::ChangePush((&**c).into()),
            Command::MakePushKey(c) => Wire::MakePushKey((&**c).into()),
            Command::NoteSeen(c) => Wire::NoteSeen(c.into()),
            Command::ShowPresence(c) => Wire::ShowPresence(c.into()),
            Command::DeleteForMe(c) => Wire::DeleteForMe(c.into()),
            Command::ChangeFavourite(c) => Wire::ChangeFavourite(c.into()),
            Command::ChangePersonal(c) => Wire::ChangePersonal((&**c).into()),
            Command::ChangeContact(c) => Wire::ChangeContact((&**c).into()),
            Command::HearContact(c) => Wire::HearContact((&**c).into()),
            Command::SetGate(c) => Wire::SetGate(c.into()),
            Command::SettleContacts(c) => Wire::SettleContacts(c.into()),
            Command::FileReport(c) => Wire::FileReport((&**c).into()),
            Command::CloseReport(c) => Wire::CloseReport((&**c).into()),
            Command::CreateUpload(c) => Wire::CreateUpload((&**c).into()),
            Command::WriteChunk(c) => Wire::WriteChunk((&**c).into()),
            Command::CancelUpload(c) => Wire::CancelUpload(c.into()),
            Command::ReserveRoom(c) => Wire::ReserveRoom((&**c).into()),
            Command::HearRoom(c) => Wire::HearRoom((&**c).into()),
            Command::SettleRooms(c) => Wire::SettleRooms(c.into()),
            Command::KeepPreview(c) => Wire::KeepPreview((&**c).into()),
            Command::WritePiece(c) => Wire::WritePiece((&**c).into()),
        };
        wire::Command { command: Some(command) }
    }
}

impl TryFrom<wire::Command> for Command {
    type Error = DecodeError;

    fn try_from(command: wire::Command) -> Result<Self, DecodeError> {
        Ok(match field::required("command", command.command)? {
            Wire::Register(c) => Command::Register(Register {
                // A log may hold names that the rules of today would refuse.
                name: Username::kept(&c.name, Some(c.name_key.as_str()).filter(|key| !key.is_empty())),
                password_hash: c.password_hash,
                request: field::client_message_id("register.request", &c.request)?,
            }),
            Wire::OpenSession(c) => Command::OpenSession(OpenSession {
                user: UserId(c.user),
                device: field::device("open_session.device", &c.device)?,
                token: field::token_hash("open_session.token_hash", &c.token_hash)?,
                revision: c.revision,
                from: c.from,
            }),
            Wire::CloseSession(c) => Command::CloseSession(CloseSession {
                user: UserId(c.user),
                device: field::device("close_session.device", &c.device)?,
                token: match &c.token_hash[..] {
                    [] => None,
                    bytes => Some(field::token_hash("close_session.token_hash", bytes)?),
                },
            }),
            Wire::UpdateInbox(c) => Command::UpdateInbox(troupe_core::command::UpdateInbox {
                user: UserId(c.user),
                conversation: field::conversation("update_inbox.conversation", &c.conversation)?,
                present: c.present,
                version: Seq(c.version),
                by: other(c.by),
                unasked: c.unasked,
            }),
            Wire::AcceptInvitation(c) => Command::AcceptInvitation(AcceptInvitation {
                user: UserId(c.user),
                conversation: field::conversation("accept_invitation.conversation", &c.conversation)?,
                version: Seq(c.version),
                decline: c.decline,
            }),
            Wire::Send(c) => Command::Append(c.try_into()?),
            Wire::ChangeGroup(c) => Command::Append(c.try_into()?),
            Wire::Append(c) => Command::Append(c.try_into()?),
            Wire::CreateGroup(c) => Command::CreateGroup(CreateGroup {
                creator: UserId(c.creator),
                request: field::client_message_id("create_group.request", &c.request)?,
                name: c.name,
                open: c.open,
                members: c.members.into_iter().map(UserId).collect(),
            }),
            Wire::AdvanceCursors(c) => Command::AdvanceCursors(AdvanceCursors {
                conversation: field::conversation("advance_cursors.conversation", &c.conversation)?,
                moves: c.moves.into_iter().map(Into::into).collect(),
            }),
            Wire::SettleOutbox(c) => Command::SettleOutbox(SettleOutbox {
                slot: field::slot("settle_outbox.slot", c.slot)?,
                rows: c.rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            }),
            Wire::CreateAccount(c) => Command::CreateAccount(Box::new(c.try_into()?)),
            Wire::ChangeAccount(c) => Command::ChangeAccount(Box::new(c.try_into()?)),
            Wire::TouchSession(c) => Command::TouchSession(c.try_into()?),
            Wire::ChangeInvite(c) => Command::ChangeInvite(Box::new(c.try_into()?)),
            Wire::RecordAct(c) => Command::RecordAct(Box::new(c.try_into()?)),
            Wire::Import(c) => Command::Import(Box::new(c.try_into()?)),
            Wire::Schedule(c) => Command::Schedule(Box::new(c.try_into()?)),
            Wire::CancelScheduled(c) => Command::CancelScheduled(c.try_into()?),
            Wire::RunDue(c) => Command::RunDue(c.try_into()?),
            Wire::ChangeProfile(c) => Command::ChangeProfile(Box::new(c.try_into()?)),
            Wire::ChangeBot(c) => Command::ChangeBot(Box::new(c.try_into()?)),
            Wire::ChangeHook(c) => Command::ChangeHook(Box::new(c.try_into()?)),
            Wire::PostHook(c) => Command::PostHook(Box::new(c.try_into()?)),
            Wire::AdvanceHook(c) => Command::AdvanceHook(Box::new(c.try_into()?)),
            Wire::Vetted(c) => Command::Vetted(Box::new((*c).try_into()?)),
            Wire::JudgeScheduled(c) => Command::JudgeScheduled(Box::new(c.try_into()?)),
            Wire::ChangePush(c) => Command::ChangePush(Box::new(c.try_into()?)),
            Wire::MakePushKey(c) => Command::MakePushKey(Box::new(c.into())),
            Wire::NoteSeen(c) => Command::NoteSeen(c.into()),
            Wire::ShowPresence(c) => Command::ShowPresence(c.try_into()?),
            Wire::DeleteForMe(c) => Command::DeleteForMe(c.try_into()?),
            Wire::ChangeFavourite(c) => Command::ChangeFavourite(c.try_into()?),
            Wire::ChangePersonal(c) => Command::ChangePersonal(Box::new(c.try_into()?)),
            Wire::ChangeContact(c) => Command::ChangeContact(Box::new(c.try_into()?)),
            Wire::HearContact(c) => Command::HearContact(Box::new(c.into())),
            Wire::SetGate(c) => Command::SetGate(c.try_into()?),
            Wire::SettleContacts(c) => Command::SettleContacts(c.try_into()?),
            Wire::FileReport(c) => Command::FileReport(Box::new(c.try_into()?)),
            Wire::CloseReport(c) => Command::CloseReport(Box::new(c.try_into()?)),
            Wire::CreateUpload(c) => Command::CreateUpload(Box::new(c.try_into()?)),
            Wire::WriteChunk(c) => Command::WriteChunk(Box::new(c.try_into()?)),
            Wire::CancelUpload(c) => Command::CancelUpload(c.try_into()?),
            Wire::ReserveRoom(c) => Command::ReserveRoom(Box::new(c.try_into()?)),
            Wire::HearRoom(c) => Command::HearRoom(Box::new(c.try_into()?)),
            Wire::SettleRooms(c) => Command::SettleRooms(c.try_into()?),
            Wire::KeepPreview(c) => Command::KeepPreview(Box::new(c.try_into()?)),
            Wire::WritePiece(c) => Command::WritePiece(Box::new(c.try_into()?)),
        })
    }
}

impl Form for wire::Command {
    const VERSION: u8 = RECORD_VERSION;
    type Previous = Nothing;

    fn parse(message: &[u8]) -> Result<Self, DecodeError> {
        Ok(wire::Command::decode(message)?)
    }

    fn migrate(previous: Nothing) -> Self {
        match previous {}
    }
}

impl Record for Command {
    const VERSION: u8 = RECORD_VERSION;

    fn encode(&self) -> Vec<u8> {
        seal(RECORD_VERSION, &wire::Command::from(self))
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        open::<wire::Command>(bytes)?.try_into()
    }
}

/// Zero stands for the user itself.
fn other(number: u64) -> Option<UserId> {
    Some(UserId(number)).filter(|user| user.0 != 0)
}
