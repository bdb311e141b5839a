//! Groups of a fixed size.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use pin_project_lite::pin_project;

use crate::flow::basis::{Flow, Polled};
use crate::flow::describe;
use crate::flow::upstream::Upstream;

pin_project! {
    /// The flow of [`FlowExt::chunked`](crate::FlowExt::chunked).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Chunked<S, T> {
        #[pin]
        source: Upstream<S>,
        size: usize,
        chunk: Vec<T>,
    }
}

impl<S, T> Chunked<S, T> {
    #[track_caller]
    pub(in crate::flow) fn new(source: S, size: usize) -> Self {
        assert!(size > 0, "a chunk holds at least one item");
        Self { source: Upstream::new(source), size, chunk: Vec::new() }
    }
}

impl<S: Flow<Item = T>, T> Flow for Chunked<S, T> {
    type Item = Vec<T>;
    type Error = S::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(Vec<T>) -> ControlFlow<()>,
    {
        let me = self.project();
        let (chunk, size) = (me.chunk, *me.size);
        let ended = ready!(me.source.poll_each(cx, &mut |item| {
            if add(chunk, item, size) { sink(std::mem::take(chunk)) } else { ControlFlow::Continue(()) }
        }))?;
        if ended.is_continue() && !chunk.is_empty() {
            return Poll::Ready(Ok(sink(std::mem::take(chunk))));
        }
        Poll::Ready(Ok(ended))
    }
}

/// Whether the chunk is full now.
pub(super) fn add<T>(chunk: &mut Vec<T>, item: T, size: usize) -> bool {
    /// Room that is made at once; a chunk that may be larger than this grows as it needs to.
    const ROOM: usize = 1024;
    if chunk.is_empty() {
        chunk.reserve(size.min(ROOM));
    }
    chunk.push(item);
    chunk.len() == size
}

describe!(Chunked<S, T>);

pin_project! {
    /// The flow of [`FlowExt::windowed`](crate::FlowExt::windowed).
    #[derive(Clone)]
    #[must_use = "a flow does nothing until it is collected"]
    pub struct Windowed<S, T> {
        #[pin]
        source: S,
        size: usize,
        step: usize,
        window: VecDeque<T>,
        // How many items to leave out before the next window, where windows do not touch.
        gap: usize,
    }
}

impl<S, T> Windowed<S, T> {
    #[track_caller]
    pub(in crate::flow) fn new(source: S, size: usize, step: usize) -> Self {
        assert!(size > 0, "a window holds at least one item");
        assert!(step > 0, "a window that takes no step would stand still for ever");
        Self { source, size, step, window: VecDeque::new(), gap: 0 }
    }
}

impl<S: Flow<Item = T>, T: Clone> Flow for Windowed<S, T> {
    type Item = Vec<T>;
    type Error = S::Error;

    fn poll_each<K>(self: Pin<&mut Self>, cx: &mut Poller<'_>, sink: &mut K) -> Polled<S::Error>
    where
        K: FnMut(Vec<T>) -> ControlFlow<()>,
    {
        let me = self.project();
        let (window, gap, size, step) = (me.window, me.gap, *me.size, *me.step);
        me.source.poll_each(cx, &mut |item| {
            if *gap > 0 {
                *gap -= 1;
                return ControlFlow::Continue(());
            }
            window.push_back(item);
            if window.len() < size {
                return ControlFlow::Continue(());
            }
            let full = window.iter().cloned().collect();
            window.drain(..step.min(size));
            *gap = step.saturating_sub(size);
            sink(full)
        })
    }
}

describe!(Windowed<S, T>);
