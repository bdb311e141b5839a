//! The order in which a test has its guests polled: by the dice of a seed, and up to a cut.
//!
//! An order is set for a thread, which is the one of a test's runtime. While one is set, lanes and local scopes ask it
//! which of the guests that are ready is next, and tell it of each poll; otherwise they do what they always do.

use std::cell::RefCell;
use std::task::Waker;

use fastrand::Rng;

/// One poll in so many, by the dice, is the last before other tasks have their turn.
const GIVES_WAY_EVERY: u64 = 8;

/// What a test wants of the order of polls.
#[derive(Default)]
struct Order {
    /// What the dice are thrown from; without it the order is that of the queues.
    seed: Option<u64>,
    dice: Rng,
    cut: Option<Cut>,
}

/// The poll after which a test is to be cut.
struct Cut {
    polls_left: u64,
    /// Who cuts; taken when it is time.
    cutter: Option<Waker>,
}

thread_local! {
    static ORDER: RefCell<Option<Order>> = const { RefCell::new(None) };
}

/// Has the guests of this thread polled in an order drawn from `seed`, until the result is dropped.
pub(crate) fn seeded(seed: u64) -> Set {
    set(Order { seed: Some(seed), dice: Rng::with_seed(seed), cut: None })
}

/// Wakes `cutter` after `polls` polls of this thread's guests, and has no guest polled after that, until the result is
/// dropped. The dice begin anew, so that each cut of the same test meets the same order.
pub(crate) fn cut_after(polls: u64, cutter: Waker) -> Set {
    let cut = Some(Cut { polls_left: polls, cutter: Some(cutter) });
    let seed = seed();
    set(Order { seed, dice: Rng::with_seed(seed.unwrap_or_default()), cut })
}

/// The seed of the order that is set.
pub(crate) fn seed() -> Option<u64> {
    ORDER.with_borrow(|order| order.as_ref().and_then(|order| order.seed))
}

fn set(order: Order) -> Set {
    Set { outer: ORDER.replace(Some(order)) }
}

/// Puts the outer order back when it is dropped.
#[must_use = "the order holds until this is dropped"]
pub(crate) struct Set {
    outer: Option<Order>,
}

impl Drop for Set {
    fn drop(&mut self) {
        ORDER.set(self.outer.take());
    }
}

/// Whether guests of this thread are polled in an order that a test has set.
pub(super) fn is_set() -> bool {
    ORDER.with_borrow(Option::is_some)
}

/// Which of `count` guests is next; `None` where there is none, or none is to be polled any more.
pub(super) fn pick(count: usize) -> Option<usize> {
    ORDER.with_borrow_mut(|order| match order {
        _ if count == 0 => None,
        Some(order) if order.is_cut() => None,
        Some(Order { seed: Some(_), dice, .. }) => Some(dice.usize(..count)),
        _ => Some(0),
    })
}

/// Counts a poll of a guest; returns whether other tasks have their turn now.
pub(super) fn note_poll() -> bool {
    let (cutter, gives_way) = count();
    if let Some(cutter) = cutter {
        cutter.wake();
    }
    gives_way
}

/// Counts a poll by the one who cuts, who sees by himself when it is time.
pub(crate) fn note_own_poll() {
    drop(count());
}

/// Counts a poll; gives whom to wake, and whether other tasks have their turn.
fn count() -> (Option<Waker>, bool) {
    ORDER.with_borrow_mut(|order| {
        let Some(order) = order else { return (None, false) };
        let gives_way = order.seed.is_some() && order.dice.u64(..GIVES_WAY_EVERY) == 0;
        let cutter = order.cut.as_mut().and_then(|cut| {
            cut.polls_left = cut.polls_left.saturating_sub(1);
            if cut.polls_left == 0 { cut.cutter.take() } else { None }
        });
        (cutter, gives_way || order.is_cut())
    })
}

/// Whether it is time to cut.
pub(crate) fn is_cut() -> bool {
    ORDER.with_borrow(|order| order.as_ref().is_some_and(Order::is_cut))
}

impl Order {
    fn is_cut(&self) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut.polls_left == 0)
    }
}
