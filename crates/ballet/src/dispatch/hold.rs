//! Wakes that can wait until the body of a scope yields.
//!
//! A scope in a plain Tokio task spawns from outside the lanes. A lane that was woken for the first child, on another
//! worker, would be asleep again before the second is there, and each wake costs more than a child. So while a
//! body is polled, the wake is held until the poll ends, or until there is enough work for a worker of its own. What
//! waits meanwhile lies in the open, and the watch helps it when the poll is a long one; so nothing is held from a
//! crew that the watch does not look after.

use std::cell::RefCell;
use std::sync::Arc;

use super::crew::Crew;

/// Children that are worth a wake at once.
const ENOUGH: u32 = 32;

#[derive(Default)]
struct Held {
    /// Bodies that are being polled on this thread, one inside the other.
    bodies: u32,
    added: u32,
    /// Whose lane is to be woken when the outermost poll ends.
    crew: Option<Arc<Crew>>,
}

thread_local! {
    static HELD: RefCell<Held> = RefCell::default();
}

/// When a lane is woken for work that a body adds.
pub(super) enum When {
    /// When the poll of the body ends.
    Later,
    /// There is enough of it.
    Now,
}

/// Counts work that is being added to `crew`, if a body is being polled on this thread whose wakes are held.
pub(super) fn when_to_wake(crew: &Arc<Crew>) -> Option<When> {
    let held = HELD.try_with(|held| {
        let mut held = held.borrow_mut();
        if held.bodies == 0 || held.crew.as_ref().is_some_and(|other| !Arc::ptr_eq(other, crew)) {
            return None;
        }
        held.added += 1;
        if held.added >= ENOUGH {
            held.added = 0;
            return Some(When::Now);
        }
        held.crew.get_or_insert_with(|| Arc::clone(crew));
        Some(When::Later)
    });
    held.ok().flatten()
}

/// Holds wakes while the result lives: for the time of one poll.
pub(crate) fn hold_wakes() -> Hold {
    HELD.with_borrow_mut(|held| held.bodies += 1);
    Hold(())
}

/// Makes the wakes that were held, when the outermost poll ends.
pub(crate) struct Hold(());

impl Drop for Hold {
    fn drop(&mut self) {
        let crew = HELD.with_borrow_mut(|held| {
            held.bodies -= 1;
            if held.bodies > 0 {
                return None;
            }
            held.added = 0;
            held.crew.take()
        });
        if let Some(crew) = crew {
            crew.wake_for_work();
        }
    }
}
