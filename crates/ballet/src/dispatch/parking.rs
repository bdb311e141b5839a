//! Which lanes sleep, and who wakes them: no wake-up is lost, and few are made.
//!
//! A lane that finds no work announces that it sleeps and then looks once more; whoever adds work adds it first and
//! then looks for sleepers. In each order of these four steps one of the two sees the other (Dekker's argument; the
//! fences are what makes it hold). The models at the end of the file explore them all.

use std::task::{Context as Poller, Waker};

use atomic_waker::AtomicWaker;

use crate::sync::{AtomicUsize, Ordering, fence};

/// More lanes than this a crew never has; one bit of a word is kept for each.
pub(crate) const LANES_MAX: usize = usize::BITS as usize;

/// The sleepers of one crew.
#[derive(Debug)]
pub(crate) struct Parking {
    /// Bit `n` is set by lane `n` before it sleeps, and cleared by whoever takes it upon himself to wake it.
    asleep: AtomicUsize,
    wakers: Box<[AtomicWaker]>,
}

impl Parking {
    /// All `lanes` awake.
    pub(crate) fn new(lanes: usize) -> Self {
        let wakers = (0..lanes).map(|_| AtomicWaker::new()).collect();
        Self { asleep: AtomicUsize::new(0), wakers }
    }

    /// The lane announces that it sleeps. It must look for work once more, and [`rise`](Self::rise) if it finds any.
    pub(crate) fn lie_down(&self, lane: usize, cx: &Poller<'_>) {
        self.wakers[lane].register(cx.waker());
        self.asleep.fetch_or(1 << lane, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// The lane is awake, whether somebody woke it or not; returns whether it has come by itself.
    pub(crate) fn rise(&self, lane: usize) -> bool {
        let lies = self.asleep.load(Ordering::Relaxed) & (1 << lane) != 0;
        lies && self.asleep.fetch_and(!(1 << lane), Ordering::SeqCst) & (1 << lane) != 0
    }

    /// After work was added where any lane finds it: wakes a lane if all sleep. Those that are awake look by
    /// themselves before they sleep.
    pub(crate) fn work_added(&self) -> Option<Waker> {
        fence(Ordering::SeqCst);
        let asleep = self.asleep.load(Ordering::SeqCst);
        if asleep.count_ones() as usize == self.wakers.len() { self.take(asleep) } else { None }
    }

    /// One sleeping lane's waker, for work that has waited too long behind lanes that are awake.
    pub(crate) fn reinforce(&self) -> Option<Waker> {
        self.take(self.asleep.load(Ordering::SeqCst))
    }

    pub(crate) fn has_sleepers(&self) -> bool {
        self.asleep.load(Ordering::Relaxed) != 0
    }

    /// Whether every lane sleeps.
    pub(crate) fn all_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed).count_ones() as usize == self.wakers.len()
    }

    /// Claims one of the sleepers that were seen.
    fn take(&self, mut asleep: usize) -> Option<Waker> {
        while asleep != 0 {
            let lane = asleep.trailing_zeros() as usize;
            let before = self.asleep.fetch_and(!(1 << lane), Ordering::SeqCst);
            if before & (1 << lane) != 0 {
                return self.wakers[lane].take();
            }
            asleep = before & !(1 << lane);
        }
        None
    }
}

/// Run by `cargo xtask loom`.
#[cfg(all(test, ballet_loom))]
mod models {
    use std::task::Wake;

    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;
    use loom::thread;

    use super::*;

    struct Woken(std::sync::atomic::AtomicBool);

    impl Wake for Woken {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    /// A lane that finds no work and sleeps; returns whether it stayed awake, and what its waker saw.
    fn fall_asleep(parking: &Parking, lane: usize, work: &AtomicBool) -> (bool, std::sync::Arc<Woken>) {
        let woken = std::sync::Arc::new(Woken(std::sync::atomic::AtomicBool::new(false)));
        let waker = Waker::from(std::sync::Arc::clone(&woken));
        parking.lie_down(lane, &Poller::from_waker(&waker));
        let sees_work = work.load(Ordering::Relaxed);
        if sees_work {
            parking.rise(lane);
        }
        (sees_work, woken)
    }

    /// Park against push, with all other lanes asleep or on the way: some lane sees the work or is woken.
    fn no_wake_up_is_lost(lanes: usize) {
        loom::model(move || {
            let parking = Arc::new(Parking::new(lanes));
            let work = Arc::new(AtomicBool::new(false));
            let sleepers: Vec<_> = (0..lanes)
                .map(|lane| {
                    let (parking, work) = (Arc::clone(&parking), Arc::clone(&work));
                    thread::spawn(move || fall_asleep(&parking, lane, &work))
                })
                .collect();
            work.store(true, Ordering::Relaxed);
            if let Some(waker) = parking.work_added() {
                waker.wake();
            }
            let is_seen = sleepers.into_iter().any(|sleeper| {
                let (sees_work, woken) = sleeper.join().unwrap();
                sees_work || woken.0.load(Ordering::SeqCst)
            });
            assert!(is_seen, "work was added and every lane sleeps");
        });
    }

    #[test]
    fn one_lane_sees_the_work_or_is_woken() {
        no_wake_up_is_lost(1);
    }

    #[test]
    fn of_two_lanes_one_sees_the_work_or_is_woken() {
        no_wake_up_is_lost(2);
    }
}
