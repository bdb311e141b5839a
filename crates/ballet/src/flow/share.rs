//! Cold flows made hot: one run of a flow in a child of a scope, told to many.
//!
//! [`FlowExt::share_in`](super::FlowExt::share_in) and [`FlowExt::state_in`](super::FlowExt::state_in) spawn that child; when it runs the flow is said by a [`Start`]: a policy
//! makes a [`Plan`] for the flow, and `drive` follows it. What is told to whom is not decided here: items go to an
//! `Outlet`, which is the writing side of a shared flow or of a state. The child ends with the flow, and when nobody can
//! listen any more, so that a scope does not wait for a flow that goes on for nobody.

use std::fmt;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::oneshot;
use tokio::task::coop::unconstrained;

use super::audience::Wanted;
use super::basis::Flow;
use super::error::{FlowError, Never, Output, Raise};
use super::shared::{NotEmitted, SharedEmitter, SharedError};
use super::state::{StateCell, StateFlow};
use super::upstream::Upstream;
use crate::job::Fault;
use crate::scope::Scope;

/// When a shared flow runs: [`Eagerly`], [`Lazily`], or [`WhileSubscribed`].
pub trait Start<S> {
    /// The policy, for a flow of this type.
    fn plan(self) -> Plan<S>;
}

/// The flow runs at once, whether anybody listens or not.
#[derive(Clone, Copy, Debug)]
pub struct Eagerly;

/// The flow runs from the first subscriber on, and then goes on, whether anybody listens or not.
#[derive(Clone, Copy, Debug)]
pub struct Lazily;

/// The flow runs while somebody listens. When the last listener has gone it is dropped, and when one comes it begins
/// again: so it must be `Clone`.
///
/// # Examples
///
/// The replay keeps the last price for whoever comes; the connection is kept for five seconds after the last has gone,
/// and an hour later the price is forgotten.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{FlowExt, Scope, Sharing, flow::{self, WhileSubscribed}};
/// use std::time::Duration;
///
/// let connect = || flow::iter(100..);
/// ballet::scope(async |s: Scope| {
///     let policy = WhileSubscribed::new()
///         .stop_after(Duration::from_secs(5))
///         .forget_after(Duration::from_secs(3_600));
///     let prices = connect().share_in(&s, policy, Sharing::suspend(8).replay(1));
///     assert_eq!(prices.clone().take(3).collect::<Vec<_>>().await, [100, 101, 102]);
///     Ok(()) // nobody can listen any more: the flow ends, and the scope with it
/// })
/// .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct WhileSubscribed {
    stop_after: Duration,
    forget_after: Option<Duration>,
}

impl WhileSubscribed {
    /// It stops as soon as nobody listens, and what is replayed stays.
    #[must_use]
    pub const fn new() -> Self {
        Self { stop_after: Duration::ZERO, forget_after: None }
    }

    /// How long it goes on with nobody listening. Whoever comes within that time finds it running.
    #[must_use]
    pub const fn stop_after(self, time: Duration) -> Self {
        Self { stop_after: time, ..self }
    }

    /// How long after it has stopped the replay is forgotten, and a state has its initial value again.
    #[must_use]
    pub const fn forget_after(self, time: Duration) -> Self {
        Self { forget_after: Some(time), ..self }
    }
}

/// A policy for a flow of one type; made by [`Start::plan`].
pub struct Plan<S> {
    is_lazy: bool,
    again: Option<Again<S>>,
}

/// How a flow is stopped and begun again.
struct Again<S> {
    clone: fn(&S) -> S,
    policy: WhileSubscribed,
}

impl<S> Start<S> for Eagerly {
    fn plan(self) -> Plan<S> {
        Plan { is_lazy: false, again: None }
    }
}

impl<S> Start<S> for Lazily {
    fn plan(self) -> Plan<S> {
        Plan { is_lazy: true, again: None }
    }
}

impl<S: Clone> Start<S> for WhileSubscribed {
    fn plan(self) -> Plan<S> {
        Plan { is_lazy: true, again: Some(Again { clone: S::clone, policy: self }) }
    }
}

impl<S> fmt::Debug for Plan<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").finish_non_exhaustive()
    }
}

/// An error as many are told it: [`Never`], which nobody is told, or a [`SharedError`].
///
/// Implemented for every error of a flow; there is nothing to write.
pub trait Share: FlowError + Send {
    /// The error of the shared flow.
    type Shared: FlowError + Clone + Send;

    /// For many.
    fn share(self) -> Self::Shared;
}

impl Share for Never {
    type Shared = Never;

    fn share(self) -> Never {
        self
    }
}

impl<E: Fault> Share for E {
    type Shared = SharedError<E>;

    fn share(self) -> SharedError<E> {
        self.into()
    }
}

// What the child does.

/// Runs the flow into a shared flow, which ends as it ends.
pub(super) async fn share<S, E>(
    flow: S,
    plan: Plan<S>,
    emitter: SharedEmitter<S::Item, <S::Error as Share>::Shared>,
) -> Result<(), E>
where
    S: Flow + Send,
    S::Item: Send,
    S::Error: Share,
{
    match drive(flow, plan, &emitter).await {
        Ok(()) => emitter.complete(),
        Err(error) => emitter.fail(error.share()),
    }
    Ok(())
}

/// Runs the flow into a state, which ends with it.
pub(super) async fn hold<S, E>(
    flow: S,
    plan: Plan<S>,
    cell: StateCell<S::Item>,
    initial: S::Item,
) -> Result<(), E>
where
    S: Flow + Send,
    S::Item: Clone + PartialEq + Send + Sync + 'static,
    S::Error: Raise<E> + Send,
    E: Fault,
{
    drive(flow, plan, &Holder { cell, initial: Some(initial) }).await.map_err(Raise::raise)
}

/// Runs the flow in a child, and waits for the state that begins with its first item.
pub(super) fn first_state<S, E, D>(
    flow: S,
    scope: &Scope<E, D>,
) -> impl Future<Output = Output<S::Error, Option<StateFlow<S::Item>>>> + use<S, E, D>
where
    S: Flow + Send + 'static,
    S::Item: Clone + PartialEq + Send + Sync + 'static,
    S::Error: Raise<E> + Send + 'static,
    E: Fault,
{
    let (tell, told) = oneshot::channel();
    scope.spawn(async move { hold_from_first(flow, tell).await.map_err(Raise::raise) });
    // A child that was cancelled first has told nothing.
    async { S::Error::output(told.await.unwrap_or(Ok(None))) }
}

/// What the caller is told who waits for a first item.
type First<S> = Result<Option<StateFlow<<S as Flow>::Item>>, <S as Flow>::Error>;

async fn hold_from_first<S>(flow: S, mut tell: oneshot::Sender<First<S>>) -> Result<(), S::Error>
where
    S: Flow + Send,
    S::Item: Clone + PartialEq + Send + Sync + 'static,
    S::Error: Send,
{
    let mut flow = pin!(Upstream::new(flow));
    let Some(first) = until(poll_fn(|cx| flow.as_mut().poll_next(cx)), tell.closed()).await else {
        return Ok(());
    };
    let (held, state) = match first {
        Ok(Some(item)) => {
            let (cell, state) = StateFlow::new(item);
            (Some(Holder { cell, initial: None }), Ok(Some(state)))
        }
        Ok(None) => (None, Ok(None)),
        Err(error) => (None, Err(error)),
    };
    // Where the caller has gone, nobody has a handle, and the state is deserted.
    drop(tell.send(state));
    match held {
        Some(held) => until(pump(flow, &held), held.audience(Wanted::Desertion)).await.unwrap_or(Ok(())),
        None => Ok(()),
    }
}

/// The writing side of a hot flow.
trait Outlet: Sync {
    type Item;

    /// Emits an item, or gives it back if that needs waiting.
    fn offer(&self, item: Self::Item) -> Option<Self::Item>;
    fn emit(&self, item: Self::Item) -> impl Future<Output = ()> + Send;
    fn audience(&self, wanted: Wanted) -> impl Future<Output = ()> + Send;
    /// How many have ever listened.
    fn visits(&self) -> u64;
    /// Forgets what has been emitted.
    fn reset(&self);
}

/// Follows the plan until the flow has ended, or nobody can listen any more.
async fn drive<S, O>(flow: S, plan: Plan<S>, outlet: &O) -> Result<(), S::Error>
where
    S: Flow + Send,
    S::Item: Send,
    S::Error: Send,
    O: Outlet<Item = S::Item>,
{
    if plan.is_lazy && !is_heard(outlet, 0).await {
        return Ok(());
    }
    let Some(Again { clone, policy }) = plan.again else {
        return until(run(flow, outlet), outlet.audience(Wanted::Desertion)).await.unwrap_or(Ok(()));
    };
    loop {
        let mut visits = 0;
        let unheard = async { visits = unheard(outlet, policy.stop_after).await };
        if let Some(ended) = until(run(clone(&flow), outlet), unheard).await {
            return ended;
        }
        if !is_heard_again(outlet, visits, policy.forget_after).await {
            return Ok(());
        }
    }
}

/// Runs the flow to its end.
async fn run<S, O>(flow: S, outlet: &O) -> Result<(), S::Error>
where
    S: Flow,
    O: Outlet<Item = S::Item>,
{
    pump(pin!(Upstream::new(flow)), outlet).await
}

async fn pump<S, O>(mut flow: Pin<&mut Upstream<S>>, outlet: &O) -> Result<(), S::Error>
where
    S: Flow,
    O: Outlet<Item = S::Item>,
{
    loop {
        let mut held_back = None;
        let step = poll_fn(|cx| {
            flow.as_mut().poll_each(cx, &mut |item| {
                held_back = outlet.offer(item);
                if held_back.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        if step.await?.is_continue() {
            return Ok(());
        }
        if let Some(item) = held_back {
            outlet.emit(item).await;
        }
    }
}

/// Waits until somebody listens, or has listened since there had been so many visits; false where nobody can come any
/// more.
async fn is_heard(outlet: &impl Outlet, visits: u64) -> bool {
    let visitor = outlet.audience(Wanted::Visitor { since: visits });
    until(visitor, outlet.audience(Wanted::Desertion)).await.is_some()
}

/// As [`is_heard`], and what has been emitted is forgotten if that takes too long.
async fn is_heard_again(outlet: &impl Outlet, visits: u64, forget_after: Option<Duration>) -> bool {
    let Some(time) = forget_after else { return is_heard(outlet, visits).await };
    if let Some(is_heard) = until(is_heard(outlet, visits), pass(time)).await {
        return is_heard;
    }
    outlet.reset();
    is_heard(outlet, visits).await
}

/// Waits until nobody has listened for so long. Gives how many visits there had been by then.
async fn unheard(outlet: &impl Outlet, time: Duration) -> u64 {
    loop {
        outlet.audience(Wanted::Nobody).await;
        let visits = outlet.visits();
        if until(is_heard(outlet, visits), pass(time)).await != Some(true) {
            return visits;
        }
    }
}

/// Lets time pass. It asks for none of the cooperative budget, which the flow beside it may have used up; nor for the
/// runtime's timer, where no time is to pass.
async fn pass(time: Duration) {
    if !time.is_zero() {
        unconstrained(tokio::time::sleep(time)).await;
    }
}

/// What the work gives, unless the end comes first.
async fn until<T>(work: impl Future<Output = T>, end: impl Future<Output = ()>) -> Option<T> {
    match select(pin!(work), pin!(end)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}

impl<T: Send, E: Send> Outlet for SharedEmitter<T, E> {
    type Item = T;

    fn offer(&self, item: T) -> Option<T> {
        // The child is the only emitter, so the flow has not ended.
        self.try_emit(item).err().map(NotEmitted::into_item)
    }

    async fn emit(&self, item: T) {
        let _ = SharedEmitter::emit(self, item).await;
    }

    async fn audience(&self, wanted: Wanted) {
        SharedEmitter::audience(self, wanted).await;
    }

    fn visits(&self) -> u64 {
        SharedEmitter::visits(self)
    }

    fn reset(&self) {
        self.forget_replay();
    }
}

/// A state, with the value that it has again when it is reset.
struct Holder<T> {
    cell: StateCell<T>,
    initial: Option<T>,
}

impl<T: Clone + PartialEq + Send + Sync + 'static> Outlet for Holder<T> {
    type Item = T;

    fn offer(&self, item: T) -> Option<T> {
        self.cell.set(item);
        None
    }

    async fn emit(&self, item: T) {
        self.cell.set(item);
    }

    async fn audience(&self, wanted: Wanted) {
        self.cell.audience(wanted).await;
    }

    fn visits(&self) -> u64 {
        self.cell.visits()
    }

    fn reset(&self) {
        if let Some(initial) = &self.initial {
            self.cell.set(initial.clone());
        }
    }
}
