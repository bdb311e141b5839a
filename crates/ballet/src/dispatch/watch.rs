//! The watch: one thread for the process, which helps work that waits behind a long poll.
//!
//! Lanes wake each other only where that pays, so a guest may be queued behind one that computes while another
//! worker sleeps. The watch looks at each crew with more than one lane every [`PERIOD`]. Where work waits and its lane
//! has not looked at the clock since, which it does after some polls, it wakes another; a guest therefore waits no longer than about
//! two periods while a worker is idle, and a lane that gets on with short polls is left alone. When nothing has run for
//! a while the watch sleeps; a new crew wakes it, and so does the first lane that is awake in a crew that slept.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use super::crew::Crew;
use crate::observe::say;

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(1);
/// Looks at nothing but sleeping lanes before the watch sleeps too.
const IDLE_LOOKS: u32 = 100;

static CREWS: LazyLock<Mutex<Vec<Weak<Crew>>>> = LazyLock::new(Mutex::default);
static THREAD: OnceLock<Option<Thread>> = OnceLock::new();
static ASLEEP: AtomicBool = AtomicBool::new(false);

/// Looks after a crew until it is closed.
pub(super) fn over(crew: &Arc<Crew>) {
    CREWS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(crew));
    THREAD.get_or_init(start);
    wake();
}

/// A lane is awake in a crew in which all seemed to sleep.
pub(super) fn wake() {
    if ASLEEP.load(Ordering::SeqCst)
        && ASLEEP.swap(false, Ordering::SeqCst)
        && let Some(Some(thread)) = THREAD.get()
    {
        thread.unpark();
    }
}

fn start() -> Option<Thread> {
    match thread::Builder::new().name("ballet-watch".to_owned()).spawn(watch) {
        Ok(handle) => Some(handle.thread().clone()),
        Err(error) => {
            say(|| {
                tracing::warn!(target: "ballet", %error, "no watch: a job may wait behind another's long poll");
            });
            None
        }
    }
}

fn watch() {
    let mut idle = 0;
    loop {
        thread::park_timeout(PERIOD);
        idle = if look() { 0 } else { idle + 1 };
        if idle >= IDLE_LOOKS {
            // Announced before the last look, so that work is seen by that look or its adder sees the announcement.
            ASLEEP.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            if !look() {
                thread::park();
            }
            ASLEEP.store(false, Ordering::SeqCst);
            idle = 0;
        }
    }
}

/// Wakes a sleeping lane of each crew in which work waits and nothing moves; returns whether any lane is awake.
fn look() -> bool {
    let crews: Vec<_> = {
        let mut crews = CREWS.lock().unwrap_or_else(PoisonError::into_inner);
        crews.retain(|crew| crew.upgrade().is_some_and(|crew| !crew.is_closed()));
        crews.iter().filter_map(Weak::upgrade).collect()
    };
    let mut any_awake = false;
    for crew in crews {
        any_awake |= !crew.parking.all_asleep();
        if crew.has_stalled()
            && let Some(waker) = crew.parking.reinforce()
        {
            waker.wake();
        }
    }
    any_awake
}
