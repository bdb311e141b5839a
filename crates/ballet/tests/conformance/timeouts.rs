//! Bounds on time: R14.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::words::Words;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[ballet::test]
async fn c31_of_two_timeouts_only_the_nearer_reports() {
    let began = Instant::now();
    let words = Words::default();
    let outer = ballet::timeout(seconds(5), async {
        let inner = ballet::timeout(seconds(10), sleep(seconds(20))).await;
        words.say(if inner.is_err() { "the inner one reports" } else { "the sleep ended" });
    });
    assert_eq!(outer.await.unwrap_err().limit(), seconds(5));
    assert!(words.said().is_empty());
    assert_eq!(began.elapsed(), seconds(5));
}

/// A `Duration` cannot be below zero.
#[ballet::test]
async fn c39_a_limit_of_zero_elapses_at_once_without_a_poll() {
    let began = Instant::now();
    let words = Words::default();
    let elapsed = ballet::timeout(Duration::ZERO, async { words.say("polled") }).await;
    assert_eq!(elapsed.unwrap_err().limit(), Duration::ZERO);
    assert!(words.said().is_empty() && began.elapsed().is_zero());
}
