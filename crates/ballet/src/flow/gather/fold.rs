//! All items into one value.

use std::ops::ControlFlow;

use super::Gatherer;
use crate::flow::describe;

/// Folds; see [`FlowExt::fold`](crate::FlowExt::fold).
pub struct Fold<A, F> {
    /// Absent only while `fold` has it.
    value: Option<A>,
    fold: F,
}

impl<A, F> Fold<A, F> {
    pub(in crate::flow) fn new(init: A, fold: F) -> Self {
        Self { value: Some(init), fold }
    }
}

impl<T, A, F: FnMut(A, T) -> A> Gatherer<T> for Fold<A, F> {
    type Value = A;

    #[inline]
    fn take_in(&mut self, item: T) -> ControlFlow<()> {
        self.value = self.value.take().map(|value| (self.fold)(value, item));
        ControlFlow::Continue(())
    }

    fn finish(self) -> A {
        self.value.unwrap_or_else(|| unreachable!("a fold that panicked is not polled again"))
    }
}

describe!(Fold<A, F>);

/// Folds with the first item as the beginning; see [`FlowExt::reduce`](crate::FlowExt::reduce).
pub struct Reduce<T, F> {
    value: Option<T>,
    reduce: F,
}

impl<T, F> Reduce<T, F> {
    pub(in crate::flow) fn new(reduce: F) -> Self {
        Self { value: None, reduce }
    }
}

impl<T, F: FnMut(T, T) -> T> Gatherer<T> for Reduce<T, F> {
    type Value = Option<T>;

    #[inline]
    fn take_in(&mut self, item: T) -> ControlFlow<()> {
        self.value = Some(match self.value.take() {
            Some(value) => (self.reduce)(value, item),
            None => item,
        });
        ControlFlow::Continue(())
    }

    fn finish(self) -> Option<T> {
        self.value
    }
}

describe!(Reduce<T, F>);

/// Keeps the last item; see [`FlowExt::last`](crate::FlowExt::last).
#[derive(Debug)]
pub struct Last<T>(pub(in crate::flow) Option<T>);

impl<T> Gatherer<T> for Last<T> {
    type Value = Option<T>;

    #[inline]
    fn take_in(&mut self, item: T) -> ControlFlow<()> {
        self.0 = Some(item);
        ControlFlow::Continue(())
    }

    fn finish(self) -> Option<T> {
        self.0
    }
}

/// Counts; see [`FlowExt::count`](crate::FlowExt::count).
#[derive(Debug, Default)]
pub struct Count(usize);

impl<T> Gatherer<T> for Count {
    type Value = usize;

    #[inline]
    fn take_in(&mut self, _: T) -> ControlFlow<()> {
        self.0 += 1;
        ControlFlow::Continue(())
    }

    fn finish(self) -> usize {
        self.0
    }
}

/// Drops the items; see [`FlowExt::drain`](crate::FlowExt::drain).
#[derive(Debug, Default)]
pub struct Drain;

impl<T> Gatherer<T> for Drain {
    type Value = ();

    #[inline]
    fn take_in(&mut self, _: T) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn finish(self) {}
}
