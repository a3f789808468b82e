//! Changes the cluster's token while it runs: `troupe token rotate`.
//!
//! The node that is asked leads all members through it, in steps each of which all of them have
//! taken before the next begins. *Ask*: what does each hold, and is no other change under way?
//! *Keep*: take the new token beside the old one. *Show*: show a certificate of the new one, and
//! still take the old one. *Forget*: take the new one alone; every connection that is open ends
//! then, and begins again under the new one. So at no time are there two nodes that do not take
//! each other's certificate, and a change that broke off is gone on with by asking again.
//!
//! The token travels from node to node over TLS, from a member that has proved its number to the
//! address of another one whose certificate names that member. It is never in a log, a snapshot or
//! the database. A node that was removed is no member and gets nothing; a member that does not
//! answer holds up the change, because it would be shut out by it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};
use troupe_core::NodeId;
use troupe_runtime::Rng;

use super::Directory;
use super::keeper::Keeper;
use super::message::{self, Answer, Held, Question};
use crate::cluster::StartError;
use crate::port::dial::DialError;
use crate::port::{Port, Protocol, TokenOrder};
use crate::token::{Fingerprint, Token};

/// For a member to take one step: it writes a file.
const STEP_TIME: Duration = Duration::from_secs(5);
/// A change that takes no step for so long has broken off, and another node may lead one.
const TURN: Duration = Duration::from_secs(15);
/// Times that members may come while the others change. Above it the operator asks again.
const ROUNDS: usize = 3;

/// What a member does at another one's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Ask,
    Keep(Token),
    Show(Fingerprint),
    /// All but this one.
    Forget(Fingerprint),
}

/// What is still to be done when an answer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Nothing,
    Forget(Fingerprint),
}

/// This node's part in changes of the token.
pub struct Rotation {
    keeper: Arc<Keeper>,
    rng: Arc<Rng>,
    turn: Mutex<Option<(NodeId, Instant)>>,
}

impl Rotation {
    pub fn new(keeper: Arc<Keeper>, rng: Arc<Rng>) -> Rotation {
        Rotation { keeper, rng, turn: Mutex::default() }
    }

    /// One step, for the member that leads the change. What is to be forgotten is forgotten when
    /// the answer has left: it ends the stream that the answer leaves on.
    pub async fn take(&self, port: &Port, leader: NodeId, step: Step) -> (Answer, After) {
        if leader == NodeId(0) {
            return (Answer::Refused("only a node of this cluster may ask for that".into()), After::Nothing);
        }
        if !self.begin(leader) {
            return (
                Answer::Unavailable(
                    "it is in a change that another node leads; one that broke off is over after 15 seconds".into(),
                ),
                After::Nothing,
            );
        }
        let mut after = After::Nothing;
        let done = match step {
            Step::Ask => Ok(true),
            Step::Keep(token) => self.keeper.keep(port, token).await.map(|()| true),
            Step::Show(fingerprint) => self.keeper.show(port, fingerprint).await,
            Step::Forget(fingerprint) => {
                after = After::Forget(fingerprint);
                Ok(self.held().await.current == fingerprint)
            }
        };
        match done {
            Ok(true) => (Answer::Holds(self.held().await), after),
            Ok(false) => (Answer::Unavailable("it does not show that token".into()), After::Nothing),
            Err(error) => (Answer::Unavailable(error.to_string()), After::Nothing),
        }
    }

    async fn held(&self) -> Held {
        let tokens = self.keeper.tokens().await;
        Held { current: tokens.current.fingerprint(), next: tokens.next }
    }

    /// When the answer has left, or has failed to.
    pub async fn finish(&self, port: &Port, after: After) {
        let After::Forget(fingerprint) = after else { return };
        *self.turn.lock() = None;
        match self.keeper.forget_others(port, fingerprint).await {
            Ok(true) => {
                info!(target: "audit", token = %fingerprint, "the join token before this one opens nothing any more");
            }
            Ok(false) => warn!(token = %fingerprint, "another token is shown by now: nothing is forgotten"),
            Err(error) => warn!(%error, "the token before this one is still taken: change it once more"),
        }
    }

    fn begin(&self, leader: NodeId) -> bool {
        let mut turn = self.turn.lock();
        let free = turn.is_none_or(|(holder, since)| holder == leader || since.elapsed() >= TURN);
        if free {
            *turn = Some((leader, Instant::now()));
        }
        free
    }

    /// The whole change but for this node's own last step, led by this node. The error is for the
    /// operator.
    pub async fn lead(&self, port: &Port, directory: &dyn Directory, operator: SocketAddr) -> Result<Token, String> {
        let me = port.member().map(|(_, me)| me).ok_or("this node has no place in a cluster yet")?;
        let march = March { rotation: self, port, me };
        let mut members = march.members(directory);
        let held = march.all(&members, &Step::Ask).await?;
        let token = self.choose(&held).await?;
        let fingerprint = token.fingerprint();
        info!(target: "audit", token = %fingerprint, from = %operator, "an operator changes the cluster's join token");
        port.note_token_order(TokenOrder { from: operator, token: fingerprint });
        for _ in 0..ROUNDS {
            march.all(&members, &Step::Keep(token.clone())).await?;
            march.all(&members, &Step::Show(fingerprint)).await?;
            let now = march.members(directory);
            if now == members {
                march.others(&members, &Step::Forget(fingerprint)).await?;
                return Ok(token);
            }
            members = now;
        }
        Err("nodes join or leave all the time: ask again when that is over".into())
    }

    /// The token that the members change to: one that a change before has left behind, or a new
    /// one.
    async fn choose(&self, held: &BTreeMap<NodeId, Held>) -> Result<Token, String> {
        let shown: BTreeSet<Fingerprint> = held.values().map(|held| held.current).collect();
        let coming: BTreeMap<Fingerprint, &Token> =
            held.values().filter_map(|held| held.next.as_ref()).map(|next| (next.fingerprint(), next)).collect();
        if shown.len() == 1 {
            // Nobody shows a coming one, so whichever it is, all still take what all show.
            return Ok(coming.into_values().next().cloned().unwrap_or_else(|| Token::generate(&self.rng)));
        }
        // Those that show it already have given up the other one.
        if let Some((_, token)) = coming.into_iter().find(|(fingerprint, _)| shown.contains(fingerprint)) {
            return Ok(token.clone());
        }
        Err("its nodes show different tokens: stop all of them, give all the same one, and start them again".into())
    }
}

/// One change, as its leader sees it.
struct March<'a> {
    rotation: &'a Rotation,
    port: &'a Port,
    me: NodeId,
}

impl March<'_> {
    fn members(&self, directory: &dyn Directory) -> BTreeSet<NodeId> {
        directory.addresses().into_iter().map(|(node, _)| node).collect()
    }

    /// All others at once, then this node: as long as one of them has not taken the step, neither
    /// has this one.
    async fn all(&self, members: &BTreeSet<NodeId>, step: &Step) -> Result<BTreeMap<NodeId, Held>, String> {
        let mut held = self.others(members, step).await?;
        let (mine, _) = self.rotation.take(self.port, self.me, step.clone()).await;
        held.insert(self.me, took(self.me, Ok(mine))?);
        Ok(held)
    }

    async fn others(&self, members: &BTreeSet<NodeId>, step: &Step) -> Result<BTreeMap<NodeId, Held>, String> {
        let others = members.iter().copied().filter(|node| *node != self.me);
        let answers = join_all(others.map(async |node| (node, self.tell(node, step).await))).await;
        let mut held = BTreeMap::new();
        for (node, answer) in answers {
            held.insert(node, took(node, answer)?);
        }
        Ok(held)
    }

    async fn tell(&self, node: NodeId, step: &Step) -> std::io::Result<Answer> {
        let exchange = async {
            let mut stream = self.port.dial(node, Protocol::Formation).await?;
            message::send(&mut stream, &Question::Token(step.clone()).to_wire()).await?;
            Answer::from_wire(message::receive(&mut stream).await?).ok_or_else(message::invalid)
        };
        timeout(STEP_TIME, exchange).await?
    }
}

fn took(node: NodeId, answer: std::io::Result<Answer>) -> Result<Held, String> {
    let why = match answer {
        Ok(Answer::Holds(held)) => return Ok(held),
        Ok(Answer::Unavailable(why) | Answer::Refused(why)) => why,
        Ok(_) => "it answers something else".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!(
        "node {node} does not take part: {why}; all nodes must run, and all run this version. Until the change is over the old token opens the \
         cluster too: start that node or remove it (`troupe node remove {node}`), then give this order again"
    ))
}

/// Asks the node at an address to change the token, as an operator who holds the present one.
pub async fn ask_to_rotate(port: &Port, address: &str, within: Duration) -> Result<Result<Token, String>, DialError> {
    Ok(match super::ask::ask(port, address, &Question::Rotate, within).await? {
        Answer::Rotated(token) => Ok(token),
        Answer::Refused(why) | Answer::Unavailable(why) => Err(format!("{address}: {why}")),
        _ => Err(format!("{address} answers something else than a token")),
    })
}

/// On a node without TLS.
pub fn without_tls() -> (Answer, After) {
    (Answer::Refused("this cluster runs with --insecure, where no token protects anything".into()), After::Nothing)
}

impl Rotation {
    /// For an operator, who holds the token.
    pub async fn answer(&self, port: &Port, operator: SocketAddr) -> (Answer, After) {
        let Some(directory) = port.directory() else {
            let why = "it has no place in a cluster yet, or starts or stops";
            return (Answer::Unavailable(why.into()), After::Nothing);
        };
        match self.lead(port, directory.as_ref(), operator).await {
            Ok(token) => {
                let after = After::Forget(token.fingerprint());
                (Answer::Rotated(token), after)
            }
            Err(why) => (Answer::Unavailable(why), After::Nothing),
        }
    }

    /// The port takes what this node holds.
    pub async fn open(&self, port: &Port) -> Result<(), StartError> {
        self.keeper.open(port).await
    }
}
