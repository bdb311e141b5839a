//! What the end of a life means: OTP's rules.

use std::time::Duration;

use tokio::time::Instant;

use super::{Cause, ChildError, Consequence, Id, Phase, Roster, State, Then, ToBe, Verdict};
use crate::job::{Failure, Fault, Origin, Reason};
use crate::supervise::backoff::after;
use crate::supervise::supervisor::spec::Restart;
use crate::supervise::supervisor::verdict::{Closing, Why};
use crate::supervise::supervisor::{Significance, Strategy};

impl<E: Fault> Roster<E> {
    /// A life ended by itself.
    pub(super) fn fell(&mut self, id: Id, was_ready: bool, how: Result<(), Failure<E>>, now: Instant) {
        let cause = match (self.child(id).terms.restart, how) {
            (Restart::Permanent, Ok(())) => Cause::Returned,
            (Restart::Transient | Restart::Temporary, Ok(())) => return self.is_done(id, now),
            // Whoever cancelled it wants it gone. Before it was ready it did not start.
            (Restart::Transient | Restart::Temporary, Err(failure))
                if failure.is_cancelled() && was_ready =>
            {
                return self.is_done(id, now);
            }
            (_, Err(failure)) => Cause::Failed(failure),
        };
        self.failed(id, was_ready, cause, now);
    }

    /// A life ended that was asked to.
    pub(super) fn was_stopped(&mut self, id: Id, then: Then, how: Result<(), Failure<E>>, now: Instant) {
        self.grant(id, |wish| wish == ToBe::Down);
        match (then, self.cause_while_stopped(id, how)) {
            (Then::Failed, Some(cause)) => return self.failed(id, false, cause, now),
            (_, Some(cause)) => drop(self.note(id, cause, Consequence::WasStopping, now)),
            (_, None) => {}
        }
        match then {
            Then::Stopped => {
                self.set(id, State::Stopped);
                self.refuse(id, &ChildError::stopped);
            }
            Then::Forgotten => self.forget(id),
            Then::InLine => self.queue(id),
            Then::Started => self.start(id, now),
            Then::Failed => unreachable!("what was late has a cause"),
        }
    }

    /// Why the end of a life that was asked to end is an incident all the same.
    fn cause_while_stopped(&mut self, id: Id, how: Result<(), Failure<E>>) -> Option<Cause<E>> {
        let failure = how.err().filter(|failure| !failure.is_cancelled());
        let child = self.child(id);
        if child.is_late {
            return Some(Cause::NotReady(child.terms.ready_within, failure));
        }
        failure.map(Cause::Failed)
    }

    /// A life did not end as it should have.
    fn failed(&mut self, id: Id, was_ready: bool, cause: Cause<E>, now: Instant) {
        if !was_ready && self.is_wished_for(id) {
            return self.not_started(id, cause, now);
        }
        let is_first = self.child(id).lives == 1 && !was_ready;
        if is_first && matches!(self.phase, Phase::Opening { .. }) {
            return self.give_up(id, Why::NotStarted, cause, now);
        }
        if self.is_over() || self.child(id).terms.restart == Restart::Temporary {
            self.note(id, cause, Consequence::Stays, now);
            return self.is_done(id, now);
        }
        if let Some(window) = &mut self.window
            && !window.admit(now)
        {
            let why = self.rules.intensity.map_or(Why::NotStarted, Why::TooManyRestarts);
            return self.give_up(id, why, cause, now);
        }
        let delay = self.child(id).next_delay(now);
        self.note(id, cause, Consequence::Restarts(delay), now);
        self.start_again(id, delay, now);
    }

    /// Somebody asked for this life and is told, and nobody else.
    fn not_started(&mut self, id: Id, cause: Cause<E>, now: Instant) {
        let is_new = self.child(id).wishes.iter().any(|wish| wish.to_be == ToBe::New);
        let incident = self.note(id, cause, Consequence::Told, now);
        self.set(id, State::Stopped);
        self.refuse(id, &|name| ChildError::not_ready(name, incident.clone()));
        if is_new {
            self.forget(id);
        }
    }

    fn is_wished_for(&mut self, id: Id) -> bool {
        self.child(id).wishes.iter().any(|wish| wish.to_be != ToBe::Down)
    }

    /// A child has served, and with it perhaps the supervisor.
    fn is_done(&mut self, id: Id, now: Instant) {
        self.grant(id, |_| true);
        let (origin, terms) = (self.origin(id), &self.child(id).terms);
        let (name, is_significant) = (terms.name.to_string(), terms.is_significant);
        let is_temporary = terms.restart == Restart::Temporary;
        self.set(id, State::Done);
        if is_temporary {
            self.forget(id);
        }
        if is_significant && (self.rules.significance == Significance::Any || !self.awaits_significant()) {
            let reason = Reason::Requested(origin);
            self.close(Verdict::Closed(Closing::Significant(name)), &reason, now);
        }
    }

    fn awaits_significant(&self) -> bool {
        self.children.values().any(|child| child.terms.is_significant && !child.state.is_down())
    }

    fn give_up(&mut self, id: Id, why: Why, cause: Cause<E>, now: Instant) {
        let incident = self.note(id, cause, Consequence::Escalates, now);
        let reason = Reason::SiblingFailed(self.origin(id));
        self.set(id, State::Done);
        self.close(Verdict::GaveUp(why, incident), &reason, now);
    }

    /// Plans the next life of a child, and by the strategy those of others.
    fn start_again(&mut self, id: Id, delay: Duration, now: Instant) {
        let others: Vec<Id> = match self.rules.strategy {
            Strategy::OneForOne if delay.is_zero() => return self.start(id, now),
            Strategy::OneForOne => return self.set(id, State::Due(after(now, delay))),
            Strategy::OneForAll => self.children.keys().copied().filter(|other| *other != id).collect(),
            Strategy::RestForOne => self.children.range(id + 1..).map(|(other, _)| *other).collect(),
        };
        let reason = Reason::SiblingFailed(self.origin(id));
        self.sweep.because(reason);
        others.into_iter().for_each(|other| self.follow(other));
        self.queue(id);
        self.line.hold_until(after(now, delay));
    }

    /// A member of the group goes down, to be started again with the one that failed.
    fn follow(&mut self, id: Id) {
        let child = self.child(id);
        let is_temporary = child.terms.restart == Restart::Temporary;
        let then = if is_temporary { Then::Forgotten } else { Then::InLine };
        match child.state {
            State::Starting(_) | State::Up => self.sweep_up(id, then),
            State::Stopping(at, before @ (Then::Started | Then::InLine | Then::Failed)) => {
                self.set(id, State::Stopping(at, before.with_group(then)));
                self.sweep.await_too(id);
            }
            State::Named(before @ (Then::Started | Then::InLine | Then::Failed)) => {
                self.set(id, State::Named(before.with_group(then)));
                self.sweep.await_too(id);
            }
            State::Done | State::Due(_) => self.queue(id),
            State::Stopped | State::InLine | State::InSweep(_) => {}
            State::Stopping(_, Then::Stopped | Then::Forgotten)
            | State::Named(Then::Stopped | Then::Forgotten) => {}
        }
    }

    /// Who a reason names that this child is the cause of.
    pub(super) fn origin(&mut self, id: Id) -> Origin {
        let child = self.child(id);
        match &child.job {
            Some(job) => Origin::new(job.path(), job.place()),
            None => unreachable!("a child that is the cause of something has had a life"),
        }
    }
}
