//! async-executor as a guest: a Tokio task for each worker runs the executor, which runs the children.

use std::sync::Arc;

use async_executor::Executor;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Contender;
use crate::child;

pub(crate) struct Guest {
    executor: Arc<Executor<'static>>,
    lanes: Vec<JoinHandle<()>>,
}

impl Default for Guest {
    #[expect(
        clippy::disallowed_methods,
        reason = "the lanes of the peer that is measured; its drop ends them"
    )]
    fn default() -> Self {
        let executor = Arc::new(Executor::new());
        let lane = |_| {
            let executor = Arc::clone(&executor);
            tokio::spawn(async move { executor.run(std::future::pending()).await })
        };
        let lanes = (0..Handle::current().metrics().num_workers()).map(lane).collect();
        Self { executor, lanes }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.lanes.iter().for_each(JoinHandle::abort);
    }
}

impl Contender for Guest {
    async fn wave<F>(&self, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> u64
    where
        F: Future<Output = u64> + Send + 'static,
    {
        let children: Vec<_> = (0..size as u64).map(|number| self.executor.spawn(child(number))).collect();
        let mut sum = 0;
        for task in children {
            sum += task.await;
        }
        sum
    }

    async fn cancel(&self, size: usize, at_rest: impl FnOnce() + Send) {
        let children: Vec<_> = (0..size).map(|_| self.executor.spawn(child::idle::<()>())).collect();
        child::all_at_rest(size).await;
        at_rest();
        for task in children {
            task.cancel().await;
        }
    }
}
