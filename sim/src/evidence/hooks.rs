//! Hooks, as their makers and their receivers saw them.

use troupe_chaos::history::Record;
use troupe_core::record::HookKey;
use troupe_core::{ConversationId, Seq};

use super::Evidence;

impl Evidence {
    /// A hook was made, and its cursor was there.
    pub fn hook_made(&self, hook: HookKey, since: Seq) {
        let name = format!("{}.{}", hook.0, hook.1);
        self.record(|at| Record::HookMade { at, hook: name, since: since.0 });
        self.seen.lock().hooks.insert(hook);
    }

    /// The receiver has the event, whether or not its answer arrives.
    pub fn hook_taken(&self, hook: HookKey, seq: Seq) {
        let name = format!("{}.{}", hook.0, hook.1);
        self.record(|at| Record::HookTaken { at, hook: name, seq: seq.0 });
    }

    /// The group has a hook that is asked before each message.
    pub fn guarded(&self, conversation: ConversationId) {
        let conversation = conversation.to_string();
        self.record(|at| Record::HookGuards { at, conversation });
    }

    /// The receiver has judged a message, whether or not its answer arrives.
    pub fn hook_asked(&self, conversation: ConversationId, id: &str, allowed: bool) {
        let (conversation, id) = (conversation.to_string(), id.to_owned());
        self.record(|at| Record::HookAsked { at, conversation, id, allowed });
    }
}
