//! The attacks, with their names.

use std::time::Duration;

use anyhow::Result;

use super::site::{Setup, Site};
use super::{
    accounts, asking, before, contacts, descriptors, entry, forwards, frames, growing, heads, hooks, invitations,
    joins, listing, names, outsider, page, places, pretender, pushes, reading, streams, uploads, votes, waking,
};

/// One attack by a single account or address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    OversizedEntry,
    Waking,
    IdleConnections,
    Reading,
    Listing,
    Invitations,
    Registration,
    Places,
    Outsider,
    Names,
    Page,
    Administration,
    Answers,
    Links,
    Contacts,
    Votes,
    Joins,
    Forwards,
    Growing,
    Uploads,
    Hooks,
    Before,
    Pushes,
    HttpConnections,
    HttpBodies,
    HttpRequests,
    HttpAnswers,
    WebSocketUpgrades,
    WebSocketMessages,
    EventStreams,
}

impl Attack {
    pub const ALL: [Attack; 30] = [
        Attack::OversizedEntry,
        Attack::Waking,
        Attack::IdleConnections,
        Attack::Reading,
        Attack::Listing,
        Attack::Invitations,
        Attack::Registration,
        Attack::Places,
        Attack::Outsider,
        Attack::Names,
        Attack::Page,
        Attack::Administration,
        Attack::Answers,
        Attack::Links,
        Attack::Contacts,
        Attack::Votes,
        Attack::Joins,
        Attack::Forwards,
        Attack::Growing,
        Attack::Uploads,
        Attack::Hooks,
        Attack::Before,
        Attack::Pushes,
        Attack::HttpConnections,
        Attack::HttpBodies,
        Attack::HttpRequests,
        Attack::HttpAnswers,
        Attack::WebSocketUpgrades,
        Attack::WebSocketMessages,
        Attack::EventStreams,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Attack::OversizedEntry => "oversized-entry",
            Attack::Waking => "waking",
            Attack::IdleConnections => "idle-connections",
            Attack::Reading => "reading",
            Attack::Listing => "listing",
            Attack::Invitations => "invitations",
            Attack::Registration => "registration",
            Attack::Places => "places",
            Attack::Outsider => "outsider",
            Attack::Names => "names",
            Attack::Page => "page",
            Attack::Administration => "administration",
            Attack::Answers => "answers",
            Attack::Links => "links",
            Attack::Contacts => "contacts",
            Attack::Votes => "votes",
            Attack::Joins => "joins",
            Attack::Forwards => "forwards",
            Attack::Growing => "growing",
            Attack::Uploads => "uploads",
            Attack::Hooks => "hooks",
            Attack::Before => "before",
            Attack::Pushes => "pushes",
            Attack::HttpConnections => "http-connections",
            Attack::HttpBodies => "http-bodies",
            Attack::HttpRequests => "http-requests",
            Attack::HttpAnswers => "http-answers",
            Attack::WebSocketUpgrades => "websocket-upgrades",
            Attack::WebSocketMessages => "websocket-messages",
            Attack::EventStreams => "event-streams",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Attack::OversizedEntry => "renames groups to names of 79 KB, for every shard",
            Attack::Waking => "acknowledges conversations that do not exist",
            Attack::IdleConnections => "holds 1,100 idle connections against an open-file limit of 1,024",
            Attack::Reading => "searches for users without pause, and sends to groups that do not exist",
            Attack::Listing => "lists conversations full of large messages, without pause",
            Attack::Invitations => "creates groups with the same 200 members, without pause",
            Attack::Registration => "registers and guesses passwords without pause, and fills disks",
            Attack::Places => "holds slow connections, half frames, and sockets on the cluster port",
            Attack::Outsider => "asks about conversations of others, existing and not",
            Attack::Names => "registers names that look like those of others, and reserved ones",
            Attack::Page => "orders the removal of a node from a foreign web page",
            Attack::Administration => "asks for the operations of administrators, without pause",
            Attack::Answers => "accepts and declines invitations that it does not have, without pause",
            Attack::Links => "guesses the codes of invite links, without pause",
            Attack::Contacts => "asks 200 users for contacts and withdraws, without pause",
            Attack::Votes => "changes its vote in a poll without pause",
            Attack::Joins => "comes into groups and leaves them without pause, openly and by a link",
            Attack::Forwards => "forwards 100 messages to 100 conversations as fast as it may",
            Attack::Growing => "opens as many growing messages as it may and floods them with pieces",
            Attack::Uploads => "uploads to nine groups at wrong places and in wrong lengths, and holds slow bodies",
            Attack::Hooks => "posts by hooks without pause, and makes hooks to receivers that do not exist",
            Attack::Before => "floods groups whose hook is asked before each message and never answers",
            Attack::Pushes => "subscribes to pushes as often as it may, at silent and busy services, and is flooded",
            Attack::HttpConnections => "holds slow heads, half bodies and HTTP/2 streams at both ports of every node",
            Attack::HttpBodies => "sends giant bodies, JSON bombs, and requests that hide another one",
            Attack::HttpRequests => "lists, reads, searches, logs in and registers by HTTP, without pause",
            Attack::HttpAnswers => "asks for pages by HTTP/1.1 and HTTP/2 and takes none of them",
            Attack::WebSocketUpgrades => "opens WebSockets without pause, good ones and malformed ones",
            Attack::WebSocketMessages => "sends fragments, pings and JSON bombs by WebSocket, and reads nothing",
            Attack::EventStreams => "opens streams of events without pause and reads none, while much is pushed",
        }
    }

    pub fn named(name: &str) -> Option<Attack> {
        Attack::ALL.into_iter().find(|attack| attack.name() == name)
    }

    pub(super) fn setup(self) -> Setup {
        match self {
            Attack::IdleConnections => Setup::FewFiles,
            Attack::Page => Setup::Insecure,
            Attack::Before => Setup::LocalReceivers,
            Attack::Pushes => Setup::LocalPushServices,
            _ => Setup::Plain,
        }
    }

    pub(super) async fn run(self, site: &mut Site, time: Duration) -> Result<Vec<String>> {
        match self {
            Attack::OversizedEntry => entry::run(site, time).await,
            Attack::Waking => waking::run(site, time).await,
            Attack::IdleConnections => descriptors::run(site, time).await,
            Attack::Reading => reading::run(site, time).await,
            Attack::Listing => listing::run(site, time).await,
            Attack::Invitations => invitations::run(site, time).await,
            Attack::Registration => accounts::run(site, time).await,
            Attack::Places => places::run(site, time).await,
            Attack::Outsider => outsider::run(site).await,
            Attack::Names => names::run(site).await,
            Attack::Page => page::run(site).await,
            Attack::Administration => pretender::administer(site, time).await,
            Attack::Answers => pretender::answer(site, time).await,
            Attack::Links => pretender::guess(site, time).await,
            Attack::Contacts => contacts::run(site, time).await,
            Attack::Votes => votes::run(site, time).await,
            Attack::Joins => joins::run(site, time).await,
            Attack::Forwards => forwards::run(site, time).await,
            Attack::Growing => growing::run(site, time).await,
            Attack::Uploads => uploads::run(site, time).await,
            Attack::Hooks => hooks::run(site, time).await,
            Attack::Before => before::run(site, time).await,
            Attack::Pushes => pushes::run(site, time).await,
            Attack::HttpConnections => heads::run(site, time).await,
            Attack::HttpBodies => heads::bodies(site, time).await,
            Attack::HttpRequests => asking::requests(site, time).await,
            Attack::HttpAnswers => asking::answers(site, time).await,
            Attack::WebSocketUpgrades => frames::upgrades(site, time).await,
            Attack::WebSocketMessages => frames::messages(site, time).await,
            Attack::EventStreams => streams::run(site, time).await,
        }
    }
}
