//! One script on its way through virtual time: what it does, until it ends or is cut.
//!
//! A walk knows when the job or scope that it belongs to is asked to end, and turns each wait into a time. What it
//! spawns and opens is computed on the spot; what it asks others to do is only noted, for `predict` to find.

use std::collections::VecDeque;

use crate::log::{Event, Fault, How, Time, Verdict};
use crate::plan::{Act, Child, Domain, End, Finalizer, Limit, Nest, Script};
use crate::predict::{Around, Asked, Asks, Ending, NEVER, ScopeRun, Trace, run_scope};

/// How a script ended.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    Value,
    Failed(Fault),
    Cut,
}

impl Fate {
    pub(crate) fn how(self) -> How {
        match self {
            Fate::Value => How::Value,
            Fate::Failed(Fault::Error(_)) => How::Error,
            Fate::Failed(Fault::Panic(_)) => How::Panic,
            Fate::Cut => How::Cut,
        }
    }
}

/// What the body and the children of one scope contribute to it.
#[derive(Default)]
pub(crate) struct Shared<'p> {
    pub(crate) trace: Trace,
    /// When each child had ended, with all that it had adopted.
    pub(crate) ends: Vec<Time>,
    pub(crate) failures: Vec<(Time, Fault)>,
    pub(crate) finalizers: Vec<(Time, &'p Finalizer)>,
    pub(crate) asked: Vec<(Time, Asked)>,
}

impl<'p> Shared<'p> {
    fn extend(&mut self, other: Shared<'p>) {
        self.trace.extend(other.trace);
        self.ends.extend(other.ends);
        self.failures.extend(other.failures);
        self.finalizers.extend(other.finalizers);
        self.asked.extend(other.asked);
    }
}

/// A child that its spawner kept.
#[derive(Clone, Copy)]
struct Kept {
    id: u32,
    ended: Time,
    fate: Fate,
    /// It never began, so no reason comes with its cancellation.
    refused: bool,
}

/// One script on its way through time.
pub(crate) struct Walk<'p> {
    domain: Domain,
    asks: &'p Asks,
    pub(crate) now: Time,
    /// When the job or the scope that the script belongs to is asked to end.
    asked: Time,
    grace: Option<Time>,
    /// When the clock of the grace began: at the first unshielded moment after the ask.
    grace_began: Option<Time>,
    /// When foreign code drops the script, shielded or not.
    pub(crate) dropped: Time,
    /// When code in this task can first hear that something around it was asked.
    pub(crate) heard: Time,
    kept: VecDeque<Kept>,
    pub(crate) shields: Vec<(Time, Time)>,
    /// The ends of scopes that were dropped half-way in this script.
    pub(crate) adopted: Vec<Time>,
    pub(crate) shared: Shared<'p>,
}

/// The script goes no further.
struct Stop(Fate);

impl<'p> Walk<'p> {
    pub(crate) fn new(domain: Domain, asks: &'p Asks, start: Time, asked: Time) -> Self {
        Self {
            domain,
            asks,
            now: start,
            asked,
            grace: None,
            grace_began: None,
            dropped: NEVER,
            heard: asked,
            kept: VecDeque::new(),
            shields: Vec::new(),
            adopted: Vec::new(),
            shared: Shared::default(),
        }
    }

    pub(crate) fn walk(&mut self, script: &'p Script) -> Fate {
        let fate = self.steps(script).unwrap_or_else(|Stop(fate)| fate);
        // The failure of a child that was kept and not awaited is looked at by nobody.
        for kept in std::mem::take(&mut self.kept) {
            self.unobserved(&kept, self.now.max(kept.ended));
        }
        fate
    }

    fn steps(&mut self, script: &'p Script) -> Result<Fate, Stop> {
        for step in &script.steps {
            self.sleep(step.after)?;
            self.act(&step.act)?;
        }
        self.sleep(script.ends_after)?;
        match script.end {
            End::Value => Ok(Fate::Value),
            End::Error => Ok(Fate::Failed(Fault::Error(script.id))),
            End::Panic => Ok(Fate::Failed(Fault::Panic(script.id))),
            End::Never => self.wait(NEVER).map(|()| Fate::Cut),
        }
    }

    fn act(&mut self, act: &'p Act) -> Result<(), Stop> {
        match act {
            Act::Shield(time) => self.shield(self.now.saturating_add(*time))?,
            Act::Linger(time) => self.shield(self.heard.max(self.now).saturating_add(*time))?,
            Act::Spawn(child) => self.spawn(child),
            Act::Await => self.receive()?,
            Act::Defer(finalizer) => self.shared.finalizers.push((self.now, finalizer)),
            Act::CancelScope => self.shared.asked.push((self.now, Asked::Scope)),
            Act::CancelChildren => self.shared.asked.push((self.now, Asked::Children)),
            Act::Open(nest) => self.open(nest)?,
        }
        Ok(())
    }

    fn sleep(&mut self, time: Time) -> Result<(), Stop> {
        self.wait(self.now.saturating_add(time))?;
        self.shared.trace.ticks.push(self.now);
        Ok(())
    }

    /// Waits, unshielded; cut by an ask that comes before `until`.
    fn wait(&mut self, until: Time) -> Result<(), Stop> {
        let cut = self.cut(&[], until).min(self.dropped);
        if cut < until || until == NEVER {
            self.now = cut;
            return Err(Stop(Fate::Cut));
        }
        self.now = until;
        Ok(())
    }

    /// Waits in a shield; only foreign code cuts it.
    fn shield(&mut self, until: Time) -> Result<(), Stop> {
        let end = until.min(self.dropped);
        self.shields.push((self.now, end));
        self.now = end;
        if end < until || until == NEVER {
            return Err(Stop(Fate::Cut));
        }
        self.shared.trace.ticks.push(end);
        Ok(())
    }

    /// The first unshielded moment from now on at which the ask takes effect, if that is before `until`.
    fn cut(&mut self, shields: &[(Time, Time)], until: Time) -> Time {
        let due = unshielded(shields, self.asked.max(self.now));
        let Some(grace) = self.grace else { return due };
        if due >= until {
            return NEVER;
        }
        if self.grace_began.is_none() {
            self.shared.trace.ticks.push(due.saturating_add(grace));
        }
        let over = self.grace_began.get_or_insert(due).saturating_add(grace);
        unshielded(shields, over.max(self.now))
    }

    fn spawn(&mut self, child: &'p Child) {
        let Child { kept, grace, script } = child;
        let refused = self.asks.scope < self.now;
        let mut walk = Walk::new(self.domain, self.asks, self.now, self.asks.of_child(self.now));
        walk.grace = *grace;
        let fate = if refused { Fate::Cut } else { walk.walk(script) };
        let (left, ended) = (walk.now, walk.adopted.iter().copied().fold(walk.now, Time::max));
        self.shared.extend(walk.shared);
        self.shared.trace.log.push((left, Event::Left(script.id, fate.how())));
        self.shared.ends.push(ended);
        if let (Fate::Failed(fault), Domain::Together) = (fate, self.domain) {
            self.shared.failures.push((left, fault));
            self.shared.asked.push((left, Asked::Scope));
        }
        let job = Kept { id: script.id, ended, fate, refused };
        if *kept {
            self.kept.push_back(job);
        } else {
            self.unobserved(&job, ended);
        }
    }

    fn unobserved(&mut self, job: &Kept, at: Time) {
        if let (Fate::Failed(fault), Domain::Isolated) = (job.fate, self.domain) {
            self.shared.trace.log.push((at, Event::Sunk(fault)));
        }
    }

    fn receive(&mut self) -> Result<(), Stop> {
        // It stays with the script while it is awaited.
        let Some(job) = self.kept.front().copied() else { return Ok(()) };
        let (ended, fate) = (job.ended.max(self.now), job.fate);
        let has_come = self.domain == Domain::Isolated || matches!(fate, Fate::Value);
        if has_come && ended > self.now {
            // An ask that ends the job ends whoever waits for it first.
            self.wait(ended.saturating_add(1))?;
            self.now = ended;
        }
        if !has_come {
            // The value cannot come any more: the code that awaits it ends, and where the job was cancelled, the scope.
            if matches!(fate, Fate::Cut) && !job.refused {
                let cut = self.cut(&[], ended).min(self.dropped);
                if cut > ended {
                    self.shared.asked.push((ended, Asked::Scope));
                }
            }
            return self.wait(NEVER);
        }
        self.kept.pop_front();
        let event = match job.fate {
            Fate::Value => Event::Received(job.id),
            Fate::Failed(fault) => Event::Saw(job.id, Some(fault)),
            Fate::Cut => Event::Saw(job.id, None),
        };
        self.shared.trace.log.push((self.now, event));
        Ok(())
    }

    fn open(&mut self, nest: &'p Nest) -> Result<(), Stop> {
        let start = self.now;
        let elapses = match nest.limit {
            Limit::Unlimited => NEVER,
            Limit::Timeout(limit) | Limit::Foreign(limit) => start.saturating_add(limit),
        };
        let mut around = Around { start, dropped: NEVER, heard: self.heard };
        if matches!(nest.limit, Limit::Timeout(_)) {
            around.heard = around.heard.min(elapses);
        }
        let free = run_scope(nest, around);
        let limited = match nest.limit {
            Limit::Timeout(_) => unshielded(&free.shields, elapses),
            Limit::Unlimited | Limit::Foreign(_) => elapses,
        };
        let soft = if nest.shielded { NEVER } else { self.cut(&free.shields, free.end.min(limited)) };
        let cut = soft.min(self.dropped);
        if elapses <= free.end.min(cut) {
            self.shared.trace.ticks.push(elapses);
        }
        around.dropped = cut.min(limited);
        if around.dropped == free.end && free.shields.iter().any(|&(_, end)| end == free.end) {
            // Held off by a shield at whose end the scope ends too: the order of polls decides.
            self.shared.trace.ticks.extend([free.end; 2]);
        }
        if around.dropped >= free.end {
            self.leave(nest, start, &free);
            self.shared.trace.extend(free.trace);
            return self.look_at(nest, &free.result);
        }
        let run = run_scope(nest, around);
        self.adopted.push(run.end);
        self.now = around.dropped;
        self.leave(nest, start, &run);
        self.shared.trace.extend(run.trace);
        if cut < limited {
            return Err(Stop(Fate::Cut));
        }
        self.shared.trace.log.push((self.now, Event::Elapsed(nest.id)));
        Ok(())
    }

    /// Leaves an inner scope: at its end, or where it was dropped.
    fn leave(&mut self, nest: &Nest, start: Time, run: &ScopeRun) {
        if matches!(run.result, Ending::Verdict(_) | Ending::Panic(_)) {
            self.now = run.end;
        }
        if nest.shielded {
            self.shields.push((start, self.now));
        } else {
            self.shields.extend(&run.shields);
        }
    }

    fn look_at(&mut self, nest: &Nest, result: &Ending) -> Result<(), Stop> {
        self.shared.trace.log.extend(result.returned(nest).map(|event| (self.now, event)));
        match result {
            Ending::Panic(fault) => Err(Stop(Fate::Failed(*fault))),
            Ending::Verdict(Verdict::Failed(_) | Verdict::Cancelled) if nest.propagates => {
                Err(Stop(Fate::Failed(Fault::Error(nest.id))))
            }
            Ending::Verdict(_) | Ending::Unseen => Ok(()),
        }
    }
}

/// The first moment from `time` on at which no shield is up.
fn unshielded(shields: &[(Time, Time)], mut time: Time) -> Time {
    while let Some(&(_, end)) = shields.iter().find(|&&(begin, end)| begin <= time && time < end) {
        time = end;
    }
    time
}
