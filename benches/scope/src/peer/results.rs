//! Where children that are joined without a value leave their results: one place each, so that none contends.

use std::sync::atomic::{AtomicU64, Ordering};

/// As many as the largest wave.
static RESULTS: [AtomicU64; 100_000] = [const { AtomicU64::new(0) }; 100_000];

/// Runs a child and leaves its result.
pub(crate) async fn leave(number: u64, child: impl Future<Output = u64>) {
    RESULTS[number as usize].store(child.await, Ordering::Relaxed);
}

/// Takes the results of a wave, all of whose children have ended.
pub(crate) fn take_sum(size: usize) -> u64 {
    RESULTS[..size].iter().map(|result| result.swap(0, Ordering::Relaxed)).sum()
}
