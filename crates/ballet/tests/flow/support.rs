//! What the tests of flows share.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ballet::flow::Never;
use ballet::{Flow, FlowExt, flow};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// Milliseconds of virtual time since `start`.
pub(crate) fn ms_since(start: tokio::time::Instant) -> u128 {
    start.elapsed().as_millis()
}

/// Runs a future to its end in virtual time, for tests that are no `async` functions.
pub(crate) fn block<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(future)
}

/// A flow that emits the items of a plan, and yields where the plan has none.
pub(crate) fn plan<T: Clone + Send + 'static>(
    steps: Vec<Option<T>>,
) -> impl Flow<Item = T, Error = Never> + Send + 'static {
    flow(async move |out| {
        for step in steps {
            match step {
                Some(item) => out.emit(item).await,
                None => tokio::task::yield_now().await,
            }
        }
    })
}

/// A flow of items with pauses before them, in milliseconds.
pub(crate) fn timed<T: Clone + Send + 'static>(
    steps: Vec<(u64, T)>,
) -> impl Flow<Item = T, Error = Never> + Send + 'static {
    flow(async move |out| {
        for (pause, item) in steps {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            out.emit(item).await;
        }
    })
}

/// What the plan emits.
pub(crate) fn items<T: Clone>(steps: &[Option<T>]) -> Vec<T> {
    steps.iter().flatten().cloned().collect()
}

/// Asserts that the flow gives these items, however it is asked: all in one go, one by one, through a box, as a stream,
/// and from the other side of a buffer.
#[track_caller]
pub(crate) fn check<S, T>(make: impl Fn() -> S, expected: &[T])
where
    S: Flow<Item = T, Error = Never> + Send + 'static,
    T: PartialEq + Debug + Send + 'static,
{
    assert_eq!(block(make().collect::<Vec<_>>()), expected, "collected");
    assert_eq!(block(one_by_one(make())), expected, "one by one");
    assert_eq!(block(one_by_one(make().boxed())), expected, "boxed, one by one");
    let stream = futures_util::StreamExt::collect::<Vec<_>>(make().into_stream());
    assert_eq!(block(stream), expected, "as a stream");
    assert_eq!(block(make().buffer(3).collect::<Vec<_>>()), expected, "buffered");
}

/// Takes the items with `next`, so that the flow is interrupted at each.
pub(crate) async fn one_by_one<S: Flow<Error = Never>>(flow: S) -> Vec<S::Item> {
    let mut flow = pin!(flow);
    let mut items = Vec::new();
    while let Some(item) = flow.next().await {
        items.push(item);
    }
    items
}

/// Counts how many of its guards live.
#[derive(Clone, Default)]
pub(crate) struct Living(Arc<AtomicUsize>);

pub(crate) struct Guard(Arc<AtomicUsize>);

impl Living {
    pub(crate) fn guard(&self) -> Guard {
        self.0.fetch_add(1, Ordering::SeqCst);
        Guard(Arc::clone(&self.0))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A list that tests write down what happened in.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<std::sync::Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().expect("no test panics while it writes").push(what.into());
    }

    pub(crate) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no test panics while it writes"))
    }
}
