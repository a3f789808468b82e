use std::sync::Arc;

use super::*;
use crate::ops::cost::Cost;

fn payer(budgets: &Arc<Budgets>, address: &str, user: u64) -> Payer {
    let payer = Payer::new(budgets.clone(), Address::of(address.parse().expect("an address")));
    if user > 0 {
        payer.logged_in(UserId(user));
    }
    payer
}

/// How many of `many` pass at once.
fn passes(payer: &Payer, cost: Cost, many: usize) -> usize {
    (0..many).filter(|_| payer.pay(cost) == Verdict::Pass).count()
}

fn limits() -> Limits {
    Limits { user_rate: 10, user_burst: 20, address_rate: 100, address_burst: 50, ..Limits::default() }
}

#[tokio::test(start_paused = true)]
async fn a_user_pays_over_all_connections_and_others_of_the_address_do_not() {
    let budgets = Arc::new(Budgets::new(limits()));
    let (one, two) = (payer(&budgets, "192.0.2.1:1", 1), payer(&budgets, "192.0.2.2:1", 1));
    assert_eq!(passes(&one, Cost::Units(1), 15) + passes(&two, Cost::Units(1), 15), 20);
    assert_eq!(passes(&payer(&budgets, "192.0.2.1:2", 2), Cost::Units(1), 30), 20);
    // All users of the address together: 45 of its 50 are used, with those that were paced.
    let many: usize = (3..9).map(|user| passes(&payer(&budgets, "192.0.2.1:3", user), Cost::Units(1), 20)).sum();
    assert_eq!(many, 5);
}

#[tokio::test(start_paused = true)]
async fn above_its_budget_a_connection_is_paced_then_refused_and_comes_back() {
    let budgets = Arc::new(Budgets::new(limits()));
    let one = payer(&budgets, "192.0.2.1:1", 1);
    assert_eq!(passes(&one, Cost::Units(20), 1), 1);
    assert!((0..10).all(|_| matches!(one.pay(Cost::Units(1)), Verdict::Pace(_))));
    let Verdict::Refuse(after) = one.pay(Cost::Units(1)) else { panic!("not refused") };
    assert_eq!(after, Duration::from_millis(100));
    // Heartbeats and entries have budgets of their own.
    assert_eq!((one.pay(Cost::Heartbeat), one.pay(Cost::Entry)), (Verdict::Pass, Verdict::Pass));
    tokio::time::advance(Duration::from_secs(4)).await;
    assert_eq!(one.pay(Cost::Units(10)), Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn an_address_opens_so_many_connections_even_if_it_keeps_none() {
    let budgets = Budgets::new(limits());
    let address = |text: &str| Address::of(text.parse().expect("an address"));
    let opened = |text| (0..5_000).filter(|_| budgets.opens(address(text))).count() as u64;
    let (rate, burst) = limits::CONNECTIONS_OPENED;
    assert_eq!(opened("192.0.2.1:1"), burst);
    assert_eq!(opened("192.0.2.2:1"), burst);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(opened("192.0.2.1:2"), rate);
}

#[tokio::test(start_paused = true)]
async fn limits_change_while_connections_last() {
    let budgets = Arc::new(Budgets::new(limits()));
    let one = payer(&budgets, "192.0.2.1:1", 1);
    assert!(passes(&one, Cost::Units(1), 10_000) < 10_000);
    budgets.set_limits(Limits { user_rate: 0, address_rate: 0, ..limits() });
    assert_eq!(passes(&one, Cost::Units(1), 10_000), 10_000);
}

#[tokio::test(start_paused = true)]
async fn loopback_has_more_and_a_v6_host_one_budget() {
    let budgets = Arc::new(Budgets::new(Limits { user_rate: 0, loopback_factor: 10, ..limits() }));
    assert_eq!(passes(&payer(&budgets, "127.0.0.1:1", 1), Cost::Units(1), 1_000), 500);
    let hosts = ["[2001:db8::1]:1", "[2001:db8::2]:1"];
    assert_eq!(hosts.iter().map(|host| passes(&payer(&budgets, host, 1), Cost::Units(1), 100)).sum::<usize>(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_guesser_waits_longer_and_the_owner_elsewhere_does_not() {
    let budgets = Budgets::new(limits());
    let [guesser, owner] = ["192.0.2.9:1", "192.0.2.1:1"].map(|at| Address::of(at.parse().expect("an address")));
    for _ in 0..limits::FAILED_LOGINS.0 {
        assert_eq!(budgets.login(guesser, "7"), Ok(()));
        budgets.login_failed(guesser, "7");
    }
    let Err(Refusal::Limited { limit: Limit::Rate, after_ms }) = budgets.login(guesser, "7") else {
        panic!("guesses on")
    };
    assert_eq!(after_ms, 10_000);
    assert_eq!((budgets.login(owner, "7"), budgets.login(guesser, "8")), (Ok(()), Ok(())));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(budgets.login(guesser, "7"), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn accounts_of_an_address_and_what_a_user_writes_have_a_quota() {
    let small =
        Limits { messages_per_day: 3, bytes_per_day: 1_000, groups_per_day: 1, members_per_day: 250, ..limits() };
    let budgets = Budgets::new(small);
    let address = Address::of("192.0.2.9:1".parse().expect("an address"));
    let registered = (0..100).filter(|_| budgets.register(address).is_ok()).count();
    assert_eq!(registered as u64, Limits::default().accounts_burst);
    let quota = |outcome: Result<(), Refusal>| matches!(outcome, Err(Refusal::Limited { limit: Limit::Quota, after_ms }) if after_ms > 60_000);
    assert_eq!(budgets.message(UserId(1), 900), Ok(()));
    assert!(quota(budgets.message(UserId(1), 900)));
    assert_eq!((budgets.message(UserId(1), 10), budgets.message(UserId(1), 10)), (Ok(()), Ok(())));
    assert!(quota(budgets.message(UserId(1), 10)));
    assert_eq!(budgets.message(UserId(2), 10), Ok(()));
    assert_eq!(budgets.members(UserId(1), 200), Ok(()));
    assert!(quota(budgets.members(UserId(1), 200)));
    assert_eq!((budgets.members(UserId(1), 50), budgets.members(UserId(2), 200)), (Ok(()), Ok(())));
    assert_eq!(budgets.group(UserId(1)), Ok(()));
    assert!(quota(budgets.group(UserId(1))));
    tokio::time::advance(Duration::from_secs(86_400)).await;
    assert_eq!(budgets.message(UserId(1), 900), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_beats_too_fast_is_read_more_slowly() {
    let one = payer(&Arc::new(Budgets::new(limits())), "192.0.2.1:1", 1);
    assert_eq!(passes(&one, Cost::Heartbeat, 1_000), limits::HEARTBEATS.1 as usize);
    assert!(matches!(one.pay(Cost::Heartbeat), Verdict::Pace(_)));
}
