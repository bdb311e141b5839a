//! The performance: a tree of the plan on the real library, every event written down as it happens.

use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ballet::{Deferred, Failure, Isolated, Scope, SupervisorScope, Together};
use tokio::time::Instant;

use crate::log::{Event, Fault, How, Time, Verdict};
use crate::plan::{Act, Child, Domain, End, Finalizer, Limit, Nest, Script};

type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What everything in one performance shares.
pub(crate) struct World {
    began: Instant,
    /// How long a unit of the plan's time is.
    unit: Duration,
    books: Mutex<Books>,
}

/// What happened.
#[derive(Clone, Default)]
pub(crate) struct Books {
    /// In the order in which it happened.
    pub(crate) log: Vec<(Time, Event)>,
    /// Each failure that code raised.
    pub(crate) raised: Vec<Fault>,
    /// Each script that was begun or refused, each finalizer that was registered.
    pub(crate) begun: Vec<u32>,
    pub(crate) values_made: Vec<u32>,
    pub(crate) values_dropped: Vec<u32>,
}

impl World {
    pub(crate) fn new(unit: Duration) -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), unit, books: Mutex::default() })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the books, once all is over.
    pub(crate) fn close(&self) -> Books {
        self.books().clone()
    }

    pub(crate) fn note(&self, event: Event) {
        let time = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.books().log.push((time, event));
    }

    fn time(&self, units: u64) -> Duration {
        self.unit.saturating_mul(u32::try_from(units).unwrap_or(u32::MAX))
    }

    async fn sleep(&self, units: u64) {
        tokio::time::sleep(self.time(units)).await;
    }

    /// How a script or a finalizer ends.
    async fn end(&self, end: End, id: u32) -> Result<(), Fault> {
        match end {
            End::Value => Ok(()),
            End::Never => std::future::pending().await,
            End::Error => Err(self.raise(Fault::Error(id))),
            // Without the hook, which would print a report for each.
            End::Panic => resume_unwind(Box::new(format!("{:?}", self.raise(Fault::Panic(id))))),
        }
    }

    fn raise(&self, fault: Fault) -> Fault {
        self.books().raised.push(fault);
        fault
    }

    fn value(self: &Arc<Self>, id: u32) -> Value {
        self.books().values_made.push(id);
        Value { id, world: Arc::clone(self) }
    }

    /// Guards the future of a script or a finalizer from its making.
    fn guard(self: &Arc<Self>, leaves: fn(u32, How) -> Event, id: u32) -> Guard {
        self.books().begun.push(id);
        Guard { world: Arc::clone(self), id, leaves, how: How::Cut }
    }
}

/// Notes when, and how, the future that holds it is gone.
struct Guard {
    world: Arc<World>,
    id: u32,
    leaves: fn(u32, How) -> Event,
    how: How,
}

impl Guard {
    fn ends<T>(&mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        self.how = if result.is_ok() { How::Value } else { How::Error };
        result
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let how = if std::thread::panicking() { How::Panic } else { self.how };
        self.world.note((self.leaves)(self.id, how));
    }
}

/// The value of a script, counted.
pub(crate) struct Value {
    id: u32,
    world: Arc<World>,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.world.books().values_dropped.push(self.id);
    }
}

fn fault(failure: &Failure<Fault>) -> Option<Fault> {
    match failure.panic() {
        Some(panic) => panic.message().and_then(|text| Fault::read(&text)),
        None => failure.error().copied(),
    }
}

/// The two domains, so that one script runs in either.
trait Awaits: Send + Sized + 'static {
    fn receive(
        deferred: Deferred<Value, Fault, Self>,
        id: u32,
        world: &World,
    ) -> impl Future<Output = ()> + Send;
}

impl Awaits for Together {
    async fn receive(deferred: Deferred<Value, Fault, Self>, id: u32, world: &World) {
        let _value = deferred.await;
        world.note(Event::Received(id));
    }
}

impl Awaits for Isolated {
    async fn receive(deferred: Deferred<Value, Fault, Self>, id: u32, world: &World) {
        world.note(match deferred.await {
            Ok(_value) => Event::Received(id),
            Err(failure) => Event::Saw(id, fault(&failure)),
        });
    }
}

/// Runs a scope and looks at what it returns.
pub(crate) fn open(nest: Nest, world: Arc<World>) -> Running<Result<(), Fault>> {
    Box::pin(async move {
        let scope = run(nest.domain, nest.body, &world);
        let result = match nest.limit {
            Limit::Unlimited => Ok(scope.await),
            Limit::Timeout(limit) => ballet::timeout(world.time(limit), scope).await.map_err(drop),
            Limit::Foreign(limit) => tokio::time::timeout(world.time(limit), scope).await.map_err(drop),
        };
        let Ok(result) = result else {
            world.note(Event::Elapsed(nest.id));
            return Ok(());
        };
        world.note(Event::Returned(nest.id, verdict(&result)));
        if result.is_err() && nest.propagates { Err(world.raise(Fault::Error(nest.id))) } else { Ok(()) }
    })
}

fn run(domain: Domain, body: Script, world: &Arc<World>) -> Running<Result<Value, Failure<Fault>>> {
    let guard = world.guard(Event::Left, body.id);
    let world = Arc::clone(world);
    match domain {
        Domain::Together => {
            Box::pin(ballet::scope(async move |s: Scope<Fault>| perform(body, guard, s, world).await))
        }
        Domain::Isolated => Box::pin(ballet::supervisor_scope(async move |s: SupervisorScope<Fault>| {
            let sink = Arc::clone(&world);
            s.on_failure(move |failure| {
                fault(failure).into_iter().for_each(|fault| sink.note(Event::Sunk(fault)));
            });
            perform(body, guard, s, world).await
        })),
    }
}

fn verdict(result: &Result<Value, Failure<Fault>>) -> Verdict {
    match result {
        Ok(_) => Verdict::Value,
        Err(failure) if failure.is_cancelled() => Verdict::Cancelled,
        Err(failure) => {
            Verdict::Failed(std::iter::once(failure).chain(failure.suppressed()).filter_map(fault).collect())
        }
    }
}

/// Runs a script in `scope`.
fn perform<D: Awaits>(
    script: Script,
    mut guard: Guard,
    scope: Scope<Fault, D>,
    world: Arc<World>,
) -> Running<Result<Value, Fault>> {
    Box::pin(async move {
        let mut kept = VecDeque::new();
        let result = steps(&script, &mut kept, &scope, &world).await;
        guard.ends(result).map(|()| world.value(script.id))
    })
}

type Kept<D> = VecDeque<(u32, Deferred<Value, Fault, D>)>;

async fn steps<D: Awaits>(
    script: &Script,
    kept: &mut Kept<D>,
    scope: &Scope<Fault, D>,
    world: &Arc<World>,
) -> Result<(), Fault> {
    for step in &script.steps {
        world.sleep(step.after).await;
        act(&step.act, kept, scope, world).await?;
    }
    world.sleep(script.ends_after).await;
    world.end(script.end, script.id).await
}

async fn act<D: Awaits>(
    act: &Act,
    kept: &mut Kept<D>,
    scope: &Scope<Fault, D>,
    world: &Arc<World>,
) -> Result<(), Fault> {
    match act {
        Act::Shield(time) => ballet::shield(world.sleep(*time)).await,
        Act::Linger(time) => {
            let lingers = async {
                ballet::cancelled().await;
                world.sleep(*time).await;
            };
            ballet::shield(lingers).await;
        }
        Act::Spawn(child) => kept.extend(spawn(child, scope, world)),
        Act::Await => {
            if let Some((id, deferred)) = kept.pop_front() {
                D::receive(deferred, id, world).await;
            }
        }
        Act::Defer(finalizer) => defer(finalizer, scope, world),
        Act::CancelScope => scope.cancel(),
        Act::CancelChildren => scope.cancel_children(),
        Act::Open(nest) if nest.shielded => {
            ballet::shield(open(nest.as_ref().clone(), Arc::clone(world))).await?;
        }
        Act::Open(nest) => open(nest.as_ref().clone(), Arc::clone(world)).await?,
    }
    Ok(())
}

fn spawn<D: Awaits>(
    child: &Child,
    scope: &Scope<Fault, D>,
    world: &Arc<World>,
) -> Option<(u32, Deferred<Value, Fault, D>)> {
    let Child { kept, grace, script } = child.clone();
    let id = script.id;
    let guard = world.guard(Event::Left, id);
    let job = perform(script, guard, scope.clone(), Arc::clone(world));
    let deferred = match grace {
        None => scope.spawn(job),
        Some(grace) => scope.named("graceful").graceful(world.time(grace)).spawn(job),
    };
    kept.then_some((id, deferred))
}

fn defer<D: Awaits>(finalizer: &Finalizer, scope: &Scope<Fault, D>, world: &Arc<World>) {
    let mut guard = world.guard(Event::Finalized, finalizer.id);
    let (finalizer, world) = (finalizer.clone(), Arc::clone(world));
    scope.defer_within(world.time(finalizer.budget), async move {
        world.sleep(finalizer.takes).await;
        guard.ends(world.end(finalizer.end, finalizer.id).await)
    });
}
