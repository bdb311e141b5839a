//! What an answer makes of a delivery: its next state, and when it is due again.

use jiff::Timestamp;

use super::backoff::{EMAIL, Next};
use crate::{
    provider::Answer,
    store::{Class, Settled, Settlement, Work},
};

/// Judges the answer to an attempt that ended at `now`. `resume_at` is when the provider is to be asked again where it
/// refused our configuration.
pub(super) fn verdict(
    work: &Work,
    started_at: Timestamp,
    answer: Answer,
    now: Timestamp,
    resume_at: Timestamp,
) -> Settlement {
    let next = EMAIL.next(work.attempt, now, work.expires_at);
    let settle = |outcome, class, answer| Settlement { started_at, outcome, answer, class, viewer: None };
    match answer {
        Answer::Accepted { reply, viewer } => Settlement { viewer, ..settle(Settled::Accepted, None, reply) },
        Answer::Permanent { reply } => settle(Settled::Dead, Some(Class::Permanent), reply),
        Answer::Gone { reply } => settle(Settled::Dead, Some(Class::Gone), reply),
        Answer::Configuration { reply } => {
            settle(Settled::Deferred { due_at: resume_at }, Some(Class::Configuration), reply)
        }
        Answer::Transient { reply } | Answer::Unreachable { reply } => {
            let outcome = match next {
                Next::At(due_at) => Settled::Retry { due_at },
                Next::TooLate => Settled::Expired,
                Next::TriedEnough => Settled::Dead,
            };
            settle(outcome, Some(Class::Transient), reply)
        }
        Answer::Ambiguous { detail } => {
            let outcome = match next {
                Next::At(due_at) => Settled::Unknown { due_at },
                // The store leaves an unknown delivery in peace when its deadline comes.
                Next::TooLate => Settled::Unknown { due_at: work.expires_at.unwrap_or(now) },
                Next::TriedEnough => Settled::Dead,
            };
            settle(outcome, Some(Class::Ambiguous), detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::provider::testing::work;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("a time in this century")
    }

    fn outcome(work: &Work, answer: Answer) -> Settled {
        let resume_at = now() + Duration::from_secs(30);
        verdict(work, now(), answer, now(), resume_at).outcome
    }

    fn transient() -> Answer {
        Answer::Transient { reply: "450 later".into() }
    }

    fn ambiguous() -> Answer {
        Answer::Ambiguous { detail: "lost".into() }
    }

    #[test]
    fn an_answer_decides_the_state() {
        let work = work();
        let reply = String::new;
        assert_eq!(outcome(&work, Answer::Accepted { reply: reply(), viewer: None }), Settled::Accepted);
        assert_eq!(outcome(&work, Answer::Permanent { reply: reply() }), Settled::Dead);
        assert_eq!(outcome(&work, Answer::Gone { reply: reply() }), Settled::Dead);
        assert!(matches!(outcome(&work, transient()), Settled::Retry { .. }));
        assert!(matches!(outcome(&work, ambiguous()), Settled::Unknown { .. }));
    }

    #[test]
    fn a_refused_configuration_costs_nothing_but_time() {
        let due_at = now() + Duration::from_secs(30);
        let answer = Answer::Configuration { reply: "535 no".into() };
        assert_eq!(outcome(&work(), answer), Settled::Deferred { due_at });
    }

    #[test]
    fn the_last_attempt_is_not_repeated() {
        let work = Work { attempt: EMAIL.attempts_max, ..work() };
        assert_eq!(outcome(&work, transient()), Settled::Dead);
        assert_eq!(outcome(&work, ambiguous()), Settled::Dead);
    }

    #[test]
    fn without_time_for_another_attempt_a_failure_is_final_and_an_unknown_stays_unknown() {
        let expires_at = now() + Duration::from_secs(1);
        let work = Work { expires_at: Some(expires_at), ..work() };
        assert_eq!(outcome(&work, transient()), Settled::Expired);
        assert_eq!(outcome(&work, ambiguous()), Settled::Unknown { due_at: expires_at });
    }
}
