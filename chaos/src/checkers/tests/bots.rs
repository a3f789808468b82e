//! Acts that a token is for pass until its end, and each other one is reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{BotAct, BotAnswer, BotStep, History, Record};

const GIVEN: BotStep = BotStep::Given { read: true, send: false, manage: false };

fn step(at: u64, step: BotStep) -> Record {
    Record::Bot { at, bot: 9, token: 1, step }
}

fn answered(asked: u64, act: BotAct, answer: BotAnswer) -> Record {
    step(asked + 1, BotStep::Answered { asked, act, answer })
}

fn history(records: Vec<Record>) -> History {
    History { records, ..History::default() }
}

#[test]
fn a_token_does_what_it_is_for_until_its_end() {
    let records = vec![
        step(1, GIVEN),
        answered(2, BotAct::Enter, BotAnswer::Passed),
        answered(2, BotAct::Read, BotAnswer::Passed),
        answered(3, BotAct::Send, BotAnswer::NotForBots),
        answered(3, BotAct::OfUsers, BotAnswer::NotForBots),
        answered(4, BotAct::Enter, BotAnswer::Passed),
        step(5, BotStep::Ended),
        answered(4, BotAct::Enter, BotAnswer::Passed),
        answered(6, BotAct::Enter, BotAnswer::Ended),
    ];
    assert_eq!(check(&history(records)), []);
}

#[test]
fn each_act_against_its_token_is_reported() {
    let spoilers = [
        (Kind::Phantom, answered(2, BotAct::Send, BotAnswer::Passed)),
        (Kind::Phantom, answered(2, BotAct::Manage, BotAnswer::Passed)),
        (Kind::Phantom, answered(2, BotAct::OfUsers, BotAnswer::Passed)),
        (Kind::Lost, answered(2, BotAct::Read, BotAnswer::NotForBots)),
        (Kind::Phantom, answered(6, BotAct::Enter, BotAnswer::Passed)),
        (Kind::Phantom, answered(6, BotAct::Read, BotAnswer::Passed)),
    ];
    for (kind, spoiler) in spoilers {
        let found = check(&history(vec![step(1, GIVEN), step(5, BotStep::Ended), spoiler.clone()]));
        let is_it = found.iter().any(|found| (found.promise, found.kind) == (Promise::Bots, kind));
        assert!(is_it, "{spoiler:?}: {found:?}");
    }
}
