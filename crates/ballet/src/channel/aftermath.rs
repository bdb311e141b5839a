//! What a change of the books leaves to be done without their lock: wakers run foreign code, and may come back here.

use std::task::Waker;

use crate::sync::wake_each;

/// What is left to do when the lock has been given back, because it runs foreign code.
pub(super) struct Aftermath {
    /// Nearly always all there is.
    wake: Option<Waker>,
    rest: Option<Box<Rest>>,
}

#[derive(Default)]
struct Rest {
    wake: Vec<Waker>,
    replaced: Option<Waker>,
}

impl Rest {
    #[cold]
    fn settle(self, first: Option<Waker>) {
        wake_each(first.into_iter().chain(self.wake));
    }
}

impl Aftermath {
    #[inline]
    pub(super) fn new() -> Self {
        Self { wake: None, rest: None }
    }

    /// Wakes those who were called up.
    #[inline]
    pub(super) fn settle(self) {
        match (self.rest, self.wake) {
            (Some(rest), first) => rest.settle(first),
            (None, Some(waker)) => waker.wake(),
            (None, None) => {}
        }
    }

    #[inline]
    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        if self.wake.is_none() {
            self.wake = waker;
        } else if waker.is_some() {
            self.rest().wake.extend(waker);
        }
    }

    pub(super) fn wake_all(&mut self, wakers: impl Iterator<Item = Waker>) {
        wakers.for_each(|waker| self.rest().wake.push(waker));
    }

    pub(super) fn drop_waker(&mut self, waker: Option<Waker>) {
        if waker.is_some() {
            self.rest().replaced = waker;
        }
    }

    #[cold]
    fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }
}
