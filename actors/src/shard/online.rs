//! Live connections of the users of a shard, as the nodes report them.

use troupe_core::command::NoteSeen;
use troupe_core::{Command, Level, NodeId, limits};
use troupe_proto::client::EndReason;

use super::{ShardState, reads};
use crate::context::Asker;
use crate::message::{Push, Session};
use crate::protocol::{ShardMsg, UserMsg};
use crate::reply::ReplyTo;

impl ShardState {
    /// Tells the node of a live connection that its session has ended.
    pub(super) fn end(&mut self, session: Session, reason: EndReason) {
        self.presence.detach(&session);
        self.tell_user(&session);
        let node = session.node;
        self.context.router.push(node, self.shard, &Push::SessionEnded { session, reason });
    }

    pub(super) fn attach(&mut self, session: Session) {
        if !self.presence.is_online(session.user) {
            self.watchers.changed(session.user);
        }
        self.presence.attach(session.clone());
        self.pass_watch_on(&session);
        self.tell_user(&session);
    }

    pub(super) fn attach_all(&mut self, node: NodeId, whole: bool, sessions: Vec<Session>, reply: ReplyTo) {
        if whole {
            for user in self.presence.forget(node) {
                self.entities.tell_user(user, || UserMsg::Online(self.presence.sessions(user).to_vec()));
            }
            self.presence.reported(node);
        }
        for session in &sessions {
            self.attach(session.clone());
        }
        // An earlier end may have been lost: connections without a session are ended again.
        self.read(reply, Asker::Node, move |view| reads::ended(view, sessions));
    }

    pub(super) fn tell_user(&self, session: &Session) {
        let user = session.user;
        self.entities.tell_user(user, || UserMsg::Online(self.presence.sessions(user).to_vec()));
    }

    /// Keeps when users were last online. A lost time is that of the next disconnect.
    pub(super) fn note_seen(&mut self) {
        let gone = self.presence.gone(limits::BATCH_COMMANDS);
        if gone.is_empty() || self.context.cluster.level() < Level::SECOND {
            return;
        }
        let (context, shard, at) = (self.context.clone(), self.shard, self.context.platform.clock.now());
        let commands = gone.iter().map(|user| Command::NoteSeen(NoteSeen { user: *user, at })).collect();
        tokio::spawn(async move {
            drop(context.propose(shard, commands).await);
            // Those that watch them hear of it with the time, if it is kept.
            context.router.tell_shard(shard, ShardMsg::Gone(gone));
        });
    }
}
