//! Every operator, in the order of the documentation's table.
//!
//! An operator is a method that moves the flow into a struct of its own, which is a flow again; the structs stand in the
//! files beside this one. What each operator means is said in `docs/`, a file each.

use std::hash::Hash;
use std::pin::pin;
use std::time::Duration;

use super::basis::Flow;
use super::boxed::BoxFlow;
use super::buffer::Buffer;
use super::catch::{Catch, OnEmpty, catch};
use super::completion::{Completion, OnCompletion};
use super::distinct::{Distinct, DistinctBy, Scan};
use super::emitter::Emitter;
use super::error::{FlowError, Output, Raise, Unify, Verdict};
use super::fail::{MapErr, OrFail};
use super::flat::{Chain, FlatMap};
use super::flat_merge::FlatMapMerge;
use super::gather::{
    All, Any, Collect, Count, Drain, First, Fold, Gather, Last, Next, NotSingle, Reduce, Single,
};
use super::generator::{Generator, flow};
use super::group::{Chunked, Group, GroupBy, GroupedWithin, Windowed};
use super::latest::{FlatMapLatest, MapLatest};
use super::map::{Filter, FilterMap, Map, Tap};
use super::map_par::{MapPar, Order};
use super::pair::{Combine, Interleave, Merge, Race, Zip};
use super::retry::{Retry, RetryWhen};
use super::share::{Share, Start, first_state, hold, share};
use super::shared::{SharedFlow, Sharing};
use super::source::IntoStream;
use super::state::StateFlow;
use super::take::{Drop, DropWhile, Take, TakeWhile};
use super::then::{Then, Transform, transform};
use super::timing::{Debounce, Sample, Throttle, Timeout};
use crate::channel::{self, Receiver};
use crate::dispatch::Dispatcher;
use crate::job::{Deferred, Fault};
use crate::scope::{Elapsed, Scope};

/// What [`FlowExt::try_for_each`] runs.
pub type TryThen<S, E, F, W> = OrFail<Then<MapErr<S, fn(<S as Flow>::Error) -> E>, F, W>>;

impl<S: Flow> FlowExt for S {}

/// What can be done with a [`Flow`]. Every flow has these methods; import the trait to call them.
///
/// They stand in a trait of their own, and not in `Flow`, so that nobody can write them anew: then the compiler knows
/// whether what they make is `Send`, also where it knows of a flow only that it is one.
pub trait FlowExt: Flow {
    // One item at a time.

    #[doc = include_str!("docs/map.md")]
    fn map<U, F>(self, map: F) -> Map<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> U,
    {
        Map::new(self, map)
    }

    #[doc = include_str!("docs/filter.md")]
    fn filter<F>(self, wanted: F) -> Filter<Self, F>
    where
        Self: Sized,
        F: FnMut(&Self::Item) -> bool,
    {
        Filter::new(self, wanted)
    }

    #[doc = include_str!("docs/filter_map.md")]
    fn filter_map<U, F>(self, map: F) -> FilterMap<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> Option<U>,
    {
        FilterMap::new(self, map)
    }

    #[doc = include_str!("docs/tap.md")]
    #[doc(alias = "inspect")]
    fn tap<F>(self, look: F) -> Tap<Self, F>
    where
        Self: Sized,
        F: FnMut(&Self::Item),
    {
        Tap::new(self, look)
    }

    #[doc = include_str!("docs/then.md")]
    fn then<F, W>(self, map: F) -> Then<Self, F, W>
    where
        Self: Sized,
        F: FnOnce(Self::Item) -> W + Clone,
        W: Future,
    {
        Then::new(self, map)
    }

    #[doc = include_str!("docs/transform.md")]
    fn transform<U, R, B>(self, code: B) -> Transform<Self, B, Self::Item, U, impl Future<Output = R>>
    where
        Self: Sized,
        Self::Error: Unify<R::Error>,
        B: AsyncFnOnce(Self::Item, &mut Emitter<'_, U>) -> R + Clone,
        R: Verdict,
    {
        transform(self, code)
    }

    #[doc = include_str!("docs/scan.md")]
    #[doc(alias = "running_fold")]
    fn scan<A, U, F>(self, state: A, step: F) -> Scan<Self, A, F>
    where
        Self: Sized,
        F: FnMut(&mut A, Self::Item) -> Option<U>,
    {
        Scan::new(self, state, step)
    }

    #[doc = include_str!("docs/distinct_until_changed.md")]
    #[doc(alias = "dedup")]
    fn distinct_until_changed(self) -> Distinct<Self, Self::Item>
    where
        Self: Sized,
        Self::Item: Clone + PartialEq,
    {
        Distinct::new(self)
    }

    #[doc = include_str!("docs/distinct_until_changed_by.md")]
    fn distinct_until_changed_by<V, F>(self, key: F) -> DistinctBy<Self, V, F>
    where
        Self: Sized,
        V: PartialEq,
        F: FnMut(&Self::Item) -> V,
    {
        DistinctBy::new(self, key)
    }

    // Parts of a flow.

    #[doc = include_str!("docs/take.md")]
    fn take(self, count: usize) -> Take<Self>
    where
        Self: Sized,
    {
        Take::new(self, count)
    }

    #[doc = include_str!("docs/take_while.md")]
    fn take_while<F>(self, wanted: F) -> TakeWhile<Self, F>
    where
        Self: Sized,
        F: FnMut(&Self::Item) -> bool,
    {
        TakeWhile::new(self, wanted)
    }

    #[doc = include_str!("docs/drop.md")]
    #[doc(alias = "skip")]
    fn drop(self, count: usize) -> Drop<Self>
    where
        Self: Sized,
    {
        Drop::new(self, count)
    }

    #[doc = include_str!("docs/drop_while.md")]
    #[doc(alias = "skip_while")]
    fn drop_while<F>(self, unwanted: F) -> DropWhile<Self, F>
    where
        Self: Sized,
        F: FnMut(&Self::Item) -> bool,
    {
        DropWhile::new(self, unwanted)
    }

    // Items in groups.

    #[doc = include_str!("docs/chunked.md")]
    #[track_caller]
    fn chunked(self, size: usize) -> Chunked<Self, Self::Item>
    where
        Self: Sized,
    {
        Chunked::new(self, size)
    }

    #[doc = include_str!("docs/grouped_within.md")]
    #[track_caller]
    fn grouped_within(self, size: usize, time: Duration) -> GroupedWithin<Self, Self::Item>
    where
        Self: Sized,
    {
        GroupedWithin::new(self, size, time)
    }

    #[doc = include_str!("docs/windowed.md")]
    #[track_caller]
    fn windowed(self, size: usize, step: usize) -> Windowed<Self, Self::Item>
    where
        Self: Sized,
        Self::Item: Clone,
    {
        Windowed::new(self, size, step)
    }

    #[doc = include_str!("docs/group_by.md")]
    #[track_caller]
    fn group_by<V, F, M, I>(self, limit: usize, key: F, make: M) -> GroupBy<Self, Self::Item, V, F, M, I>
    where
        Self: Sized,
        Self::Error: Unify<I::Error>,
        V: Eq + Hash + Clone,
        F: FnMut(&Self::Item) -> V,
        M: FnMut(V, Group<Self::Item>) -> I,
        I: Flow,
    {
        GroupBy::new(self, limit, key, make)
    }

    // Flows of flows.

    #[doc = include_str!("docs/flat_map.md")]
    #[doc(alias = "flat_map_concat")]
    fn flat_map<I, F>(self, map: F) -> FlatMap<Self, F, I>
    where
        Self: Sized,
        Self::Error: Unify<I::Error>,
        F: FnMut(Self::Item) -> I,
        I: Flow,
    {
        FlatMap::new(self, map)
    }

    #[doc = include_str!("docs/flat_map_merge.md")]
    #[track_caller]
    fn flat_map_merge<I, F>(self, limit: usize, map: F) -> FlatMapMerge<Self, F, I>
    where
        Self: Sized,
        Self::Error: Unify<I::Error>,
        F: FnMut(Self::Item) -> I,
        I: Flow,
    {
        FlatMapMerge::new(self, limit, map)
    }

    #[doc = include_str!("docs/flat_map_latest.md")]
    #[doc(alias = "switch_map")]
    fn flat_map_latest<I, F>(self, map: F) -> FlatMapLatest<Self, F, I>
    where
        Self: Sized,
        Self::Error: Unify<I::Error>,
        F: FnMut(Self::Item) -> I,
        I: Flow,
    {
        FlatMapLatest::new(self, map)
    }

    #[doc = include_str!("docs/map_latest.md")]
    fn map_latest<F, W>(self, map: F) -> MapLatest<Self, F, W>
    where
        Self: Sized,
        F: FnOnce(Self::Item) -> W + Clone,
        W: Future,
    {
        MapLatest::new(self, map)
    }

    // Two flows.

    #[doc = include_str!("docs/chain.md")]
    fn chain<O>(self, other: O) -> Chain<Self, O>
    where
        Self: Sized,
        Self::Error: Unify<O::Error>,
        O: Flow<Item = Self::Item>,
    {
        Chain::new(self, other)
    }

    #[doc = include_str!("docs/merge.md")]
    fn merge<O>(self, other: O) -> Merge<Self, O>
    where
        Self: Sized,
        Self::Error: Unify<O::Error>,
        O: Flow<Item = Self::Item>,
    {
        Merge::new(self, other)
    }

    #[doc = include_str!("docs/interleave.md")]
    fn interleave<O>(self, other: O) -> Interleave<Self, O>
    where
        Self: Sized,
        Self::Error: Unify<O::Error>,
        O: Flow<Item = Self::Item>,
    {
        Interleave::new(self, other)
    }

    #[doc = include_str!("docs/zip.md")]
    fn zip<O>(self, other: O) -> Zip<Self, O, Self::Item, O::Item>
    where
        Self: Sized,
        Self::Error: Unify<O::Error>,
        O: Flow,
    {
        Zip::new(self, other)
    }

    #[doc = include_str!("docs/combine.md")]
    fn combine<O>(self, other: O) -> Combine<Self, O, Self::Item, O::Item>
    where
        Self: Sized,
        Self::Error: Unify<O::Error>,
        O: Flow<Item: Clone>,
        Self::Item: Clone,
    {
        Combine::new(self, other)
    }

    #[doc = include_str!("docs/race.md")]
    #[doc(alias = "amb")]
    fn race<O>(self, other: O) -> Race<Self, O>
    where
        Self: Sized,
        Self::Error: Unify<O::Error>,
        O: Flow<Item = Self::Item>,
    {
        Race::new(self, other)
    }

    // In parallel.

    #[doc = include_str!("docs/buffer.md")]
    #[track_caller]
    fn buffer(self, places: usize) -> Buffer<Self, Self::Item, Self::Error>
    where
        Self: Sized + Send + 'static,
        Self::Item: Send,
        Self::Error: Send,
    {
        Buffer::new(self, places)
    }

    #[doc = include_str!("docs/conflate.md")]
    #[track_caller]
    fn conflate(self) -> Buffer<Self, Self::Item, Self::Error>
    where
        Self: Sized + Send + 'static,
        Self::Item: Send,
        Self::Error: Send,
    {
        Buffer::conflate(self)
    }

    #[doc = include_str!("docs/flow_on.md")]
    #[track_caller]
    fn flow_on(self, dispatcher: &Dispatcher) -> Buffer<Self, Self::Item, Self::Error>
    where
        Self: Sized + Send + 'static,
        Self::Item: Send,
        Self::Error: Send,
    {
        Buffer::flow_on(self, dispatcher)
    }

    #[doc = include_str!("docs/map_par.md")]
    #[track_caller]
    fn map_par<F, W>(self, limit: usize, map: F) -> MapPar<Self, F, W, W::Output>
    where
        Self: Sized,
        F: FnOnce(Self::Item) -> W + Clone,
        W: Future<Output: Send + 'static> + Send + 'static,
    {
        MapPar::new(self, limit, Order::Kept, map)
    }

    #[doc = include_str!("docs/map_par_unordered.md")]
    #[track_caller]
    fn map_par_unordered<F, W>(self, limit: usize, map: F) -> MapPar<Self, F, W, W::Output>
    where
        Self: Sized,
        F: FnOnce(Self::Item) -> W + Clone,
        W: Future<Output: Send + 'static> + Send + 'static,
    {
        MapPar::new(self, limit, Order::AsTheyCome, map)
    }

    // Time.

    #[doc = include_str!("docs/debounce.md")]
    fn debounce(self, quiet: Duration) -> Debounce<Self, Self::Item>
    where
        Self: Sized,
    {
        Debounce::new(self, quiet)
    }

    #[doc = include_str!("docs/sample.md")]
    #[track_caller]
    fn sample(self, period: Duration) -> Sample<Self, Self::Item>
    where
        Self: Sized,
    {
        Sample::new(self, period)
    }

    #[doc = include_str!("docs/throttle.md")]
    fn throttle(self, rest: Duration) -> Throttle<Self>
    where
        Self: Sized,
    {
        Throttle::new(self, rest)
    }

    #[doc = include_str!("docs/timeout.md")]
    #[track_caller]
    fn timeout<E>(self, limit: Duration) -> Timeout<Self, E>
    where
        Self: Sized,
        Self::Error: Raise<E>,
        E: FlowError + From<Elapsed>,
    {
        Timeout::new(self, limit)
    }

    // Failures, beginnings and ends.

    #[doc = include_str!("docs/or_fail.md")]
    fn or_fail<T, E>(self) -> OrFail<Self>
    where
        Self: Sized + Flow<Item = Result<T, E>, Error: Unify<E>>,
        E: FlowError,
    {
        OrFail::new(self)
    }

    #[doc = include_str!("docs/map_err.md")]
    fn map_err<E, F>(self, map: F) -> MapErr<Self, F>
    where
        Self: Sized,
        E: FlowError,
        F: FnOnce(Self::Error) -> E,
    {
        MapErr::new(self, map)
    }

    #[doc = include_str!("docs/catch.md")]
    fn catch<R, B>(self, code: B) -> Catch<Self, B, Self::Error, Self::Item, impl Future<Output = R>>
    where
        Self: Sized,
        B: AsyncFnOnce(Self::Error, &mut Emitter<'_, Self::Item>) -> R,
        R: Verdict,
    {
        catch(self, code)
    }

    #[doc = include_str!("docs/retry.md")]
    fn retry(self, times: u64) -> Retry<Self>
    where
        Self: Sized + Clone,
    {
        Retry::new(self, times)
    }

    #[doc = include_str!("docs/retry_when.md")]
    fn retry_when<F, W>(self, decide: F) -> RetryWhen<Self, F, W>
    where
        Self: Sized + Clone,
        F: FnOnce(Self::Error, u64) -> W + Clone,
        W: Future<Output = Result<(), Self::Error>>,
    {
        RetryWhen::new(self, decide)
    }

    #[doc = include_str!("docs/on_start.md")]
    fn on_start<R, B>(self, code: B) -> Chain<Generator<B, Self::Item, impl Future<Output = R>>, Self>
    where
        Self: Sized,
        R: Verdict<Error: Unify<Self::Error>>,
        B: AsyncFnOnce(&mut Emitter<'_, Self::Item>) -> R,
    {
        Chain::new(flow(code), self)
    }

    #[doc = include_str!("docs/on_empty.md")]
    fn on_empty<R, B>(self, code: B) -> OnEmpty<Self, Generator<B, Self::Item, impl Future<Output = R>>>
    where
        Self: Sized,
        Self::Error: Unify<R::Error>,
        R: Verdict,
        B: AsyncFnOnce(&mut Emitter<'_, Self::Item>) -> R,
    {
        OnEmpty::new(self, flow(code))
    }

    #[doc = include_str!("docs/on_completion.md")]
    fn on_completion<F>(self, tell: F) -> OnCompletion<Self, F, Self::Error>
    where
        Self: Sized,
        F: FnOnce(Completion<'_, Self::Error>),
    {
        OnCompletion::new(self, tell)
    }

    // Ends of the chain, which are awaited.

    #[doc = include_str!("docs/next.md")]
    fn next(&mut self) -> Next<'_, Self>
    where
        Self: Sized + Unpin,
    {
        Next(self)
    }

    #[doc = include_str!("docs/first.md")]
    fn first(self) -> Gather<Self, First<Self::Item>>
    where
        Self: Sized,
    {
        Gather::new(self, First(None))
    }

    #[doc = include_str!("docs/single.md")]
    fn single(self) -> Gather<Self, Single<Self::Item>>
    where
        Self: Sized,
    {
        Gather::new(self, Single(Err(NotSingle::Empty)))
    }

    #[doc = include_str!("docs/last.md")]
    fn last(self) -> Gather<Self, Last<Self::Item>>
    where
        Self: Sized,
    {
        Gather::new(self, Last(None))
    }

    #[doc = include_str!("docs/count.md")]
    fn count(self) -> Gather<Self, Count>
    where
        Self: Sized,
    {
        Gather::new(self, Count::default())
    }

    #[doc = include_str!("docs/any.md")]
    fn any<F>(self, is: F) -> Gather<Self, Any<F>>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> bool,
    {
        Gather::new(self, Any::new(is))
    }

    #[doc = include_str!("docs/all.md")]
    fn all<F>(self, is: F) -> Gather<Self, All<F>>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> bool,
    {
        Gather::new(self, All::new(is))
    }

    #[doc = include_str!("docs/fold.md")]
    fn fold<A, F>(self, init: A, fold: F) -> Gather<Self, Fold<A, F>>
    where
        Self: Sized,
        F: FnMut(A, Self::Item) -> A,
    {
        Gather::new(self, Fold::new(init, fold))
    }

    #[doc = include_str!("docs/reduce.md")]
    fn reduce<F>(self, reduce: F) -> Gather<Self, Reduce<Self::Item, F>>
    where
        Self: Sized,
        F: FnMut(Self::Item, Self::Item) -> Self::Item,
    {
        Gather::new(self, Reduce::new(reduce))
    }

    #[doc = include_str!("docs/collect.md")]
    #[doc(alias = "to_list")]
    fn collect<C>(self) -> Gather<Self, Collect<C>>
    where
        Self: Sized,
        C: Default + Extend<Self::Item>,
    {
        Gather::new(self, Collect(C::default()))
    }

    #[doc = include_str!("docs/for_each.md")]
    fn for_each<F, W>(self, work: F) -> Gather<Then<Self, F, W>, Drain>
    where
        Self: Sized,
        F: FnOnce(Self::Item) -> W + Clone,
        W: Future<Output = ()>,
    {
        self.then(work).drain()
    }

    #[doc = include_str!("docs/try_for_each.md")]
    fn try_for_each<E, F, W>(self, work: F) -> Gather<TryThen<Self, E, F, W>, Drain>
    where
        Self: Sized,
        Self::Error: Raise<E>,
        E: Fault,
        F: FnOnce(Self::Item) -> W + Clone,
        W: Future<Output = Result<(), E>>,
    {
        self.map_err(Raise::raise as fn(Self::Error) -> E).then(work).or_fail().drain()
    }

    #[doc = include_str!("docs/collect_latest.md")]
    fn collect_latest<F, W>(self, work: F) -> Gather<MapLatest<Self, F, W>, Drain>
    where
        Self: Sized,
        F: FnOnce(Self::Item) -> W + Clone,
        W: Future<Output = ()>,
    {
        self.map_latest(work).drain()
    }

    #[doc = include_str!("docs/drain.md")]
    fn drain(self) -> Gather<Self, Drain>
    where
        Self: Sized,
    {
        Gather::new(self, Drain)
    }

    #[doc = include_str!("docs/launch_in.md")]
    #[track_caller]
    fn launch_in<E, D>(self, scope: &Scope<E, D>) -> Deferred<(), E, D>
    where
        Self: Sized + Send + 'static,
        Self::Error: Raise<E>,
        E: Fault,
    {
        scope.spawn(self.map_err(Raise::raise as fn(Self::Error) -> E).drain())
    }

    #[doc = include_str!("docs/share_in.md")]
    #[track_caller]
    fn share_in<E, D, P>(
        self,
        scope: &Scope<E, D>,
        start: P,
        sharing: Sharing,
    ) -> SharedFlow<Self::Item, <Self::Error as Share>::Shared>
    where
        Self: Sized + Send + 'static,
        Self::Item: Send + 'static,
        Self::Error: Share,
        E: Fault,
        P: Start<Self>,
    {
        let (emitter, shared) = SharedFlow::fallible(sharing);
        scope.spawn(share(self, start.plan(), emitter));
        shared
    }

    #[doc = include_str!("docs/state_in.md")]
    #[track_caller]
    fn state_in<E, D, P>(self, scope: &Scope<E, D>, start: P, initial: Self::Item) -> StateFlow<Self::Item>
    where
        Self: Sized + Send + 'static,
        Self::Item: Clone + PartialEq + Send + Sync + 'static,
        Self::Error: Raise<E> + Send,
        E: Fault,
        P: Start<Self>,
    {
        let (cell, state) = StateFlow::new(initial.clone());
        scope.spawn(hold(self, start.plan(), cell, initial));
        state
    }

    #[doc = include_str!("docs/first_state_in.md")]
    #[track_caller]
    fn first_state_in<E, D>(
        self,
        scope: &Scope<E, D>,
    ) -> impl Future<Output = Output<Self::Error, Option<StateFlow<Self::Item>>>>
    where
        Self: Sized + Send + 'static,
        Self::Item: Clone + PartialEq + Send + Sync + 'static,
        Self::Error: Raise<E> + Send + 'static,
        E: Fault,
    {
        first_state(self, scope)
    }

    #[doc = include_str!("docs/produce_in.md")]
    #[track_caller]
    fn produce_in<E, D>(self, scope: &Scope<E, D>, places: usize) -> Receiver<Self::Item>
    where
        Self: Sized + Send + 'static,
        Self::Item: Send,
        Self::Error: Raise<E>,
        E: Fault,
    {
        scope.produce(channel::bounded(places), |sender| async move {
            let mut flow = pin!(self.map_err(Raise::raise as fn(Self::Error) -> E));
            while let Some(item) = flow.next().await? {
                if sender.send(item).await.is_err() {
                    break;
                }
            }
            Ok(())
        })
    }

    // Other shapes.

    #[doc = include_str!("docs/boxed.md")]
    fn boxed<'a>(self) -> BoxFlow<'a, Self::Item, Self::Error>
    where
        Self: Sized + Send + 'a,
    {
        BoxFlow::new(self)
    }

    #[doc = include_str!("docs/into_stream.md")]
    fn into_stream(self) -> IntoStream<Self>
    where
        Self: Sized,
    {
        IntoStream::new(self)
    }
}
