//! Where children leave their results when nobody awaits them: a place each, so that none contends for it. The other
//! languages use a slice that the children share; here it is static, since no child may borrow from its parent.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::{IDLE_CHILDREN, mix};

/// As many as the largest wave.
static RESULTS: [AtomicU64; IDLE_CHILDREN] = [const { AtomicU64::new(0) }; IDLE_CHILDREN];
/// How many children have begun to wait.
static WAITING: AtomicUsize = AtomicUsize::new(0);

pub fn leave(number: usize) {
    RESULTS[number].store(mix(number as u64), Ordering::Relaxed);
}

/// Takes the results of so many children, all of which have ended.
pub fn take_sum(size: usize) -> u64 {
    RESULTS[..size].iter().map(|result| result.swap(0, Ordering::Relaxed)).fold(0, u64::wrapping_add)
}

/// Waits for ever, and leaves the result when it is cancelled.
pub async fn wait_for_ever<T>(number: usize) -> T {
    let _result = LeftAtDrop(number);
    WAITING.fetch_add(1, Ordering::Relaxed);
    std::future::pending().await
}

/// Waits until so many children wait for ever, and forgets them.
pub async fn all_waiting(count: usize) {
    while WAITING.load(Ordering::Relaxed) < count {
        tokio::task::yield_now().await;
    }
    WAITING.store(0, Ordering::Relaxed);
}

struct LeftAtDrop(usize);

impl Drop for LeftAtDrop {
    fn drop(&mut self) {
        leave(self.0);
    }
}
