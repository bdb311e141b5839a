//! The orders in which a guest is woken, run, dropped and awaited, explored by `cargo xtask loom`.

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::*;

/// A cell whose body ends in the poll that sees the last wake, and which tells loom of each touch of the body.
#[repr(C)]
struct Guest {
    header: Header,
    /// How often it was polled.
    body: UnsafeCell<usize>,
    /// Wakes that happened; a body must see each that came before its last poll, and nothing but the wakes orders them.
    wakes: AtomicUsize,
    wakes_wanted: usize,
    queue: Arc<Mutex<Vec<Turn>>>,
    waker: std::sync::Mutex<Option<Waker>>,
    freed: Arc<AtomicUsize>,
}

// SAFETY: `repr(C)`, and the first field is a `Header`.
unsafe impl Cell for Guest {}
// SAFETY: As above.
unsafe impl Begins<Header> for Guest {}

static TABLE: VTable = VTable {
    poll: |cell, cx| {
        let guest = unsafe { cell.cast::<Guest>().as_ref() };
        let polls = guest.body.with_mut(|polls| unsafe {
            *polls += 1;
            *polls
        });
        let wakes = guest.wakes.load(Ordering::Relaxed);
        if wakes == guest.wakes_wanted {
            guest.header.end();
            return Poll::Ready(());
        }
        assert!(polls <= 1 + wakes, "polled again although nobody had woken it");
        *guest.waker.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    },
    abandon: |cell| {
        let guest = unsafe { cell.cast::<Guest>().as_ref() };
        guest.body.with_mut(|_| ());
        guest.header.end();
    },
    schedule: |cell, turn| unsafe { cell.cast::<Guest>().as_ref() }.queue.lock().unwrap().push(turn),
    wake: |cell| unsafe { wake_by_ref(cell) },
    take: |cell, _| unsafe { cell.cast::<Guest>().as_ref() }.body.with_mut(|_| ()),
    free: |cell| {
        let guest = unsafe { Box::from_raw(cell.cast::<Guest>().as_ptr()) };
        guest.freed.fetch_add(1, Ordering::Relaxed);
    },
    tail: 0,
};

struct Setup {
    guest: Ref<Guest>,
    turn: Turn,
    queue: Arc<Mutex<Vec<Turn>>>,
    freed: Arc<AtomicUsize>,
}

fn setup() -> Setup {
    setup_for(1)
}

/// A guest that ends once it has seen so many wakes.
fn setup_for(wakes_wanted: usize) -> Setup {
    let (queue, freed) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let guest = Box::new(Guest {
        header: Header::scheduled(&TABLE),
        body: UnsafeCell::new(0),
        wakes: AtomicUsize::new(0),
        wakes_wanted,
        queue: Arc::clone(&queue),
        waker: std::sync::Mutex::default(),
        freed: Arc::clone(&freed),
    });
    // SAFETY: One reference, and the life that the turn ends, are counted; reference and turn are made here.
    let guest = unsafe { Ref::new(NonNull::from(Box::leak(guest))) };
    let turn = unsafe { Turn::first(&guest) };
    Setup { guest, turn, queue, freed }
}

fn run(turn: Turn) {
    let mut next = Some(turn);
    while let Some(turn) = next {
        next = match turn.run() {
            Ran::Again(turn) => Some(turn),
            Ran::Done => None,
        };
    }
}

/// Runs what is queued; there is never more than one turn.
fn run_queued(queue: &Mutex<Vec<Turn>>) {
    let turn = {
        let mut queue = queue.lock().unwrap();
        assert!(queue.len() < 2, "two turns of one guest");
        queue.pop()
    };
    turn.into_iter().for_each(run);
}

fn count_and_wake(guest: &Ref<Guest>) {
    guest.wakes.fetch_add(1, Ordering::Relaxed);
    guest.wake();
}

/// Wake against run: no wake is lost, no two polls overlap, and the last reference frees.
#[test]
fn a_wake_during_a_poll_is_followed_by_a_poll() {
    loom::model(|| {
        let Setup { guest, turn, queue, freed } = setup();
        let waker = {
            let guest = guest.clone();
            thread::spawn(move || count_and_wake(&guest))
        };
        run(turn);
        waker.join().unwrap();
        run_queued(&queue);
        assert!(guest.header.has_ended());
        *guest.waker.lock().unwrap() = None;
        drop(guest);
        assert_eq!(freed.load(Ordering::Relaxed), 1);
    });
}

/// Wake against wake against run: the second comes while there is the turn that the first made, or after.
#[test]
fn two_wakes_of_an_idle_guest_are_both_seen() {
    loom::model(|| {
        let Setup { guest, turn, queue, freed } = setup_for(2);
        run(turn);
        let wakers = [(); 2].map(|()| {
            let guest = guest.clone();
            thread::spawn(move || count_and_wake(&guest))
        });
        run_queued(&queue);
        run_queued(&queue);
        wakers.into_iter().for_each(|waker| waker.join().unwrap());
        run_queued(&queue);
        assert!(guest.header.has_ended(), "a wake was lost");
        *guest.waker.lock().unwrap() = None;
        drop(guest);
        assert_eq!(freed.load(Ordering::Relaxed), 1);
    });
}

/// Wake against drop: a turn that a queue drops ends the body, once, whatever wakes come.
#[test]
fn a_dropped_turn_ends_the_body_once() {
    loom::model(|| {
        let Setup { guest, turn, queue, freed } = setup();
        let waker = {
            let guest = guest.clone();
            thread::spawn(move || guest.wake())
        };
        drop(turn);
        waker.join().unwrap();
        assert!(guest.header.has_ended());
        assert!(queue.lock().unwrap().is_empty());
        drop(guest);
        assert_eq!(freed.load(Ordering::Relaxed), 1);
    });
}

/// Join against completion: who awaits is told of the end or sees it, and touches the outcome alone.
#[test]
fn who_awaits_sees_the_end_or_is_told() {
    loom::model(|| {
        let Setup { guest, turn, .. } = setup();
        let runner = {
            let guest = guest.clone();
            thread::spawn(move || {
                guest.body.with_mut(|_| ());
                let audience = guest.header.end();
                drop(turn);
                audience.awaited
            })
        };
        let seen = guest.header.note_awaited();
        if seen {
            guest.body.with_mut(|_| ());
        }
        let told = runner.join().unwrap();
        assert!(seen || told);
    });
}

/// Awaiting again against completion: the waker that was left may be replaced, and whoever ended the guest takes one.
#[test]
fn a_waker_is_replaced_or_taken_by_one_at_a_time() {
    loom::model(|| {
        let Setup { guest, turn, .. } = setup();
        let waiter = Arc::new(UnsafeCell::new(0));
        let runner = {
            let (guest, waiter) = (guest.clone(), Arc::clone(&waiter));
            thread::spawn(move || {
                guest.body.with_mut(|_| ());
                let awaited = guest.header.end().awaited;
                if awaited {
                    waiter.with_mut(|_| ());
                }
                drop(turn);
                awaited
            })
        };
        let mut seen = false;
        for _ in 0..2 {
            seen = seen || guest.header.note_unawaited();
            if !seen {
                waiter.with_mut(|_| ());
                seen = guest.header.note_awaited();
            }
        }
        let told = runner.join().unwrap();
        assert!(seen || told);
    });
}

/// Abandoning against completion: exactly one of the two looks after the outcome.
#[test]
fn an_outcome_is_looked_after_by_exactly_one() {
    loom::model(|| {
        let Setup { guest, turn, .. } = setup();
        let runner = {
            let guest = guest.clone();
            thread::spawn(move || {
                guest.body.with_mut(|_| ());
                let abandoned = guest.header.end().abandoned;
                if abandoned {
                    guest.body.with_mut(|_| ());
                }
                drop(turn);
                abandoned
            })
        };
        let mine = match guest.abandon() {
            Some(guest) => {
                guest.body.with_mut(|_| ());
                true
            }
            None => false,
        };
        assert_ne!(mine, runner.join().unwrap());
    });
}
