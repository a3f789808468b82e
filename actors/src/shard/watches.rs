//! Presence that is pushed: to the nodes of those that watch a user of this shard.
//!
//! A change is pushed by the next look, once a second, so a user that comes and goes costs each
//! watcher one push a second at most.

use troupe_core::planted::Bug;
use troupe_core::{NodeId, UserId};
use troupe_store::rows::View;

use super::ShardState;
use crate::context::Asker;
use crate::message::{Answer, Push, Refusal, Session};
use crate::ops::{Found, get_users};
use crate::protocol::ShardMsg;
use crate::reply::ReplyTo;
use crate::watchers::Facts;

impl ShardState {
    /// A user of this shard watches others: its nodes pass that on to their leaders.
    pub(super) fn watch(&mut self, session: Session, users: Vec<UserId>) {
        let live = self.presence.of_token(session.user, &session.token);
        self.watchers.watches(&session, users.clone());
        for session in live {
            let push = Push::Watch { session: session.clone(), users: users.clone() };
            self.context.router.push(session.node, self.shard, &push);
        }
    }

    /// A connection of a session that watches is there, or may have missed it.
    pub(super) fn pass_watch_on(&self, session: &Session) {
        if let Some(users) = self.watchers.watch_of(session) {
            let push = Push::Watch { session: session.clone(), users: users.to_vec() };
            self.context.router.push(session.node, self.shard, &push);
        }
    }

    /// A node names its watchers, and gets the present state.
    pub(super) fn name_watchers(&mut self, node: NodeId, watches: Vec<(UserId, Vec<UserId>)>, reply: ReplyTo) {
        // First the watchers, then the rows: a change in between is pushed.
        for (user, watchers) in &watches {
            self.watchers.set(node, *user, watchers.clone());
        }
        self.read_facts(watches, Some((node, reply)));
    }

    /// Once a second: reads the users that may have changed.
    pub(super) fn look_at_watched(&mut self) {
        self.watchers.end_idle(&self.presence);
        self.watchers.look();
        self.read_changed();
    }

    fn read_changed(&mut self) {
        if self.looking {
            return;
        }
        let next = self.watchers.take_due();
        if !next.is_empty() {
            self.looking = true;
            self.read_facts(next, None);
        }
    }

    fn read_facts(&self, watches: Vec<(UserId, Vec<UserId>)>, asked_by: Option<(NodeId, ReplyTo)>) {
        let (context, shard) = (self.context.clone(), self.shard);
        let unchecked = context.platform.planted(Bug::WatchUnchecked);
        tokio::spawn(async move {
            let users = watches.iter().map(|(user, _)| *user).collect();
            // Behind a barrier: a leader that was cut off shows no one a user that hides meanwhile.
            let read = context.read(shard, Asker::Node, move |view| facts(view, watches, unchecked)).await;
            let facts = read.map_err(|_| users);
            context.router.tell_shard(shard, ShardMsg::Seen { facts, asked_by });
        });
    }

    pub(super) fn seen(&mut self, facts: Result<Vec<Facts>, Vec<UserId>>, asked_by: Option<(NodeId, ReplyTo)>) {
        let sure = !self.is_hearing();
        match (facts, asked_by) {
            (Ok(facts), Some((node, reply))) => {
                let mut news = Vec::new();
                for facts in facts {
                    let told = self.watchers.news(&facts, &self.presence, sure, Some(node));
                    news.extend(told.into_values().flatten());
                    // A look that has read later rows may have told something else meanwhile.
                    self.watchers.changed(facts.user);
                }
                reply.send(Ok(Answer::Presences(news)));
            }
            (Ok(facts), None) => {
                for facts in facts {
                    for (node, news) in self.watchers.news(&facts, &self.presence, sure, None) {
                        self.context.router.push(node, self.shard, &Push::Presences(news));
                    }
                }
                self.looking = false;
                self.read_changed();
            }
            (Err(_), Some((_, reply))) => reply.refuse(Refusal::NotOwner { hint: None }),
            (Err(users), None) => {
                self.looking = false;
                users.into_iter().for_each(|user| self.watchers.changed(user));
            }
        }
    }
}

/// The rows of these users, for each of their watchers.
// Invariant: private.
fn facts(view: &View, watches: Vec<(UserId, Vec<UserId>)>, unchecked: bool) -> Found<Vec<Facts>> {
    let mut all = Vec::with_capacity(watches.len());
    for (user, watchers) in watches {
        let seen = get_users::seen(view, user)?;
        let mut facts = Facts { user, last_seen: seen.at, watchers: Default::default() };
        for watcher in watchers {
            let sees = unchecked || get_users::shows(view, watcher, user, &seen)?;
            facts.watchers.insert(watcher, sees);
        }
        all.push(facts);
    }
    Ok(Ok(all))
}
