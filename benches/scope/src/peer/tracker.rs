//! tokio-util's `TaskTracker` with a child token for each task: what a careful service writes by hand today.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Contender, results};
use crate::child;

#[derive(Default)]
pub(crate) struct Tracker;

impl Contender for Tracker {
    async fn wave<F>(&self, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> u64
    where
        F: Future<Output = u64> + Send + 'static,
    {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        for number in 0..size as u64 {
            let future = child(number);
            let leaving = async move { results::leave(number, future.await) };
            tracker.spawn(token.child_token().run_until_cancelled_owned(leaving));
        }
        tracker.close();
        tracker.wait().await;
        results::take_sum(size)
    }

    async fn cancel(&self, size: usize, at_rest: impl FnOnce() + Send) {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        for _ in 0..size {
            tracker.spawn(token.child_token().run_until_cancelled_owned(child::idle::<()>()));
        }
        tracker.close();
        child::all_at_rest(size).await;
        at_rest();
        token.cancel();
        tracker.wait().await;
    }
}
