//! Whether the store can write: tried now and then, so that asking costs nothing.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

use crate::store::{Error, Store};

/// How long one answer counts.
const VALID: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Health {
    store: Store,
    last: Mutex<Option<(Instant, Result<(), Error>)>>,
}

impl Health {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, last: Mutex::new(None) }
    }

    /// Whether a write succeeded lately.
    ///
    /// # Errors
    ///
    /// Why not.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let mut last = self.last.lock().await;
        if let Some((at, outcome)) = &*last
            && at.elapsed() < VALID
        {
            return outcome.clone();
        }
        let outcome = self.store.probe().await;
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }
}
