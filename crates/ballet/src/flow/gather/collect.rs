//! Items into a collection.

use std::ops::ControlFlow;

use super::Gatherer;

/// Gathers into a collection; see [`FlowExt::collect`](crate::FlowExt::collect).
#[derive(Debug, Default)]
pub struct Collect<C>(pub(in crate::flow) C);

impl<T, C: Extend<T>> Gatherer<T> for Collect<C> {
    type Value = C;

    #[inline]
    fn take_in(&mut self, item: T) -> ControlFlow<()> {
        self.0.extend(Some(item));
        ControlFlow::Continue(())
    }

    fn finish(self) -> C {
        self.0
    }
}
