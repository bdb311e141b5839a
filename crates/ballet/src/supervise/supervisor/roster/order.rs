//! Who is started after whom, and who is stopped after whom.
//!
//! The *line* starts children in their order, each when the one before is ready. The *sweep* stops them in the
//! reverse order, each when the one after has ended, or has been named because it did not. A group that is restarted
//! goes through the sweep into the line.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{Action, ChildError, Id, Phase, Roster, State, Then, Verdict};
use crate::job::{Fault, Reason};

/// Those who are to be started one after the other.
#[derive(Default)]
pub(super) struct Line {
    waiting: BTreeSet<Id>,
    /// Begun and not ready yet.
    current: Option<Id>,
    /// The backoff of a group.
    not_before: Option<Instant>,
}

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.current.is_none()
    }

    pub(super) fn is_starting(&self, id: Id) -> bool {
        self.current == Some(id)
    }

    /// Whoever it was, the next need not wait for it.
    pub(super) fn left(&mut self, id: Id) {
        self.waiting.remove(&id);
        if self.current == Some(id) {
            self.current = None;
        }
    }

    /// When time alone moves it.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        let is_next = self.current.is_none() && !self.waiting.is_empty();
        self.not_before.filter(|_| is_next)
    }

    /// Until when nobody in it is started, whatever else happens.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.not_before
    }

    /// Of several backoffs the longest counts.
    pub(super) fn hold_until(&mut self, at: Instant) {
        self.not_before = self.not_before.max(Some(at));
    }

    pub(super) fn hurry(&mut self) {
        self.not_before = None;
    }
}

/// Those who are to be stopped one after the other.
#[derive(Default)]
pub(super) struct Sweep {
    waiting: BTreeSet<Id>,
    /// Asked, and waited for before the next is asked.
    current: Option<Id>,
    /// All who were asked and have not ended.
    leaving: BTreeSet<Id>,
    /// Why they are stopped.
    reason: Option<Reason>,
}

impl Sweep {
    /// Whether all have ended.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.leaving.is_empty()
    }

    pub(super) fn left(&mut self, id: Id) {
        self.waiting.remove(&id);
        self.leaving.remove(&id);
        self.gave_up(id);
    }

    /// The next is asked, though this one has not ended.
    pub(super) fn gave_up(&mut self, id: Id) {
        if self.current == Some(id) {
            self.current = None;
        }
    }

    pub(super) fn because(&mut self, reason: Reason) {
        self.reason = Some(reason);
    }

    /// Waits for one who was asked by somebody else.
    pub(super) fn await_too(&mut self, id: Id) {
        self.leaving.insert(id);
    }
}

impl<E: Fault> Roster<E> {
    /// Puts a child without a life in line.
    pub(super) fn queue(&mut self, id: Id) {
        self.set(id, State::InLine);
        self.line.waiting.insert(id);
    }

    /// Has a life stopped in its turn.
    pub(super) fn sweep_up(&mut self, id: Id, then: Then) {
        self.line.left(id);
        self.set(id, State::InSweep(then));
        self.sweep.waiting.insert(id);
    }

    pub(super) fn is_in_order(&self) -> bool {
        self.line.is_empty() && self.sweep.is_over()
    }

    /// Starts the next in line, if it may begin.
    pub(super) fn advance_line(&mut self, now: Instant) {
        if !self.sweep.is_over() || self.line.current.is_some() {
            return;
        }
        if self.line.waiting.is_empty() {
            self.line.not_before = None;
            if let Phase::Opening { is_cut_short } = self.phase {
                self.phase = Phase::Open;
                self.actions.extend((!is_cut_short).then_some(Action::Opened { in_full: true }));
            }
        } else if self.line.not_before.is_none_or(|at| at <= now)
            && let Some(id) = self.line.waiting.pop_first()
        {
            self.line.not_before = None;
            self.line.current = Some(id);
            self.start(id, now);
        }
    }

    /// Asks the next in the sweep, if the one before has gone.
    pub(super) fn advance_sweep(&mut self, now: Instant) {
        if self.sweep.current.is_some() {
            return;
        }
        let Some(id) = self.sweep.waiting.pop_last() else { return };
        let State::InSweep(then) = self.child(id).state else { unreachable!("it waits in the sweep") };
        let reason = self.sweep.reason.clone().unwrap_or_else(|| unreachable!("a sweep has a reason"));
        self.sweep.leaving.insert(id);
        self.sweep.current = Some(id);
        self.stop(id, then, reason, now);
    }

    /// Starts nobody any more; those who live go on until they end by themselves.
    pub(in super::super) fn retire(&mut self, now: Instant) {
        self.is_retired = true;
        let was_planned = self.start_nobody();
        if was_planned && matches!(self.phase, Phase::Opening { .. }) {
            self.phase = Phase::Opening { is_cut_short: true };
            self.actions.push_back(Action::Opened { in_full: false });
        }
        self.settle(now);
    }

    /// Stops all, last first. The first verdict counts.
    pub(in super::super) fn close(&mut self, verdict: Verdict<E>, reason: &Reason, now: Instant) {
        if self.is_closing() {
            return;
        }
        self.phase = Phase::Closing(verdict);
        self.sweep.because(reason.clone());
        self.start_nobody();
        let ids: Vec<_> = self.children.keys().copied().collect();
        for id in ids {
            if !matches!(self.child(id).state, State::Starting(_) | State::Up) {
                continue;
            }
            if self.rules.stop_together {
                self.stop(id, Then::Stopped, reason.clone(), now);
            } else {
                self.sweep_up(id, Then::Stopped);
            }
        }
        self.settle(now);
    }

    /// Takes back every start that was planned, and says whether any was.
    fn start_nobody(&mut self) -> bool {
        let states = self.children.iter().map(|(id, child)| (*id, child.state, child.state.without_start()));
        let planned: Vec<_> = states.filter(|(_, before, after)| before != after).collect();
        for (id, _, state) in &planned {
            self.set(*id, *state);
            if *state == State::Stopped {
                self.line.left(*id);
                self.refuse(*id, &|_| ChildError::ended());
            }
        }
        !planned.is_empty()
    }
}
