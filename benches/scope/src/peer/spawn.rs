//! Bare `tokio::spawn`, each handle awaited: no owner, no cancellation but by hand.

use super::Contender;
use crate::child;

#[derive(Default)]
pub(crate) struct Spawn;

impl Contender for Spawn {
    #[expect(clippy::disallowed_methods, reason = "the peer that is measured")]
    async fn wave<F>(&self, size: usize, child: impl Fn(u64) -> F + Send + Sync) -> u64
    where
        F: Future<Output = u64> + Send + 'static,
    {
        let children: Vec<_> = (0..size as u64).map(|number| tokio::spawn(child(number))).collect();
        let mut sum = 0;
        for handle in children {
            sum += handle.await.unwrap_or_else(|error| panic!("no child panics: {error}"));
        }
        sum
    }

    #[expect(clippy::disallowed_methods, reason = "the peer that is measured")]
    async fn cancel(&self, size: usize, at_rest: impl FnOnce() + Send) {
        let children: Vec<_> = (0..size).map(|_| tokio::spawn(child::idle::<()>())).collect();
        child::all_at_rest(size).await;
        at_rest();
        for handle in &children {
            handle.abort();
        }
        for handle in children {
            assert!(handle.await.is_err_and(|error| error.is_cancelled()), "an idle child never ends");
        }
    }
}
