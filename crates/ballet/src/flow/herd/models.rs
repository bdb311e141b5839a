//! The orders in which a member is woken and polled, explored by `cargo xtask loom`.

use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::*;

/// Wake against poll: what happened before a wake is seen by a poll, or the seat is written down for one more.
#[test]
fn a_wake_is_seen_or_written_down() {
    loom::model(|| {
        let bell = Arc::new(Bell { woken: Mutex::default(), task: AtomicWaker::new() });
        let call = Arc::new(Call { bell: Arc::clone(&bell), seat: 0, is_queued: AtomicU8::new(QUEUED) });
        let happened = Arc::new(AtomicBool::new(false));
        let (happens, woken) = (Arc::clone(&happened), Arc::clone(&call));
        let waker = thread::spawn(move || {
            happens.store(true, Ordering::Relaxed);
            woken.wake();
        });
        call.begin();
        let is_seen = happened.load(Ordering::Relaxed);
        waker.join().unwrap();
        assert!(is_seen || lock(&bell.woken).contains(&0));
    });
}
