//! `FuturesUnordered`: concurrent inside one task, not parallel. Dropping it is how its children are cancelled.

use std::pin::pin;

use futures_util::StreamExt;
use futures_util::future::select;
use futures_util::stream::FuturesUnordered;

use super::Contender;
use crate::child;

#[derive(Default)]
pub(crate) struct Unordered;

impl Contender for Unordered {
    async fn wave<F>(&self, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> u64
    where
        F: Future<Output = u64> + Send + 'static,
    {
        let children: FuturesUnordered<_> = (0..size as u64).map(child).collect();
        children.fold(0, async |sum, number| sum + number).await
    }

    async fn cancel(&self, size: usize, at_rest: impl FnOnce() + Send) {
        let mut children: FuturesUnordered<_> = (0..size).map(|_| child::idle::<()>()).collect();
        select(children.next(), pin!(child::all_at_rest(size))).await;
        at_rest();
        drop(children);
    }
}
