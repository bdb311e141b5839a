//! Real IO in virtual time: how long time is held back for it.
//!
//! Tokio holds time back during a blocking call, exactly, and never for a socket; and nothing outside of Tokio can tell
//! which task waits for a socket. What can be told is whether the process has sockets or pipes that it did not have when
//! the test began. While there are any, time may move on only after a while of real quiet: the thread was parked, and
//! nothing woke it. Whoever needs more than a bound calls [`super::real`]. The design page `testing` weighs the ways.

use std::collections::HashSet;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant as RealInstant};

use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// How long, in real time, nothing must have happened before time moves on in a test that has sockets or pipes open.
///
/// An answer that comes from outside the test's own runtime and takes longer may find that time has moved on; await it
/// in [`real`](super::real).
pub const IO_QUIET: Duration = Duration::from_millis(50);

/// How long, in real time, a test waits for IO and for nothing else before it fails as one that cannot go on.
pub const IO_PATIENCE: Duration = Duration::from_secs(30);

/// Parks of the thread that one quiet lasts for. The end of a quiet wakes the runtime, and Tokio spends the first park
/// after that on the wake; the second is the one at which time moves.
const PARKS_MAX: u8 = 2;

/// What is known of the real IO of a test.
#[derive(Default)]
pub(super) struct Quiet {
    /// What was open when the test began.
    known: HashSet<u64>,
    stand: Stand,
    patience: Option<Patience>,
}

#[derive(Default)]
enum Stand {
    /// Nothing is open that was not when the test began.
    #[default]
    Closed,
    /// Something is, and the thread is parked with time held back.
    Waits(Arc<Hold>),
    /// Nothing happened for long enough, at this time and for so many parks.
    Passed { at: Instant, parks: u8 },
}

impl Quiet {
    /// Takes what is open now for none of the test's; what a runtime keeps for itself is among it.
    pub(super) fn begin(&mut self) {
        self.known = open_sources();
    }

    /// Whether time may move on now, at a moment at which nothing can run.
    pub(super) fn look(&mut self, now: Instant, test: &Waker) -> bool {
        if open_sources().is_subset(&self.known) {
            (self.stand, self.patience) = (Stand::Closed, None);
            return true;
        }
        let (stand, is_quiet) = match mem::take(&mut self.stand) {
            Stand::Waits(hold) if hold.is_over() => (Stand::Passed { at: now, parks: 1 }, true),
            Stand::Waits(hold) => {
                // Something woke the thread meanwhile.
                hold.prolong();
                (Stand::Waits(hold), false)
            }
            Stand::Passed { at, parks } if at == now && parks < PARKS_MAX => {
                (Stand::Passed { at, parks: parks + 1 }, true)
            }
            Stand::Closed | Stand::Passed { .. } => (Stand::Waits(Hold::begin()), false),
        };
        self.stand = stand;
        match &self.patience {
            // What follows a quiet is either a jump, which comes back here at once, or a wait for IO alone.
            None if is_quiet => self.patience = Patience::begin(test.clone()),
            Some(_) if !is_quiet => self.patience = None,
            _ => {}
        }
        is_quiet
    }

    /// Whether there may be IO.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.stand, Stand::Closed)
    }

    /// Whether the test has waited for IO alone for [`IO_PATIENCE`].
    pub(super) fn has_lost_patience(&self) -> bool {
        self.patience.as_ref().is_some_and(Patience::is_over)
    }
}

/// The sockets and pipes that this process has open, by their inodes. Empty where there is no `/dev/fd`.
#[cfg(unix)]
fn open_sources() -> HashSet<u64> {
    use std::fs::{metadata, read_dir};
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    let open = read_dir("/dev/fd").into_iter().flatten().flatten();
    let found = open.filter_map(|entry| metadata(entry.path()).ok());
    let sources = found.filter(|found| found.file_type().is_socket() || found.file_type().is_fifo());
    sources.map(|source| source.ino()).collect()
}

#[cfg(not(unix))]
fn open_sources() -> HashSet<u64> {
    HashSet::new()
}

/// Holds time back until nothing has happened for [`IO_QUIET`]: a blocking call, which is what Tokio does it for.
struct Hold {
    until: Mutex<RealInstant>,
    is_over: AtomicBool,
}

impl Hold {
    /// Called inside the runtime, which is woken when the hold is over.
    fn begin() -> Arc<Self> {
        let until = Mutex::new(RealInstant::now() + IO_QUIET);
        let hold = Arc::new(Self { until, is_over: AtomicBool::new(false) });
        let held = Arc::clone(&hold);
        drop(spawn_blocking(move || held.wait()));
        hold
    }

    #[expect(clippy::disallowed_methods, reason = "real time is what this thread is for")]
    fn wait(&self) {
        loop {
            // In a statement of its own, which gives the lock back before the thread sleeps.
            let left = lock(&self.until).checked_duration_since(RealInstant::now());
            let Some(left) = left else { break };
            thread::sleep(left);
        }
        self.is_over.store(true, Ordering::SeqCst);
    }

    fn prolong(&self) {
        *lock(&self.until) = RealInstant::now() + IO_QUIET;
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

/// Wakes a test that waits for IO and for nothing else: no timer of the runtime's could, because time stands still.
struct Patience(Arc<Alarm>);

#[derive(Default)]
struct Alarm {
    is_over: Mutex<Option<bool>>,
    changed: Condvar,
}

impl Patience {
    fn begin(test: Waker) -> Option<Self> {
        let alarm = Arc::new(Alarm::default());
        let waiting = Arc::clone(&alarm);
        let thread = thread::Builder::new().name("ballet-patience".to_owned());
        // Without the thread such a test hangs, which its runner ends.
        thread.spawn(move || waiting.wait(test)).ok()?;
        Some(Self(alarm))
    }

    fn is_over(&self) -> bool {
        *lock(&self.0.is_over) == Some(true)
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        lock(&self.0.is_over).get_or_insert(false);
        self.0.changed.notify_all();
    }
}

impl Alarm {
    fn wait(&self, test: Waker) {
        let is_open = |is_over: &mut Option<bool>| is_over.is_none();
        let waited = self.changed.wait_timeout_while(lock(&self.is_over), IO_PATIENCE, is_open);
        let (mut is_over, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let rings = is_over.is_none();
        is_over.get_or_insert(true);
        drop(is_over);
        if rings {
            test.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
