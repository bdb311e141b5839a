//! `ballet::scope`: children in parallel, owned by the scope.

use ballet::{Dispatcher, Error};

use super::{Contender, results};
use crate::child;

/// Joined by the scope's end.
#[derive(Default)]
pub(crate) struct Scope;

/// As [`Scope`], each child an ordinary Tokio task.
#[derive(Default)]
pub(crate) struct OnTokio;

/// Joined by awaiting each child's result.
#[derive(Default)]
pub(crate) struct Awaited;

impl Contender for Scope {
    async fn wave<F>(&self, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> u64
    where
        F: Future<Output = u64> + Send + 'static,
    {
        let ended = ballet::scope(async |s: ballet::Scope| {
            for number in 0..size as u64 {
                let future = child(number);
                s.spawn(async move {
                    results::leave(number, future.await);
                    Ok(())
                });
            }
            Ok(())
        });
        ended.await.unwrap_or_else(|failure| panic!("no child fails: {failure}"));
        results::take_sum(size)
    }

    async fn cancel(&self, size: usize, at_rest: impl FnOnce() + Send) {
        let ended = ballet::scope(async |s: ballet::Scope| {
            for _ in 0..size {
                s.spawn(child::idle::<Result<(), Error>>());
            }
            child::all_at_rest(size).await;
            at_rest();
            s.cancel_children();
            Ok(())
        });
        ended.await.unwrap_or_else(|failure| panic!("a cancelled child is no failure: {failure}"));
    }
}

impl Contender for OnTokio {
    async fn wave<F>(&self, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> u64
    where
        F: Future<Output = u64> + Send + 'static,
    {
        let dispatcher = Dispatcher::tokio();
        let ended = ballet::scope(async |s: ballet::Scope| {
            for number in 0..size as u64 {
                let future = child(number);
                s.named("task").on(&dispatcher).spawn(async move {
                    results::leave(number, future.await);
                    Ok(())
                });
            }
            Ok(())
        });
        ended.await.unwrap_or_else(|failure| panic!("no child fails: {failure}"));
        results::take_sum(size)
    }

    async fn cancel(&self, size: usize, at_rest: impl FnOnce() + Send) {
        let dispatcher = Dispatcher::tokio();
        let ended = ballet::scope(async |s: ballet::Scope| {
            for _ in 0..size {
                s.named("task").on(&dispatcher).spawn(child::idle::<Result<(), Error>>());
            }
            child::all_at_rest(size).await;
            at_rest();
            s.cancel_children();
            Ok(())
        });
        ended.await.unwrap_or_else(|failure| panic!("a cancelled child is no failure: {failure}"));
    }
}

impl Contender for Awaited {
    async fn wave<F>(&self, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> u64
    where
        F: Future<Output = u64> + Send + 'static,
    {
        let sum = ballet::scope(async |s: ballet::Scope| {
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
        Scope.cancel(size, at_rest).await;
    }
}
