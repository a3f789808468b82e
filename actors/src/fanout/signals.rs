//! Delivery of signals. Nothing makes up for a lost one.

use troupe_core::signal::device_tag;
use troupe_core::{Seq, Signal};

use super::FanoutState;
use crate::sink::{Delivery, Pushed};

impl FanoutState {
    /// To the devices of this node that it is for.
    // Invariant: private. In a group the leader and this node stand at the same event, so the
    // sender and all listeners are members at that event. Otherwise the signal is dropped.
    pub(super) fn signalled(&self, signal: Signal) {
        let Some(subscription) = self.conversations.get(&signal.conversation) else { return };
        let members_change = signal.conversation.is_group();
        if members_change && subscription.resequencer.position() != signal.at {
            return;
        }
        let since = if members_change { signal.at } else { Seq(u64::MAX) };
        let delivery = Delivery::new(Pushed::Signal(signal));
        let Pushed::Signal(signal) = delivery.pushed() else { return };
        let metrics = &self.context.platform.metrics;
        for id in subscription.listeners_since(since) {
            let Some(local) = self.connections.get(&id) else { continue };
            if signal.is_for(local.session.user, device_tag(&local.session.token)) {
                match local.sink.offer(&delivery) {
                    Ok(()) => metrics.signals.up(),
                    Err(_) => metrics.dropped_signals.up(),
                }
            }
        }
    }
}
