//! A device that searches for the words of messages: each has its id in its text. Some of them it
//! may not see, some are edited or recalled, and many are in the index of a node.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use troupe_chaos::history::MessageId;
use troupe_client::{Client, Error, Search};
use troupe_core::{ConversationId, UserId};
use troupe_runtime::Rng;

use super::account::Account;
use super::{Phase, WorkloadContext};

const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum pause between two searches.
const PAUSE_MS: u64 = 60;
/// Messages from which one is chosen.
const TARGETS: usize = 600;
/// Pages of one search.
const PAGES: usize = 20;
/// One search in this many is in all conversations of the user.
const EVERYWHERE: u64 = 4;

pub async fn live(workload: Arc<WorkloadContext>, number: u32, user: usize) {
    let users = workload.everybody().await;
    let account = Account::new(workload.clone(), number, user, "searcher");
    let (client, rng) = (account.start(), account.platform.rng.clone());
    let searcher = Searcher { workload: workload.clone(), number, me: users[&user], client, rng };
    let phase = workload.phase.subscribe();
    while *phase.borrow() == Phase::Talking {
        sleep(Duration::from_millis(searcher.rng.range(0, PAUSE_MS))).await;
        searcher.search().await;
    }
    // The device stays connected and receives events.
    std::future::pending().await
}

struct Searcher {
    workload: Arc<WorkloadContext>,
    number: u32,
    me: UserId,
    client: Client,
    rng: Arc<Rng>,
}

impl Searcher {
    /// A direct conversation of others is no conversation of this user, whatever its state.
    fn may_name(&self, conversation: ConversationId) -> bool {
        !matches!(conversation, ConversationId::Direct { .. }) || conversation.peer_of(self.me).is_some()
    }

    async fn search(&self) {
        let evidence = &self.workload.evidence;
        let targets: Vec<(ConversationId, MessageId)> =
            evidence.targets(TARGETS).into_iter().filter(|(place, _)| self.may_name(*place)).collect();
        if targets.is_empty() {
            return;
        }
        let (conversation, id) = &targets[self.rng.range(0, targets.len() as u64) as usize];
        let (conversation, Some((_, word))) = (*conversation, id.split_once('/')) else { return };
        let is_named = self.rng.range(0, EVERYWHERE) > 0;
        let conversations = if is_named { vec![conversation] } else { Vec::new() };
        let search = Search { conversations, ..Search::words(word) };
        let asked = evidence.now();
        let (mut seqs, mut page, mut whole) = (Vec::new(), None, is_named);
        for number in 1..=PAGES {
            match timeout(PATIENCE, self.client.find_messages(&search, page.as_deref())).await {
                Ok(Ok(found)) => {
                    for message in found.messages {
                        if !message.snippet.contains(word) {
                            let found = format!("seq {} of {}", message.seq, message.conversation);
                            evidence.wrong(format!("a search for {word} found {found}: {}", message.snippet));
                        }
                        if message.conversation == conversation {
                            seqs.push(message.seq.0);
                        }
                    }
                    whole &= !found.incomplete.contains(&conversation);
                    page = found.page;
                }
                Ok(Err(Error::Rejected { code, .. })) if code == "not_member" && is_named => return,
                Ok(Err(Error::Rejected { text, .. })) => {
                    return evidence.wrong(format!("a search for {word} was refused: {text}"));
                }
                Ok(Err(_)) | Err(_) => return,
            }
            if page.is_none() {
                break;
            }
            whole &= number < PAGES;
        }
        evidence.searched((self.number, self.me), asked, conversation, id, seqs, whole);
    }
}
