//! One held value, those who set it, and those who wait for the next.
//!
//! Two locks, always in this order: `writers` makes one write after the other, and is held while code of the user's
//! compares and computes; `now` is what readers see, and under it nothing foreign runs but a waker's `clone`.

use std::any::Any;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use crate::flow::audience::{Audience, Ticket, Venue};
use crate::flow::wait_list::{Called, Seat, WaitList};
use crate::job::lock;
use crate::sync::Mutex;

pub(in crate::flow) struct Held<T> {
    /// The value, once more, so that a writer need not ask the readers' lock for it.
    writers: Mutex<Arc<T>>,
    now: Mutex<Now<T>>,
}

struct Now<T> {
    value: Arc<T>,
    /// How often it was set to another value.
    version: u64,
    ended: bool,
    /// Those who wait for another value or the end.
    waiting: WaitList,
    audience: Audience,
}

/// A held value of any type.
pub(super) type Value = Arc<dyn Any + Send + Sync>;

/// A held value to whoever reads and watches what is derived from it.
pub(super) trait Root: Send + Sync {
    /// The same for all handles of one held value.
    fn identity(&self) -> usize;
    fn value(&self) -> Value;
    fn is_ended(&self) -> bool;
    /// One more watches it.
    fn enter(&self) -> (Look, Value);
    /// What has happened since the last look at it, with the value where that is another; if nothing has, it waits.
    fn look(&self, look: &mut Look, value: &mut Value, waker: &Waker) -> News;
    /// One watches it no longer.
    fn leave(&self, look: &Look);
}

/// What a watcher has seen of a root.
#[derive(Clone, Copy)]
pub(super) struct Look {
    version: u64,
    seat: Option<Seat>,
}

/// What has happened to a root; to several of them together, the greatest of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    Ended,
    Unchanged,
    Changed,
}

impl<T> Held<T> {
    pub(super) fn new(value: T) -> Self {
        let value = Arc::new(value);
        let now = Now {
            value: Arc::clone(&value),
            version: 0,
            ended: false,
            waiting: WaitList::default(),
            audience: Audience::default(),
        };
        Self { writers: Mutex::new(value), now: Mutex::new(now) }
    }

    pub(super) fn value(&self) -> Arc<T> {
        Arc::clone(&lock(&self.now).value)
    }

    /// Sets what `write` makes of the value, if that differs. No other write comes between. What `write` refuses comes
    /// back to its caller: values are dropped when the locks have been released.
    pub(super) fn write<R>(&self, write: impl FnOnce(&T) -> Result<T, R>) -> Result<(), R>
    where
        T: PartialEq,
    {
        let mut writer = lock(&self.writers);
        let value = write(&writer)?;
        if value == **writer {
            drop(writer);
            return Ok(());
        }
        let value = Arc::new(value);
        let old = mem::replace(&mut *writer, Arc::clone(&value));
        let called = lock(&self.now).set(value);
        drop(writer);
        called.wake();
        drop(old);
        Ok(())
    }

    pub(super) fn end(&self) {
        let mut now = lock(&self.now);
        now.ended = true;
        let called = now.waiting.call();
        drop(now);
        called.wake();
    }
}

impl<T> Now<T> {
    /// The old value is still held by the writer, so it is not dropped here.
    fn set(&mut self, value: Arc<T>) -> Called {
        self.value = value;
        self.version += 1;
        self.waiting.call()
    }
}

impl<T: Send + Sync + 'static> Root for Ticket<Held<T>> {
    fn identity(&self) -> usize {
        Arc::as_ptr(self.venue()).addr()
    }

    fn value(&self) -> Value {
        self.venue().value()
    }

    fn is_ended(&self) -> bool {
        lock(&self.venue().now).ended
    }

    fn enter(&self) -> (Look, Value) {
        let mut now = lock(&self.venue().now);
        let (look, value) = (Look { version: now.version, seat: None }, Arc::<T>::clone(&now.value));
        let called = now.audience.enter();
        drop(now);
        called.wake();
        (look, value)
    }

    fn look(&self, look: &mut Look, value: &mut Value, waker: &Waker) -> News {
        let mut now = lock(&self.venue().now);
        if look.version != now.version {
            look.version = now.version;
            let old = mem::replace(value, Arc::<T>::clone(&now.value));
            drop(now);
            drop(old);
            return News::Changed;
        }
        if now.ended {
            return News::Ended;
        }
        let replaced = now.waiting.wait(&mut look.seat, waker);
        drop(now);
        drop(replaced);
        News::Unchanged
    }

    fn leave(&self, look: &Look) {
        let mut now = lock(&self.venue().now);
        let (own, called) = (now.waiting.leave(look.seat), now.audience.leave());
        drop(now);
        drop(own);
        called.wake();
    }
}

impl<T> Venue for Held<T> {
    fn with_audience<R>(&self, with: impl FnOnce(&mut Audience) -> R) -> R {
        with(&mut lock(&self.now).audience)
    }
}
