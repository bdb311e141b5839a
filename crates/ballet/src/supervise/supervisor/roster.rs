//! The books of a supervisor: which child is where in its life, and what is to be done next. Plain sequential code
//! without a runtime; its caller, the director, holds the lock and the clock.
//!
//! ```text
//!              start               ready
//!   InLine ───────────▶ Starting ─────────▶ Up
//!     ▲  Due ──────────────▲   │             │
//!     │   ▲                │   └── ends ─────┤
//!     │   └── one_for_one ─┼─────────────────┤ by itself: `rules` decides
//!     └── the group ───────┼─────────────────┤
//!                          │                 ▼ a sibling failed, or all close
//!   Down ◀── ends ── Stopping ◀── ask ── InSweep
//! ```
//!
//! Every public method is one event. It changes the books and notes in `actions` what the director has to do, in order.
//! What an end means is decided in `rules`, who is started and stopped after whom in `order`, what is asked from outside
//! in `commands`.
//!
//! Invariants, which hold after every event:
//!
//! 1. A child has at most one life: it is started only from a state without one.
//! 2. While the sweep is not over, nobody in the line is started; so a group is down before it is started again.
//! 3. Of those in the sweep at most one is asked and waited for; of those in the line at most one is `Starting`.
//! 4. Once it is closing, nobody is in line, due or started.

mod commands;
mod order;
mod rules;
mod state;

use std::any::Any;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Rules;
use super::incident::{Cause, Consequence, History, Incident};
use super::refusal::ChildError;
use super::spec::Terms;
use super::status::{Census, ChildStatus};
use super::verdict::{Closing, Why};
use super::window::Window;
use crate::job::{Failure, Fault, Job, Reason};
use crate::supervise::backoff::after;
use order::{Line, Sweep};
use state::{Child, State, Then, ToBe, Wish};

/// Names a child for as long as the supervisor knows it. Ids grow, so their order is the order of the start.
pub(super) type Id = u64;

/// Where a wish's answer goes.
pub(super) type Answer<E> = oneshot::Sender<Result<(), ChildError<E>>>;

pub(super) struct Roster<E> {
    rules: Rules,
    children: BTreeMap<Id, Child<E>>,
    ids: HashMap<Cow<'static, str>, Id>,
    next_id: Id,
    /// When the states end by themselves that do.
    timers: BTreeSet<(Instant, Id)>,
    line: Line,
    sweep: Sweep,
    window: Option<Window>,
    phase: Phase<E>,
    /// Nobody is started any more.
    is_retired: bool,
    /// How many children have a life.
    living: usize,
    history: History<E>,
    actions: VecDeque<Action<E>>,
}

enum Phase<E> {
    /// The children that it was made with have not all been ready yet, and will not be if it is cut short.
    Opening {
        is_cut_short: bool,
    },
    Open,
    Closing(Verdict<E>),
}

/// How a supervisor ends.
pub(super) enum Verdict<E> {
    Closed(Closing),
    GaveUp(Why, Arc<Incident<E>>),
}

/// What the director has to do.
pub(super) enum Action<E> {
    Start(Id),
    Ask(Id, Reason),
    Name(Id),
    Forget(Id),
    Tell(Arc<Incident<E>>),
    /// Nobody needs it any more. Its destructors are code of the user's, so they do not run under the lock.
    Drop(Box<dyn Any + Send>),
    Answer(Answer<E>, Result<(), ChildError<E>>),
    /// All children that the supervisor was made with have been ready, or it is known that they will not be.
    Opened {
        in_full: bool,
    },
}

impl<E: Fault> Roster<E> {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            children: BTreeMap::new(),
            ids: HashMap::new(),
            next_id: 0,
            timers: BTreeSet::new(),
            line: Line::default(),
            sweep: Sweep::default(),
            window: rules.intensity.map(Window::new),
            phase: Phase::Opening { is_cut_short: false },
            is_retired: false,
            living: 0,
            history: History::new(),
            actions: VecDeque::new(),
        }
    }

    /// Enters a child, which has no life yet. Its name is not taken.
    pub(super) fn enter(&mut self, terms: Terms, now: Instant) -> Id {
        let id = self.next_id;
        self.next_id += 1;
        self.ids.insert(terms.name.clone(), id);
        let child = Child {
            terms,
            state: State::Stopped,
            lives: 0,
            begun: now,
            ready_at: None,
            is_late: false,
            failures: 0,
            job: None,
            last: None,
            wishes: Vec::new(),
        };
        self.children.insert(id, child);
        id
    }

    /// Puts all that have been entered in line.
    pub(super) fn line_up(&mut self) {
        let ids: Vec<_> = self.children.keys().copied().collect();
        ids.into_iter().for_each(|id| self.queue(id));
    }

    /// Begins to start those in line.
    pub(super) fn open(&mut self, now: Instant) {
        self.settle(now);
    }

    /// The life that the director was told to begin is this job. Gives the job of the life before.
    pub(super) fn begun(&mut self, id: Id, job: Job) -> Option<Job> {
        self.child(id).job.replace(job)
    }

    /// A life has said that it is ready.
    pub(super) fn became_ready(&mut self, id: Id, now: Instant) {
        if matches!(self.child(id).state, State::Starting(_)) {
            self.child(id).ready_at = Some(now);
            self.set(id, State::Up);
            self.line.left(id);
            self.grant(id, |wish| wish != ToBe::Down);
            self.settle(now);
        }
    }

    /// A life has ended, and left nothing behind.
    pub(super) fn ended(&mut self, id: Id, how: Result<(), Failure<E>>, now: Instant) {
        let state = self.child(id).state;
        self.line.left(id);
        self.sweep.left(id);
        match state {
            State::Starting(_) => self.fell(id, false, how, now),
            State::Up => self.fell(id, true, how, now),
            State::InSweep(then) | State::Stopping(_, then) | State::Named(then) => {
                self.was_stopped(id, then, how, now);
            }
            State::Done | State::Stopped | State::Due(_) | State::InLine => {
                unreachable!("a child without a life has none that could end")
            }
        }
        self.settle(now);
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) {
        while let Some((at, id)) = self.timers.first().copied()
            && at <= now
        {
            match self.child(id).state {
                State::Due(_) => self.start(id, now),
                State::Starting(_) => {
                    self.child(id).is_late = true;
                    let reason = Reason::Timeout(self.origin(id));
                    self.stop(id, Then::Failed, reason, now);
                }
                State::Stopping(_, then) => {
                    self.set(id, State::Named(then));
                    self.sweep.gave_up(id);
                    self.actions.push_back(Action::Name(id));
                }
                _ => unreachable!("only these states have a timer"),
            }
        }
        self.settle(now);
    }

    /// When time alone changes something.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        let line = if self.sweep.is_over() { self.line.next_tick() } else { None };
        self.timers.first().map(|(at, _)| *at).into_iter().chain(line).min()
    }

    pub(super) fn next_action(&mut self) -> Option<Action<E>> {
        self.actions.pop_front()
    }

    /// Whether it has closed, and every life has ended: that of one that overstayed may be an incident like any other.
    pub(super) fn is_finished(&self) -> bool {
        self.is_closing() && self.living == 0
    }

    /// The end of a run that [is finished](Self::is_finished), and what happened in it.
    pub(super) fn finish(&mut self) -> (Verdict<E>, History<E>) {
        let history = std::mem::replace(&mut self.history, History::new());
        match std::mem::replace(&mut self.phase, Phase::Open) {
            Phase::Closing(verdict) => (verdict, history),
            Phase::Opening { .. } | Phase::Open => unreachable!("it is asked for when it is closing"),
        }
    }

    /// What the director needs to begin the life that it was told to begin.
    pub(super) fn next_life(&self, id: Id) -> (&Terms, u32) {
        let child = &self.children[&id];
        (&child.terms, child.restarts())
    }

    /// The job of a child's last life.
    pub(super) fn job(&self, id: Id) -> Option<Job> {
        self.children.get(&id)?.job.clone()
    }

    /// Every child as it is now, in the order of the start.
    pub(super) fn statuses(&self) -> Vec<ChildStatus<E>> {
        self.children.values().map(|child| child.status(self.line.held_until())).collect()
    }

    /// How many children are where.
    pub(super) fn census(&self) -> Census {
        let mut census = Census::default();
        self.children.values().for_each(|child| census.count(child.public_state(None)));
        census
    }

    /// The end of every event: who is next, and whether anybody is left.
    fn settle(&mut self, now: Instant) {
        self.advance_sweep(now);
        self.advance_line(now);
        let is_idle = self.living == 0 && self.line.is_empty() && self.timers.is_empty();
        let stays = self.rules.keep_open && !self.is_retired;
        if is_idle && !stays && matches!(self.phase, Phase::Open) {
            self.phase = Phase::Closing(Verdict::Closed(Closing::Idle));
        }
    }

    fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing(_))
    }

    /// Whether nobody may be started any more.
    fn is_over(&self) -> bool {
        self.is_retired || self.is_closing()
    }

    fn child(&mut self, id: Id) -> &mut Child<E> {
        self.children.get_mut(&id).unwrap_or_else(|| unreachable!("a child is known while it has an id"))
    }

    /// Changes the state of a child, and what is counted of it.
    fn set(&mut self, id: Id, state: State) {
        let before = std::mem::replace(&mut self.child(id).state, state);
        if let Some(at) = before.timer() {
            self.timers.remove(&(at, id));
        }
        if let Some(at) = state.timer() {
            self.timers.insert((at, id));
        }
        self.living = self.living + usize::from(state.is_alive()) - usize::from(before.is_alive());
    }

    /// Begins a life.
    fn start(&mut self, id: Id, now: Instant) {
        let child = self.child(id);
        child.lives = child.lives.saturating_add(1);
        (child.begun, child.ready_at, child.is_late) = (now, None, false);
        let until = after(now, child.terms.ready_within);
        self.set(id, State::Starting(until));
        self.actions.push_back(Action::Start(id));
    }

    /// Asks a life to end, out of turn or in it.
    fn stop(&mut self, id: Id, then: Then, reason: Reason, now: Instant) {
        let terms = &self.child(id).terms;
        let grace = terms.grace.unwrap_or_default();
        let named_at = terms.patience.map(|patience| after(now, grace.saturating_add(patience)));
        self.set(id, State::Stopping(named_at, then));
        self.actions.push_back(Action::Ask(id, reason));
    }

    /// Gives up a child without a life.
    fn forget(&mut self, id: Id) {
        self.set(id, State::Stopped);
        self.line.left(id);
        self.refuse(id, &ChildError::stopped);
        if let Some(child) = self.children.remove(&id) {
            self.ids.remove(&child.terms.name);
            self.actions.push_back(Action::Drop(Box::new(child)));
        }
        self.actions.push_back(Action::Forget(id));
    }

    /// Fulfils the wishes of these kinds.
    fn grant(&mut self, id: Id, is_granted: impl Fn(ToBe) -> bool) {
        let granted: Vec<_> = self.child(id).wishes.extract_if(.., |wish| is_granted(wish.to_be)).collect();
        self.actions.extend(granted.into_iter().map(|wish| Action::Answer(wish.answer, Ok(()))));
    }

    /// Grants the wishes that it be down, and denies all others.
    fn refuse(&mut self, id: Id, why: &dyn Fn(&str) -> ChildError<E>) {
        self.grant(id, |wish| wish == ToBe::Down);
        let child = self.child(id);
        let error = why(&child.terms.name);
        let denied: Vec<_> = child.wishes.drain(..).collect();
        self.actions.extend(denied.into_iter().map(|wish| Action::Answer(wish.answer, Err(error.clone()))));
    }

    /// Writes down what happened to the life of a child that has just ended.
    fn note(&mut self, id: Id, cause: Cause<E>, consequence: Consequence, now: Instant) -> Arc<Incident<E>> {
        let child = self.child(id);
        let incident = Arc::new(Incident {
            child: child.terms.name.to_string(),
            path: child.job.as_ref().map(|job| job.path().written()).unwrap_or_default(),
            restarts: child.restarts(),
            at: now,
            lived: now.duration_since(child.begun),
            cause,
            consequence,
        });
        let before = child.last.replace(Arc::clone(&incident));
        let mut forgotten = None;
        if consequence != Consequence::Told {
            forgotten = self.history.enter(Arc::clone(&incident));
            self.actions.push_back(Action::Tell(Arc::clone(&incident)));
        }
        self.actions.push_back(Action::Drop(Box::new((before, forgotten))));
        incident
    }
}
