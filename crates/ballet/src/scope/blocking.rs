//! Blocking calls and CPU work, as children of a scope like any other.
//!
//! The child is a future that waits for a place, then for a closure on a thread of Tokio's blocking pool. A closure
//! cannot be dropped half-way, so from its start the child is shielded: its owner waits for it, and a cancellation
//! reaches it as a flag and through hooks (see `interrupt`). The module refuses to give up on a closure that ignores
//! both: it stays in the tree, and is named like every other straggler.
//!
//! Two bounds stand here, one for calls that wait and one for calls that compute, both for the whole process. Bounds of
//! the user's own are bulkheads, in [`crate::supervise`].

use std::future::pending;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use futures_util::future::{Either, select};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tracing::Span;

use super::interrupt::Cancel;
use super::{Child, Scope, cancelled, shield};
use crate::job::{Deferred, Fault, Origin, Reason, current, lock};
use crate::observe::say;
use crate::sync::Mutex;

/// How many closures of [`Scope::blocking`] run at once in a process; more of them wait.
///
/// Half of the 512 threads that a Tokio runtime has for blocking calls by default, so that Tokio's own, such as reading
/// files and looking up names, always find one.
pub const BLOCKING_PLACES: usize = 256;

static BLOCKING: Semaphore = Semaphore::const_new(BLOCKING_PLACES);
static COMPUTE: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, NonZero::get)));

impl<E: Fault, D> Scope<E, D> {
    /// Runs `work`, which may block, as a child: on a thread of Tokio's blocking pool, where it sees the child's
    /// [`Context`](crate::Context) and `tracing` span. To name the child, call [`named`](Self::named) first.
    ///
    /// At most [`BLOCKING_PLACES`] run at once in the process. Work that waits for a place, or for a thread, and is
    /// cancelled, never begins. Work that has begun is asked to end through its [`Cancel`]: a flag to look at, and hooks
    /// that interrupt what it is blocked in. The scope waits for it whatever it does then; work that ignores both is
    /// named when the scope has waited for a second, and in the [`Curtain`](crate::Curtain) of a shutdown.
    ///
    /// A value that it returns after it was asked counts. An error that it returns after it was asked is taken for the
    /// interruption, so that the job is [cancelled](crate::Outcome::Cancelled) and has not failed; it is written to
    /// `tracing` at the level *debug*. A panic in it is the child's.
    ///
    /// # Deadlocks
    ///
    /// Work that waits for other work of the same bound keeps its own place while it does: enough of it at once waits
    /// for ever. Give the inner one a bound of its own, with [`blocking_in`](Child::blocking_in).
    ///
    /// # Cost
    ///
    /// A child, and a task and a wake-up of Tokio's blocking pool.
    ///
    /// # Examples
    ///
    /// A blocking read that is interrupted by closing its socket:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::{Cancel, Scope, observe::State};
    /// use std::io::Read;
    /// use std::net::{Shutdown, TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let reader = ballet::scope(async |s: Scope| {
    ///     let (begun, reading) = tokio::sync::oneshot::channel();
    ///     let reader = s.named("reader").blocking(move |cancel: &Cancel| {
    ///         let mut socket = TcpStream::connect(address)?;
    ///         let peer = socket.try_clone()?;
    ///         let _hook = cancel.on_cancel(move || drop(peer.shutdown(Shutdown::Both)));
    ///         begun.send(()).ok();
    ///         let mut text = String::new();
    ///         socket.read_to_string(&mut text)?; // the server never says a word
    ///         Ok(text)
    ///     });
    ///     reading.await?;
    ///     reader.job().cancel();
    ///     Ok(reader.job().clone())
    /// })
    /// .await?;
    /// assert!(reader.state().is_ended());
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn blocking<T, W>(&self, work: W) -> Deferred<T, E, D>
    where
        W: FnOnce(&Cancel) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        self.nameless().blocking(work)
    }

    /// Runs `work`, which computes, as a child: as [`blocking`](Self::blocking), with a bound of its own, of as many as
    /// there are processors. Long work looks at [`Cancel::is_cancelled`] now and then.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// let sum = ballet::scope(async |s: ballet::Scope| {
    ///     let sum = s.named("sum").compute(|cancel| {
    ///         Ok((0..1_000_000_u64).take_while(|_| !cancel.is_cancelled()).sum::<u64>())
    ///     });
    ///     Ok(sum.await)
    /// })
    /// .await?;
    /// assert_eq!(sum, 499_999_500_000);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn compute<T, W>(&self, work: W) -> Deferred<T, E, D>
    where
        W: FnOnce(&Cancel) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        self.nameless().compute(work)
    }
}

impl<E: Fault, D> Child<'_, E, D> {
    /// Runs `work`, which may block, as this child; see [`Scope::blocking`].
    #[track_caller]
    pub fn blocking<T, W>(self, work: W) -> Deferred<T, E, D>
    where
        W: FnOnce(&Cancel) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        self.on_thread(place_in(&BLOCKING), work)
    }

    /// Runs `work`, which computes, as this child; see [`Scope::compute`].
    #[track_caller]
    pub fn compute<T, W>(self, work: W) -> Deferred<T, E, D>
    where
        W: FnOnce(&Cancel) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        self.on_thread(place_in(&COMPUTE), work)
    }

    /// Waits for `place`, and then runs `work` on a thread, which gives the place back when it is done.
    #[track_caller]
    pub(crate) fn on_thread<P, T, W>(
        self,
        place: impl Future<Output = Result<P, E>> + Send + 'static,
        work: W,
    ) -> Deferred<T, E, D>
    where
        P: Send + 'static,
        W: FnOnce(&Cancel) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        // Grace is time to end by itself; work on a thread has all the time it takes.
        let child = Self { grace: None, ..self };
        child.spawn(async move {
            let mut thread = Thread::begin(place.await?, work);
            match shield(thread.follow()).await {
                Some(result) => result,
                // It was asked to end and has no value: this is the yield at which it is cut.
                None => pending().await,
            }
        })
    }
}

/// A place below one of the bounds of the process, which are never closed.
async fn place_in<E>(bound: &'static Semaphore) -> Result<Option<SemaphorePermit<'static>>, E> {
    Ok(bound.acquire().await.ok())
}

/// Work that has been handed to a thread, from the child's side.
struct Thread<T, E> {
    /// Gives `None` where the thread found that the work had been called off.
    handle: JoinHandle<Option<Result<T, E>>>,
    /// Empty from the moment at which the work begins, or is called off.
    unbegun: Arc<Mutex<Option<Work<T, E>>>>,
    cancel: Cancel,
    is_over: bool,
}

/// The user's closure, with the place in which it runs.
type Work<T, E> = Box<dyn FnOnce(&Cancel) -> Result<T, E> + Send>;

impl<T: Send + 'static, E: Fault> Thread<T, E> {
    fn begin<P: Send + 'static>(
        place: P,
        work: impl FnOnce(&Cancel) -> Result<T, E> + Send + 'static,
    ) -> Self {
        let placed: Work<T, E> = Box::new(move |cancel| {
            let _place = place;
            work(cancel)
        });
        let unbegun = Arc::new(Mutex::new(Some(placed)));
        let (cancel, node, span) = (Cancel::new(), current(), Span::current());
        let (work, flag) = (Arc::clone(&unbegun), cancel.clone());
        let handle = spawn_blocking(move || {
            let work = lock(&work).take()?;
            let _inside = node.stand_in();
            let _span = span.enter();
            Some(work(&flag))
        });
        Self { handle, unbegun, cancel, is_over: false }
    }

    /// The result of the work; `None` where it was asked to end and has no value.
    async fn follow(&mut self) -> Option<Result<T, E>> {
        match select(&mut self.handle, pin!(cancelled())).await {
            Either::Left((ended, _)) => {
                self.is_over = true;
                returned(ended)
            }
            Either::Right((reason, _)) => self.interrupt(reason).await.map(Ok),
        }
    }

    /// Calls the work off, or asks it to end and waits for it; gives the value if it has one nevertheless.
    async fn interrupt(&mut self, reason: Reason) -> Option<T> {
        if self.call_off() {
            return None;
        }
        let panicked = self.cancel.raise(reason);
        let ended = (&mut self.handle).await;
        self.is_over = true;
        if let Some(payload) = panicked {
            resume_unwind(payload);
        }
        match returned(ended)? {
            Ok(value) => Some(value),
            Err(error) => {
                let (path, place) = (current().path(), current().place);
                say(|| {
                    tracing::debug!(target: "ballet", %path, %place, "interrupted: {error:?}");
                });
                None
            }
        }
    }
}

impl<T, E> Thread<T, E> {
    /// Drops the work, and its place with it, if it has not begun: it may wait for a thread for a long time.
    fn call_off(&mut self) -> bool {
        let unbegun = lock(&self.unbegun).take();
        self.is_over |= unbegun.is_some();
        unbegun.is_some()
    }
}

/// A runtime that shuts down drops the child: nobody waits for the work then, but it is asked to end.
impl<T, E> Drop for Thread<T, E> {
    fn drop(&mut self) {
        if self.is_over || self.call_off() {
            return;
        }
        let node = current();
        let dropped = || Reason::Dropped(Origin::new(node.path(), node.place));
        if self.cancel.raise(node.asked().unwrap_or_else(dropped)).is_some() {
            say(|| {
                tracing::error!(
                    target: "ballet",
                    path = %node.path(), place = %node.place,
                    "a hook of blocking work panicked while its runtime was shut down"
                );
            });
        }
    }
}

/// What the work returned; `None` where it never began. A panic of the work goes on here.
fn returned<R>(ended: Result<Option<R>, JoinError>) -> Option<R> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(result) => result,
        Err(Ok(payload)) => resume_unwind(payload),
        // The runtime was shut down before a thread came to it.
        Err(Err(_)) => None,
    }
}
