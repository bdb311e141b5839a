//! Expires what waits past its deadline, whatever its provider does.
//!
//! A channel expires as it claims, and claims nothing while all its slots are taken or its provider is paused; a
//! provider that left the configuration has no channel at all.

use std::{pin::pin, time::Duration};

use jiff::Timestamp;
use tokio::time::sleep;

use crate::store::Store;

/// How long a delivery may be called due, or planned, after its deadline.
const LATE_MAX: Duration = Duration::from_secs(1);

/// Watches until the stage drains.
pub(super) async fn watch(store: &Store) -> Result<(), ballet::Error> {
    let mut draining = pin!(ballet::draining());
    loop {
        tokio::select! {
            () = &mut draining => return Ok(()),
            () = sleep(LATE_MAX) => {}
        }
        // Only what is overdue costs a commit, and one commit takes a part of what is.
        while store.next_deadline().await?.is_some_and(|deadline| deadline <= Timestamp::now()) {
            store.expire_overdue().await?;
        }
    }
}
