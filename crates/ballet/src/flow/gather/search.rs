//! Values that are known before the end of the flow.

use std::fmt;
use std::ops::ControlFlow;

use super::Gatherer;
use crate::flow::describe;

/// Keeps the first item; see [`FlowExt::first`](crate::FlowExt::first).
#[derive(Debug)]
pub struct First<T>(pub(in crate::flow) Option<T>);

impl<T> Gatherer<T> for First<T> {
    type Value = Option<T>;

    fn take_in(&mut self, item: T) -> ControlFlow<()> {
        self.0 = Some(item);
        ControlFlow::Break(())
    }

    fn finish(self) -> Option<T> {
        self.0
    }
}

/// Keeps the only item; see [`FlowExt::single`](crate::FlowExt::single).
#[derive(Debug)]
pub struct Single<T>(pub(in crate::flow) Result<T, NotSingle>);

impl<T> Gatherer<T> for Single<T> {
    type Value = Result<T, NotSingle>;

    fn take_in(&mut self, item: T) -> ControlFlow<()> {
        if self.0.is_ok() {
            self.0 = Err(NotSingle::Several);
            return ControlFlow::Break(());
        }
        self.0 = Ok(item);
        ControlFlow::Continue(())
    }

    fn finish(self) -> Result<T, NotSingle> {
        self.0
    }
}

/// Why [`FlowExt::single`](crate::FlowExt::single) has no item to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSingle {
    /// The flow ended without an item.
    Empty,
    /// The flow had more than one.
    Several,
}

impl fmt::Display for NotSingle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotSingle::Empty => "the flow has no item, where exactly one was expected",
            NotSingle::Several => "the flow has more than one item, where exactly one was expected",
        })
    }
}

impl std::error::Error for NotSingle {}

/// Whether any item is as asked; see [`FlowExt::any`](crate::FlowExt::any).
pub struct Any<F> {
    is: F,
    found: bool,
}

impl<F> Any<F> {
    pub(in crate::flow) fn new(is: F) -> Self {
        Self { is, found: false }
    }
}

impl<T, F: FnMut(T) -> bool> Gatherer<T> for Any<F> {
    type Value = bool;

    #[inline]
    fn take_in(&mut self, item: T) -> ControlFlow<()> {
        self.found = (self.is)(item);
        if self.found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finish(self) -> bool {
        self.found
    }
}

describe!(Any<F>);

/// Whether all items are as asked; see [`FlowExt::all`](crate::FlowExt::all).
pub struct All<F> {
    is: F,
    holds: bool,
}

impl<F> All<F> {
    pub(in crate::flow) fn new(is: F) -> Self {
        Self { is, holds: true }
    }
}

impl<T, F: FnMut(T) -> bool> Gatherer<T> for All<F> {
    type Value = bool;

    #[inline]
    fn take_in(&mut self, item: T) -> ControlFlow<()> {
        self.holds = (self.is)(item);
        if self.holds { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn finish(self) -> bool {
        self.holds
    }
}

describe!(All<F>);
