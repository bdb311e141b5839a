//! The contenders: four ways to let callers in.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use ballet::{Bulkhead, Rejected};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// A place that async callers take, hold while they work, and drop.
pub(crate) trait Gate: Clone + Send + Sync + 'static {
    type Place: Send;
    type Error: std::error::Error + Send + Sync + 'static;

    fn new(places: usize) -> Self;
    fn acquire(&self) -> impl Future<Output = Result<Self::Place, Self::Error>> + Send;
    fn try_acquire(&self) -> bool;
}

impl Gate for Bulkhead {
    type Place = ballet::Busy;
    type Error = Rejected;

    fn new(places: usize) -> Self {
        Bulkhead::new("gate", places)
    }

    async fn acquire(&self) -> Result<ballet::Busy, Rejected> {
        Ok(Bulkhead::acquire(self).await?.begin())
    }

    fn try_acquire(&self) -> bool {
        Bulkhead::try_acquire(self).is_ok()
    }
}

#[derive(Clone)]
pub(crate) struct TokioSemaphore(Arc<Semaphore>);

impl Gate for TokioSemaphore {
    type Place = OwnedSemaphorePermit;
    type Error = AcquireError;

    fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    async fn acquire(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.0).acquire_owned().await
    }

    fn try_acquire(&self) -> bool {
        let answer: Result<_, TryAcquireError> = self.0.try_acquire();
        answer.is_ok()
    }
}

/// No bound at all: everybody is let in at once.
#[derive(Clone)]
pub(crate) struct Unbounded;

impl Gate for Unbounded {
    type Place = ();
    type Error = std::convert::Infallible;

    fn new(_: usize) -> Self {
        Self
    }

    async fn acquire(&self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn try_acquire(&self) -> bool {
        true
    }
}

/// What a thread would use. It blocks its thread, so its callers are threads and not tasks.
pub(crate) struct MutexAndCondvar {
    free: Mutex<usize>,
    given_back: Condvar,
}

impl MutexAndCondvar {
    pub(crate) fn new(places: usize) -> Self {
        Self { free: Mutex::new(places), given_back: Condvar::new() }
    }

    pub(crate) fn acquire(&self) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |free: &mut usize| *free == 0;
        let mut free = self.given_back.wait_while(free, is_full).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
    }

    pub(crate) fn try_acquire(&self) -> bool {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = *free > 0;
        *free -= usize::from(is_free);
        is_free
    }

    pub(crate) fn release(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.given_back.notify_one();
    }
}
