//! Changes the cluster's token while it runs: `troupe token rotate`.
//!
//! The node that is asked leads all members through it. All members take one step before the next
//! begins. *Ask*: which tokens does each member hold, and is another change in progress? *Keep*:
//! accept the new token as well as the old one. *Show*: show a certificate of the new one, and
//! still accept the old one. *Forget*: accept the new one alone, which ends every open connection.
//! So at no time do two members reject each other's certificate, and an interrupted change
//! continues when the order is repeated.
//!
//! The token is sent from node to node over TLS: a member that has proved its number sends it to
//! the address of another, whose certificate names that member. It is never in a log, a snapshot or
//! the database. A removed node is no member and gets nothing. A member that does not answer blocks
//! the change, because it would be locked out.

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

use super::message::{self, Answer, Held, Question, Step};
use super::token_store::TokenStore;
use crate::api::{MemberRegistry, StartError};
use crate::transport::port::dial::DialError;
use crate::transport::port::{Port, Protocol, TokenOrder};
use crate::transport::token::{Fingerprint, Token};

/// The time in which a member takes one step, which writes a file.
const STEP_TIME: Duration = Duration::from_secs(5);
/// A change without a step for this long has been interrupted, and another node may lead one.
const TURN: Duration = Duration::from_secs(15);
/// Times that new members may join during a change. At the limit the operator asks again.
const ROUNDS: usize = 3;

/// The remaining work after an answer has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Nothing,
    Forget(Fingerprint),
}

/// This node's part in changes of the token.
pub struct Rotation {
    token_store: Arc<TokenStore>,
    rng: Arc<Rng>,
    turn: Mutex<Option<(NodeId, Instant)>>,
}

impl Rotation {
    pub fn new(token_store: Arc<TokenStore>, rng: Arc<Rng>) -> Rotation {
        Rotation { token_store, rng, turn: Mutex::default() }
    }

    /// Takes one step, for the member that leads the change. A token is forgotten only after the
    /// answer has been sent, because forgetting ends the stream of the answer.
    pub async fn take(&self, port: &Port, leader: NodeId, step: Step) -> (Answer, After) {
        if leader == NodeId(0) {
            return (Answer::Refused("only a node of this cluster may ask for that".into()), After::Nothing);
        }
        if !self.begin(leader) {
            return (
                Answer::Unavailable("another node leads a change; an interrupted one ends after 15 seconds".into()),
                After::Nothing,
            );
        }
        let mut after = After::Nothing;
        let done = match step {
            Step::Ask => Ok(true),
            Step::Keep(token) => self.token_store.keep(port, token).await.map(|()| true),
            Step::Show(fingerprint) => self.token_store.show(port, fingerprint).await,
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
        let tokens = self.token_store.tokens().await;
        Held { current: tokens.current.fingerprint(), next: tokens.next }
    }

    /// Called when the answer has been sent, or has failed to.
    pub async fn finish(&self, port: &Port, after: After) {
        let After::Forget(fingerprint) = after else { return };
        *self.turn.lock() = None;
        match self.token_store.forget_others(port, fingerprint).await {
            Ok(true) => {
                info!(target: "audit", token = %fingerprint, "the previous join token is no longer accepted");
            }
            Ok(false) => warn!(token = %fingerprint, "another token is shown now: nothing is forgotten"),
            Err(error) => warn!(%error, "the previous token is still accepted: change it once more"),
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

    /// Leads the whole change, except for this node's own last step. The error is for the operator.
    pub async fn lead(
        &self,
        port: &Port,
        registry: &dyn MemberRegistry,
        operator: SocketAddr,
    ) -> Result<Token, String> {
        let me = port.member().map(|(_, me)| me).ok_or("this node is not a member of a cluster yet")?;
        let march = RotationRun { rotation: self, port, me };
        let mut members = march.members(registry);
        let held = march.all(&members, &Step::Ask).await?;
        let token = self.choose(&held).await?;
        let fingerprint = token.fingerprint();
        info!(target: "audit", token = %fingerprint, from = %operator, "an operator changes the cluster's join token");
        port.note_token_order(TokenOrder { from: operator, token: fingerprint });
        for _ in 0..ROUNDS {
            march.all(&members, &Step::Keep(token.clone())).await?;
            march.all(&members, &Step::Show(fingerprint)).await?;
            let now = march.members(registry);
            if now == members {
                march.others(&members, &Step::Forget(fingerprint)).await?;
                return Ok(token);
            }
            members = now;
        }
        Err("nodes keep joining or leaving: retry when that is over".into())
    }

    /// The token to change to: one that an interrupted change has left, or a new one.
    async fn choose(&self, held: &BTreeMap<NodeId, Held>) -> Result<Token, String> {
        let shown: BTreeSet<Fingerprint> = held.values().map(|held| held.current).collect();
        let coming: BTreeMap<Fingerprint, &Token> =
            held.values().filter_map(|held| held.next.as_ref()).map(|next| (next.fingerprint(), next)).collect();
        if shown.len() == 1 {
            // No member shows a new token yet, so all accept the present one, whichever is chosen.
            return Ok(coming.into_values().next().cloned().unwrap_or_else(|| Token::generate(&self.rng)));
        }
        // Members that show the new token already have dropped the old one.
        if let Some((_, token)) = coming.into_iter().find(|(fingerprint, _)| shown.contains(fingerprint)) {
            return Ok(token.clone());
        }
        Err("its nodes show different tokens: stop all of them, give all the same one, and start them again".into())
    }
}

/// One change, as its leader sees it.
struct RotationRun<'a> {
    rotation: &'a Rotation,
    port: &'a Port,
    me: NodeId,
}

impl RotationRun<'_> {
    fn members(&self, registry: &dyn MemberRegistry) -> BTreeSet<NodeId> {
        registry.addresses().into_iter().map(|(node, _)| node).collect()
    }

    /// All others at once, then this node: it takes no step before all others have.
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
        Ok(_) => "it answers with something else".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!(
        "node {node} does not take part: {why}; all nodes must run, and all run this version. Until the change is over the old token is accepted too: start that node or remove it (`troupe node remove {node}`), then give this order again"
    ))
}

/// Asks the node at an address to change the token, as an operator that holds the present one.
pub async fn ask_to_rotate(port: &Port, address: &str, within: Duration) -> Result<Result<Token, String>, DialError> {
    Ok(match super::ask::ask(port, address, &Question::Rotate, within).await? {
        Answer::Rotated(token) => Ok(token),
        Answer::Refused(why) | Answer::Unavailable(why) => Err(format!("{address}: {why}")),
        _ => Err(format!("{address} answers with something other than a token")),
    })
}

/// The answer of a node without TLS.
pub fn without_tls() -> (Answer, After) {
    (Answer::Refused("this cluster runs with --insecure, where tokens protect nothing".into()), After::Nothing)
}

impl Rotation {
    /// Answers an operator, which holds the token.
    pub async fn answer(&self, port: &Port, operator: SocketAddr) -> (Answer, After) {
        let Some(registry) = port.member_registry() else {
            let why = "it is not a member of a cluster yet, or starts or stops";
            return (Answer::Unavailable(why.into()), After::Nothing);
        };
        match self.lead(port, registry.as_ref(), operator).await {
            Ok(token) => {
                let after = After::Forget(token.fingerprint());
                (Answer::Rotated(token), after)
            }
            Err(why) => (Answer::Unavailable(why), After::Nothing),
        }
    }

    /// The port accepts the tokens of this node.
    pub async fn open(&self, port: &Port) -> Result<(), StartError> {
        self.token_store.open(port).await
    }
}
