//! One run of a test's body, below a root of its own, and the verdict on it.
//!
//! A run begins with a tree that is empty and must end so; a failure in the tree that nobody looked at is told to it
//! through the context (see `job::Witness`), so it counts for the test that it happened in, whatever thread it was on.

use std::future::poll_fn;
use std::mem;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use super::idle::Idle;
use super::standstill::guarded;
use crate::context::{Key, Values};
use crate::dispatch::guest::Ref;
use crate::job::{Node, NodeRef, Seen, Watched, Witness, current, lock};
use crate::scope::FaultRules;
use crate::sync::Mutex;

/// How long, in virtual time, adopted scopes may take to end after the body of a test.
const ADOPTED_BUDGET: Duration = Duration::from_secs(60);

/// Runs the body of a `#[ballet::test]` on a current-thread runtime in virtual time, below a root of its own.
///
/// This is what the attribute calls; it serves where a test is written by hand, as in a property test.
///
/// Time stands still while a job can run, a blocking call is out, or IO goes on, and jumps to the next timer when all
/// else waits. For blocking calls this is exact. For IO it rests on a bound: while the test has a socket or a pipe
/// open, time moves on only after [`IO_QUIET`](super::IO_QUIET) of real time in which nothing happened; a peer that
/// takes longer is awaited in [`real`](super::real).
///
/// # Panics
///
/// When the body panics. When it cannot go on: everything waits and no timer is left. And once it has ended, when a job
/// or an open scope is left, or a failure was not looked at: one that no `on_failure` sink was set for. The message draws
/// the tree, or names the job and the place of its birth.
///
/// # Examples
///
/// ```
/// use ballet::testing;
/// use std::time::Duration;
/// use tokio::time::{Instant, sleep};
///
/// testing::run("an hour passes at once", async {
///     let before = Instant::now();
///     sleep(Duration::from_secs(3600)).await;
///     assert_eq!(before.elapsed(), Duration::from_secs(3600));
/// });
/// ```
///
/// A test in which everything waits fails, and does not hang:
///
/// ```should_panic
/// # use ballet::{Scope, channel};
/// ballet::testing::run("nobody sends", async {
///     let (_tx, rx) = channel::bounded::<u32>(1);
///     ballet::scope(async |s: Scope| {
///         s.named("reader").spawn(async move { Ok(rx.recv().await?) });
///         Ok(())
///     })
///     .await
/// }); // reader · job · running · … · waits to receive from a channel of u32
/// ```
#[track_caller]
pub fn run<R>(name: &'static str, body: impl Future<Output = R>) -> R {
    rehearse(name, Location::caller(), body)
}

/// As [`run`], for code that stands elsewhere.
pub(super) fn rehearse<R>(
    name: &'static str,
    place: &'static Location<'static>,
    body: impl Future<Output = R>,
) -> R {
    let idle = Idle::new();
    let (parks, rehearsal) = (Arc::clone(&idle), Rehearsal::new(name.to_owned(), &idle, place));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(move || parks.park())
        .build()
        .unwrap_or_else(|error| panic!("the Tokio runtime could not be started: {error}"));
    let _closing = idle.open();
    runtime.block_on(guarded(&idle, async {
        let result = rehearsal.perform(body).await;
        if let Err(wrong) = rehearsal.verdict().await {
            panic!("{wrong}");
        }
        result
    }))
}

/// Takes the failures of this test that reached the default end, each as a line: those do not fail it any more.
///
/// A failure reaches that end when nobody awaits its job and no [`on_failure`](crate::SupervisorScope::on_failure) sink
/// is set. Outside of a test the result is empty.
///
/// # Examples
///
/// ```
/// use ballet::{Error, SupervisorScope, testing};
///
/// testing::run("a failure that nobody awaits is told", async {
///     ballet::supervisor_scope(async |s: SupervisorScope| {
///         s.named("moth").spawn(async { Err::<(), _>(Error::msg("burnt")) });
///         Ok(())
///     })
///     .await
///     .unwrap();
///     assert!(testing::take_unobserved().concat().contains("moth"));
/// });
/// ```
#[must_use]
pub fn take_unobserved() -> Vec<String> {
    let values = current().values();
    values.get::<Witness>().map(|seen| mem::take(&mut lock(seen).unobserved)).unwrap_or_default()
}

/// What the kit's functions find in the context of the test that they are called in.
pub(super) struct InTest;

impl Key for InTest {
    type Value = Arc<Idle>;
}

/// The test whose code runs here.
///
/// # Panics
///
/// Outside of every test.
#[track_caller]
pub(super) fn this_test() -> Arc<Idle> {
    let idle = current().values().get::<InTest>().cloned();
    idle.unwrap_or_else(|| panic!("this is for the code of a `#[ballet::test]`, and for its jobs"))
}

/// A root for one run of a body.
pub(super) struct Rehearsal {
    name: String,
    root: Ref<Watched>,
    seen: Arc<Mutex<Seen>>,
    idle: Arc<Idle>,
}

impl Rehearsal {
    pub(super) fn new(name: String, idle: &Arc<Idle>, place: &'static Location<'static>) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let values = Values::default()
            .with::<Witness>(Arc::clone(&seen))
            .with::<InTest>(Arc::clone(idle))
            .with::<FaultRules>(idle.faults().rules());
        let root = Node::test_root(name.clone(), values, place);
        idle.add_root(root.node());
        Self { name, root, seen, idle: Arc::clone(idle) }
    }

    pub(super) fn root(&self) -> &NodeRef {
        self.root.node()
    }

    /// Runs `body` as the code of the root.
    pub(super) async fn perform<R>(&self, body: impl Future<Output = R>) -> R {
        let mut body = pin!(body);
        poll_fn(|cx| self.poll(body.as_mut(), cx)).await
    }

    /// One poll of `body` as the code of the root.
    pub(super) fn poll<R>(&self, body: Pin<&mut impl Future<Output = R>>, cx: &mut Poller<'_>) -> Poll<R> {
        let _inside = self.root.enter(cx);
        body.poll(cx)
    }

    /// Waits for what the body left to the root.
    ///
    /// # Errors
    ///
    /// What is wrong, where a job, an open scope, or a failure is left.
    pub(super) async fn verdict(&self) -> Result<(), String> {
        let root = self.root();
        let _ = tokio::time::timeout(ADOPTED_BUDGET, root.wait_childless()).await;
        let (name, tree) = (&self.name, root.tree());
        if !tree.children.is_empty() {
            return Err(format!("the test `{name}` leaked what stands below it here:\n{tree}"));
        }
        let unobserved = mem::take(&mut lock(&self.seen).unobserved);
        if unobserved.is_empty() {
            return Ok(());
        }
        let unobserved = unobserved.join("\n");
        Err(format!(
            "nobody looked at a failure in the test `{name}`: await the job, or set an `on_failure` sink\n{unobserved}"
        ))
    }

    /// The scopes whose finalizers did not end within their budgets.
    pub(super) fn finalizers_dropped(&self) -> Vec<String> {
        lock(&self.seen).finalizers_dropped.clone()
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.idle.remove_root(self.root.node());
    }
}
