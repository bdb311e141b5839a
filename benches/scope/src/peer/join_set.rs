//! Tokio's `JoinSet`: owns its tasks, aborts them when dropped.

use tokio::task::JoinSet;

use super::Contender;
use crate::child;

#[derive(Default)]
pub(crate) struct Set;

impl Contender for Set {
    async fn wave<F>(&self, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> u64
    where
        F: Future<Output = u64> + Send + 'static,
    {
        let mut children: JoinSet<u64> = (0..size as u64).map(child).collect();
        let mut sum = 0;
        while let Some(result) = children.join_next().await {
            sum += result.unwrap_or_else(|error| panic!("no child panics: {error}"));
        }
        sum
    }

    async fn cancel(&self, size: usize, at_rest: impl FnOnce() + Send) {
        let mut children: JoinSet<()> = (0..size).map(|_| child::idle()).collect();
        child::all_at_rest(size).await;
        at_rest();
        children.shutdown().await;
    }
}
