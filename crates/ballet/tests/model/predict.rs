//! The model: what a tree must do, computed without tasks, wakers or polls.
//!
//! A script is walked in time, a scope is the latest end of what it owns, and a cancellation is a time after which
//! a walk is cut. Who asks whom to end is found by repetition: a scope is walked as if nobody asked, the earliest
//! thing that asks is added to what is known, and it is walked again, until nothing new is found. All before the
//! earliest unknown ask is right already, so each finding is final. How a script is walked stands in `walk`.

use std::collections::BTreeSet;

use crate::log::{Event, Fault, How, Time, Verdict};
use crate::plan::{End, Finalizer, Nest};
use crate::walk::{Fate, Shared, Walk};

pub(crate) const NEVER: Time = Time::MAX;

/// The sorted log of a tree; `None` where two things happen at once that do not cause each other.
pub(crate) fn predict(stage: &Nest) -> Option<Vec<(Time, Event)>> {
    let mut run = run_scope(stage, Around { start: 0, dropped: NEVER, heard: NEVER });
    run.trace.log.push((run.end, run.result.returned(stage)?));
    let mut instants = BTreeSet::new();
    if !run.trace.ticks.into_iter().all(|tick| instants.insert(tick)) {
        return None;
    }
    run.trace.log.sort();
    Some(run.trace.log)
}

/// What was seen, and when a timer fired that anybody waited for.
#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) log: Vec<(Time, Event)>,
    pub(crate) ticks: Vec<Time>,
}

impl Trace {
    pub(crate) fn extend(&mut self, other: Trace) {
        self.log.extend(other.log);
        self.ticks.extend(other.ticks);
    }
}

/// When a scope begins, when it is dropped by what is around it, and when code inside can hear that it is to end.
#[derive(Clone, Copy)]
pub(crate) struct Around {
    pub(crate) start: Time,
    pub(crate) dropped: Time,
    pub(crate) heard: Time,
}

pub(crate) struct ScopeRun {
    pub(crate) end: Time,
    pub(crate) result: Ending,
    /// When code in the body, in the task of the scope itself, is shielded.
    pub(crate) shields: Vec<(Time, Time)>,
    pub(crate) trace: Trace,
}

pub(crate) enum Ending {
    Verdict(Verdict),
    Panic(Fault),
    /// Dropped half-way: nobody is there to be told.
    Unseen,
}

impl Ending {
    pub(crate) fn returned(&self, nest: &Nest) -> Option<Event> {
        match self {
            Ending::Verdict(verdict) => Some(Event::Returned(nest.id, verdict.clone())),
            Ending::Panic(_) | Ending::Unseen => None,
        }
    }
}

/// Who is asked to end when, as far as it is known.
pub(crate) struct Asks {
    /// The scope with all its children.
    pub(crate) scope: Time,
    /// The children that are there at the time.
    children: Vec<Time>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asked {
    Scope,
    Children,
}

impl Asks {
    fn is_news(&self, (at, whom): (Time, Asked)) -> bool {
        at < self.scope && !(whom == Asked::Children && self.children.contains(&at))
    }

    fn learn(&mut self, (at, whom): (Time, Asked)) {
        match whom {
            Asked::Scope => self.scope = at,
            Asked::Children => self.children.push(at),
        }
    }

    /// When a child that was born at `born` is asked.
    pub(crate) fn of_child(&self, born: Time) -> Time {
        self.children.iter().copied().filter(|&at| at > born).fold(self.scope, Time::min)
    }
}

pub(crate) fn run_scope(nest: &Nest, around: Around) -> ScopeRun {
    let mut asks = Asks { scope: around.dropped, children: Vec::new() };
    loop {
        let mut body = Walk::new(nest.domain, &asks, around.start, asks.scope);
        body.dropped = around.dropped;
        body.heard = around.heard.min(asks.scope);
        let fate = body.walk(&nest.body);
        let asked = body.shared.asked.iter().copied();
        let failed = matches!(fate, Fate::Failed(_)).then_some((body.now, Asked::Scope));
        match asked.chain(failed).filter(|&ask| asks.is_news(ask)).min() {
            Some(ask) => asks.learn(ask),
            None => return conclude(nest, around, body, fate),
        }
    }
}

/// The last children, the finalizers, the verdict.
fn conclude(nest: &Nest, around: Around, body: Walk<'_>, fate: Fate) -> ScopeRun {
    let Walk { now: left, shields, adopted, shared, .. } = body;
    let Shared { mut trace, ends, mut failures, mut finalizers, .. } = shared;
    trace.log.push((left, Event::Left(nest.body.id, fate.how())));
    if let Fate::Failed(fault) = fate {
        failures.push((left, fault));
    }
    let mut end = adopted.into_iter().chain(ends).fold(left, Time::max);
    finalizers.sort_by_key(|&(registered, _)| registered);
    for (_, finalizer) in finalizers.into_iter().rev() {
        end = run_finalizer(finalizer, end, &mut trace, &mut failures);
    }
    failures.sort();
    let first_panic = failures.iter().position(|(_, fault)| matches!(fault, Fault::Panic(_)));
    let panic = first_panic.map(|index| failures.remove(index).1);
    let failures: Vec<_> = failures.into_iter().map(|(_, fault)| fault).collect();
    let sink = |faults: Vec<Fault>, trace: &mut Trace| {
        trace.log.extend(faults.into_iter().map(|fault| (end, Event::Sunk(fault))));
    };
    let result = if around.dropped != NEVER {
        sink(failures.into_iter().chain(panic).collect(), &mut trace);
        Ending::Unseen
    } else if let Some(panic) = panic {
        sink(failures, &mut trace);
        Ending::Panic(panic)
    } else if !failures.is_empty() {
        Ending::Verdict(Verdict::Failed(failures))
    } else if matches!(fate, Fate::Value) {
        Ending::Verdict(Verdict::Value)
    } else {
        Ending::Verdict(Verdict::Cancelled)
    };
    ScopeRun { end, result, shields, trace }
}

fn run_finalizer(
    finalizer: &Finalizer,
    start: Time,
    trace: &mut Trace,
    failures: &mut Vec<(Time, Fault)>,
) -> Time {
    let takes = if matches!(finalizer.end, End::Never) { NEVER } else { finalizer.takes };
    let end = start.saturating_add(takes.min(finalizer.budget));
    trace.ticks.push(end);
    let how = match finalizer.end {
        _ if takes > finalizer.budget => How::Cut,
        End::Error => How::Error,
        End::Panic => How::Panic,
        End::Value | End::Never => How::Value,
    };
    match how {
        How::Error => failures.push((end, Fault::Error(finalizer.id))),
        How::Panic => failures.push((end, Fault::Panic(finalizer.id))),
        How::Value | How::Cut => {}
    }
    trace.log.push((end, Event::Finalized(finalizer.id, how)));
    end
}
