//! Where children that are joined without a value leave their results: one place each, so that none contends.

use std::sync::atomic::{AtomicU64, Ordering};

/// As many as the largest wave.
static RESULTS: [AtomicU64; 100_000] = [const { AtomicU64::new(0) }; 100_000];

/// Leaves the result of a child.
#[inline]
pub(crate) fn leave(number: u64, result: u64) {
    RESULTS[number as usize].store(result, Ordering::Relaxed);
}

/// Takes the results of a wave, all of whose children have ended, so that nobody else writes.
pub(crate) fn take_sum(size: usize) -> u64 {
    let take = |result: &AtomicU64| {
        let taken = result.load(Ordering::Relaxed);
        result.store(0, Ordering::Relaxed);
        taken
    };
    RESULTS[..size].iter().map(take).sum()
}
