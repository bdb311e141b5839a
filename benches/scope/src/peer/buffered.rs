//! futures-buffered's `FuturesUnordered`: as the one of `futures`, with its children in one block of memory.

use std::pin::pin;

use futures_buffered::FuturesUnordered;
use futures_util::StreamExt;
use futures_util::future::select;

use super::Contender;
use crate::child;

#[derive(Default)]
pub(crate) struct Buffered;

impl Contender for Buffered {
    async fn wave<F>(&self, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> u64
    where
        F: Future<Output = u64> + Send + 'static,
    {
        let mut children = FuturesUnordered::with_capacity(size);
        (0..size as u64).for_each(|number| children.push(child(number)));
        children.fold(0, async |sum, number| sum + number).await
    }

    async fn cancel(&self, size: usize, at_rest: impl FnOnce() + Send) {
        let mut children = FuturesUnordered::with_capacity(size);
        (0..size).for_each(|_| children.push(child::idle::<()>()));
        select(children.next(), pin!(child::all_at_rest(size))).await;
        at_rest();
        drop(children);
    }
}
