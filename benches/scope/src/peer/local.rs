//! `ballet::local_scope`: children inside the caller's task, owned by the scope.

use super::Contender;
use crate::child;

#[derive(Default)]
pub(crate) struct Local;

impl Contender for Local {
    async fn wave<F>(&self, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> u64
    where
        F: Future<Output = u64> + Send + 'static,
    {
        let sum = ballet::local_scope(async |s: ballet::LocalScope<'_>| {
            let spawn = |number| {
                let future = child(number);
                s.spawn(async move { Ok(future.await) })
            };
            let children: Vec<_> = (0..size as u64).map(spawn).collect();
            let mut sum = 0;
            for deferred in children {
                sum += deferred.await;
            }
            Ok(sum)
        });
        sum.await.unwrap_or_else(|failure| panic!("no child fails: {failure}"))
    }

    async fn cancel(&self, size: usize, at_rest: impl FnOnce() + Send) {
        let ended = ballet::local_scope(async |s: ballet::LocalScope<'_>| {
            for _ in 0..size {
                s.spawn(child::idle::<Result<(), ballet::Error>>());
            }
            child::all_at_rest(size).await;
            at_rest();
            s.cancel();
            Ok(())
        });
        if let Err(failure) = ended.await {
            assert!(failure.is_cancelled(), "no child fails: {failure}");
        }
    }
}
