//! What is asked of a supervisor from outside, one child at a time.

use tokio::time::Instant;

use super::{Answer, ChildError, Id, Roster, State, Terms, Then, ToBe, Wish};
use crate::job::{Fault, Reason};
use crate::supervise::supervisor::spec::Restart;

impl<E: Fault> Roster<E> {
    /// Takes a child in and starts it, or refuses it. The answer comes when it is ready.
    pub(in super::super) fn add(&mut self, terms: Terms, answer: Answer<E>, now: Instant) -> Option<Id> {
        if self.is_over() {
            self.deny(answer, ChildError::ended());
            return None;
        }
        if self.ids.contains_key(&terms.name) {
            self.deny(answer, ChildError::taken(&terms.name));
            return None;
        }
        let id = self.enter(terms, now);
        self.wish(id, ToBe::New, answer);
        if self.is_in_order() {
            self.start(id, now);
        } else {
            self.queue(id);
        }
        self.settle(now);
        Some(id)
    }

    /// Stops a child. A temporary one is forgotten then.
    pub(in super::super) fn terminate(
        &mut self,
        name: &str,
        answer: Answer<E>,
        reason: Reason,
        now: Instant,
    ) {
        let Some((id, answer)) = self.find(name, answer) else { return };
        let is_temporary = self.child(id).terms.restart == Restart::Temporary;
        let then = if is_temporary { Then::Forgotten } else { Then::Stopped };
        self.take_down(id, then, answer, reason, now);
    }

    /// Stops a child and forgets it.
    pub(in super::super) fn remove(&mut self, name: &str, answer: Answer<E>, reason: Reason, now: Instant) {
        let Some((id, answer)) = self.find(name, answer) else { return };
        self.take_down(id, Then::Forgotten, answer, reason, now);
    }

    /// Gives a child a new life now, whatever became of the one before.
    pub(in super::super) fn restart(&mut self, name: &str, answer: Answer<E>, reason: Reason, now: Instant) {
        if self.is_over() {
            return self.deny(answer, ChildError::ended());
        }
        let Some((id, answer)) = self.find(name, answer) else { return };
        let state = self.child(id).state;
        if let State::InSweep(Then::Forgotten)
        | State::Stopping(_, Then::Forgotten)
        | State::Named(Then::Forgotten) = state
        {
            return self.deny(answer, ChildError::stopped(name));
        }
        self.wish(id, ToBe::Ready, answer);
        self.child(id).failures = 0;
        match state {
            State::Done | State::Stopped | State::Due(_) => self.start(id, now),
            State::InLine => self.line.hurry(),
            State::Starting(_) | State::Up => {
                let then = if self.line.is_starting(id) { Then::InLine } else { Then::Started };
                self.stop(id, then, reason, now);
            }
            State::InSweep(_) => self.set(id, State::InSweep(Then::InLine)),
            State::Stopping(at, then) => self.set(id, State::Stopping(at, then.with_start())),
            State::Named(then) => self.set(id, State::Named(then.with_start())),
        }
        self.settle(now);
    }

    fn take_down(&mut self, id: Id, then: Then, answer: Answer<E>, reason: Reason, now: Instant) {
        self.wish(id, ToBe::Down, answer);
        match self.child(id).state {
            State::Done | State::Stopped | State::Due(_) | State::InLine => {
                self.line.left(id);
                self.set(id, State::Stopped);
                self.refuse(id, &ChildError::stopped);
                if then == Then::Forgotten {
                    self.forget(id);
                }
            }
            State::Starting(_) | State::Up => {
                self.line.left(id);
                self.stop(id, then, reason, now);
            }
            State::InSweep(before) => self.set(id, State::InSweep(before.or_further(then))),
            State::Stopping(at, before) => self.set(id, State::Stopping(at, before.or_further(then))),
            State::Named(before) => self.set(id, State::Named(before.or_further(then))),
        }
        self.settle(now);
    }

    fn find(&mut self, name: &str, answer: Answer<E>) -> Option<(Id, Answer<E>)> {
        match self.ids.get(name) {
            Some(id) => Some((*id, answer)),
            None => {
                self.deny(answer, ChildError::unknown(name));
                None
            }
        }
    }

    fn wish(&mut self, id: Id, to_be: ToBe, answer: Answer<E>) {
        self.child(id).wishes.push(Wish { to_be, answer });
    }

    fn deny(&mut self, answer: Answer<E>, error: ChildError<E>) {
        self.actions.push_back(super::Action::Answer(answer, Err(error)));
    }
}
