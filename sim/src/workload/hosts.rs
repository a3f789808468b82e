//! The participants of one client host, each with a device number that no other one has.
//!
//! A participant of a later kind has a number behind all earlier ones, so that the randomness of
//! these stays as it was.

use std::sync::Arc;

use super::device::{Device, DeviceProfile};
use super::{
    WorkloadContext, acquaintance, administrator, adversarial_client, apart, applicant, burner, calls, forwarder,
    group_owner, guarded, guest, hook_maker, keeper, key_repeater, overseer, planner, polls, robot, searcher, sharer,
    stranger, streamer, subscriber,
};

/// Runs all users of one client host.
pub async fn live(workload: Arc<WorkloadContext>, client_host: usize, client_hosts: usize) -> turmoil::Result {
    let people = &workload.plan.people;
    let mut number = 0;
    let mut next = || {
        number += 1;
        number - 1
    };
    let here = |number: u32| number as usize % client_hosts == client_host;
    for user in 0..people.busy + people.quiet {
        let is_busy = user < people.busy;
        // The first user has two devices.
        for second in [false, true].into_iter().take(1 + usize::from(user == 0)) {
            let number = next();
            let flaps = people.flapping > 0 && (u64::from(number) + workload.plan.seed).is_multiple_of(people.flapping);
            let pause_ms = if is_busy { people.pause_ms } else { people.quiet_pause_ms };
            let profile = DeviceProfile { is_busy, flaps, pause_ms: pause_ms.max(1), registers: !second };
            if here(number) {
                tokio::spawn(Device::new(workload.clone(), number, user, profile).live());
            }
        }
    }
    for user in people.busy + people.quiet..people.busy + people.quiet + people.adversarial {
        let (receiver, sender) = (next(), next());
        workload.owners.lock().extend([(receiver, user), (sender, user)]);
        workload.send_only.lock().insert(sender);
        if here(receiver) {
            tokio::spawn(adversarial_client::live(workload.clone(), receiver, sender, user));
        }
    }
    if people.churn > 0 {
        let number = next();
        if here(number) {
            tokio::spawn(group_owner::live(workload.clone(), number, workload.population() - 1));
        }
    }
    for stranger in 0..workload.plan.society.strangers {
        let number = next();
        if here(number) {
            tokio::spawn(stranger::live(workload.clone(), number, workload.population() + stranger));
        }
    }
    for guest in 0..workload.plan.society.guests {
        let number = next();
        let user = workload.population() + workload.plan.society.strangers + guest;
        if here(number) {
            tokio::spawn(guest::live(workload.clone(), number, user));
        }
    }
    for acquaintance in 0..workload.plan.society.acquaintances {
        let number = next();
        let society = &workload.plan.society;
        let user = workload.population() + society.strangers + society.guests + acquaintance;
        if here(number) {
            tokio::spawn(acquaintance::live(workload.clone(), number, user));
        }
    }
    let number = next();
    if workload.plan.society.administered && here(number) {
        tokio::spawn(administrator::live(workload.clone(), number));
    }
    let number = next();
    if workload.plan.society.keys {
        // The first user's.
        workload.owners.lock().insert(number, 0);
        workload.send_only.lock().insert(number);
        if here(number) {
            tokio::spawn(key_repeater::live(workload.clone(), number, 0));
        }
    }
    let number = next();
    if workload.plan.society.scheduling && here(number) {
        tokio::spawn(planner::live(workload.clone(), number, 0));
    }
    for (user, device) in [(0, "caller"), (1, "phone"), (1, "tablet")] {
        let number = next();
        if workload.plan.society.calls && here(number) {
            tokio::spawn(calls::live(workload.clone(), number, user, device));
        }
    }
    let number = next();
    if workload.plan.society.files && here(number) {
        tokio::spawn(sharer::live(workload.clone(), number, 1));
    }
    for device in 0..workload.plan.society.keepers * keeper::DEVICES {
        let number = next();
        let society = &workload.plan.society;
        let before = workload.population() + society.strangers + society.guests + society.acquaintances;
        let user = before + device / keeper::DEVICES;
        if here(number) {
            tokio::spawn(keeper::live(workload.clone(), number, user, device % keeper::DEVICES == 0));
        }
    }
    let number = next();
    if workload.plan.society.searches && here(number) {
        tokio::spawn(searcher::live(workload.clone(), number, 1));
    }
    for (user, device) in [(0, applicant::Part::Host), (1, applicant::Part::Applicant)] {
        let number = next();
        if workload.plan.society.joins && here(number) {
            tokio::spawn(applicant::live(workload.clone(), number, user, device));
        }
    }
    let number = next();
    if workload.plan.society.vanishing && here(number) {
        tokio::spawn(burner::live(workload.clone(), number, 0));
    }
    for user in [0, 1] {
        let number = next();
        if workload.plan.society.polls && here(number) {
            tokio::spawn(polls::live(workload.clone(), number, user));
        }
    }
    let number = next();
    if workload.plan.society.hooks && here(number) {
        tokio::spawn(hook_maker::live(workload.clone(), number, 0));
    }
    let number = next();
    if workload.plan.society.hooks && here(number) {
        tokio::spawn(robot::live(workload.clone(), number, 0));
    }
    let number = next();
    if workload.plan.society.forwards && here(number) {
        tokio::spawn(forwarder::live(workload.clone(), number, 0));
    }
    let number = next();
    if workload.plan.society.streams && here(number) {
        tokio::spawn(streamer::live(workload.clone(), number, 0));
    }
    let number = next();
    if workload.plan.society.hooks && here(number) {
        tokio::spawn(guarded::live(workload.clone(), number, 1));
    }
    for apart in 0..workload.plan.society.apart {
        let number = next();
        let society = &workload.plan.society;
        let before = society.strangers + society.guests + society.acquaintances + society.keepers;
        if here(number) {
            tokio::spawn(apart::live(workload.clone(), number, workload.population() + before + apart, apart == 0));
        }
    }
    let number = next();
    if workload.plan.society.overseers && here(number) {
        let society = &workload.plan.society;
        let before = society.strangers + society.guests + society.acquaintances + society.keepers + society.apart;
        let user = workload.population() + before;
        tokio::spawn(overseer::live(workload.clone(), number, user, client_host));
    }
    for subscriber in 0..workload.plan.society.subscribers {
        let number = next();
        let society = &workload.plan.society;
        let before = society.strangers + society.guests + society.acquaintances + society.keepers + society.apart;
        let user = workload.population() + before + usize::from(society.overseers) + subscriber;
        if here(number) {
            tokio::spawn(subscriber::live(workload.clone(), number, user));
        }
    }
    let number = next();
    if workload.plan.society.subscribers > 0 && here(number) {
        tokio::spawn(subscriber::write(workload.clone(), number, 0));
    }
    std::future::pending::<()>().await;
    Ok(())
}
