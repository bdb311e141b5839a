//! One life of a supervised child, as the child sees it.

use std::fmt;
use std::sync::Arc;

use crate::job::{self, Remarked, lock};
use crate::scope::Ready;
use crate::sync::Mutex;

/// One life of a supervised child: with this it says that it is ready, and hands state to the life after it.
///
/// `S` is what it hands on. A life that hands nothing on is a plain `Life`.
///
/// # Examples
///
/// A child that goes on where the life before it came to:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Error, Life, Supervisor, child};
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static READ: AtomicU32 = AtomicU32::new(0);
///
/// let feed = child("feed").transient().run(async |life: Life<u32>| {
///     life.ready();
///     for line in life.inherit().unwrap_or(0)..3 {
///         life.leave(line + 1); // whatever happens from here on, this line is not read again
///         READ.fetch_add(1, Ordering::Relaxed);
///         if line == 1 && life.restarts() == 0 {
///             return Err(Error::msg("connection reset"));
///         }
///     }
///     Ok(())
/// });
/// let report = Supervisor::one_for_one().child(feed).run().await?;
/// assert_eq!((report.restarts(), READ.load(Ordering::Relaxed)), (1, 3));
/// # Ok(()) }
/// ```
pub struct Life<S = ()> {
    /// Empty once it is said.
    ready: Mutex<Option<Ready>>,
    restarts: u32,
    left: Arc<Mutex<Option<S>>>,
}

impl<S> Life<S> {
    pub(super) fn new(ready: Ready, restarts: u32, left: Arc<Mutex<Option<S>>>) -> Self {
        Self { ready: Mutex::new(Some(ready)), restarts, left }
    }

    /// Shows in the tree how often the child was started again, while the life that asks for it lasts.
    pub(super) fn remark(restarts: u32) -> Option<Remarked> {
        (restarts > 0).then(|| job::remark(Arc::new(move || format!("restart {restarts}"))))?
    }

    /// Says that the child is ready: the next one may be started. The second call does nothing.
    pub fn ready(&self) {
        let ready = lock(&self.ready).take();
        if let Some(ready) = ready {
            ready.announce(());
        }
    }

    /// How many lives of this child there were before, under this run of its supervisor.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Takes what an earlier life has [left](Self::leave), if any.
    #[must_use]
    pub fn inherit(&self) -> Option<S> {
        lock(&self.left).take()
    }

    /// Leaves `state` to the next life, in place of what was left before. It is kept however this life ends.
    pub fn leave(&self, state: S) {
        let before = lock(&self.left).replace(state);
        // Not under the lock, which its destructor may come to.
        drop(before);
    }
}

impl<S> fmt::Debug for Life<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Life").field("restarts", &self.restarts).finish_non_exhaustive()
    }
}
