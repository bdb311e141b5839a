//! One attempt to send one delivery: intent, bytes, settlement.
//!
//! ```text
//! Leased ── the intent is durable ──► Sending ── an answer ──► Answered
//!    └───── the store says no ──────► Withdrawn
//! ```
//!
//! A finalizer records the fate, so that it is recorded however the attempt ends: an attempt that is cut off or
//! panics while `Sending` may have delivered, and is recorded as unknown.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ballet::Scope;
use jiff::Timestamp;
use tokio::time::sleep;

use super::{channel::Channel, verdict::verdict};
use crate::{
    model::DeliveryId,
    store::{self, Class, Refused, Settled, Settlement, Work},
};

/// How long recording may take. While the disk is full nothing can be recorded, and the slot stays taken so that
/// nothing more is sent either.
const RECORD_BUDGET: Duration = Duration::from_secs(60 * 60);
const DISK_FULL_WAIT: Duration = Duration::from_secs(1);

/// How far an attempt came.
#[derive(Debug, Default)]
enum Fate {
    /// Nothing was sent.
    #[default]
    Leased,
    /// It is no longer ours to send: cancelled, or past its deadline.
    Withdrawn,
    /// It may have been sent.
    Sending { since: Timestamp },
    /// The provider has answered.
    Answered(Settlement),
}

/// A fate that the attempt writes and its finalizer reads.
#[derive(Debug, Clone, Default)]
struct Progress(Arc<Mutex<Fate>>);

impl Progress {
    fn set(&self, fate: Fate) {
        *self.lock() = fate;
    }

    fn take(&self) -> Fate {
        mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Fate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends one leased delivery and records what became of it.
///
/// # Cancel safety
///
/// What is cut off is recorded as unknown, or as due where nothing was sent yet.
pub(super) async fn attempt(channel: Arc<Channel>, work: Work) -> Result<(), ballet::Error> {
    let progress = Progress::default();
    ballet::scope(async |scope: Scope| {
        scope.defer_within(RECORD_BUDGET, record(Arc::clone(&channel), work.delivery, progress.clone()));
        send(&channel, &work, &progress).await
    })
    .await?;
    Ok(())
}

async fn send(channel: &Channel, work: &Work, progress: &Progress) -> Result<(), ballet::Error> {
    match channel.store.intend(work.delivery).await {
        Ok(()) => {}
        Err(Refused::Fenced) => {
            progress.set(Fate::Withdrawn);
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    let since = Timestamp::now();
    progress.set(Fate::Sending { since });
    let round = channel.pause.round();
    let answer = channel.provider.send(work).await;
    let resume_at = channel.heed(round, &answer);
    let settlement = verdict(work, since, answer, Timestamp::now(), resume_at, &mut rand::rng());
    progress.set(Fate::Answered(settlement));
    Ok(())
}

async fn record(
    channel: Arc<Channel>,
    delivery: DeliveryId,
    progress: Progress,
) -> Result<(), ballet::Error> {
    match progress.take() {
        Fate::Leased => give_back(&channel, delivery).await,
        Fate::Withdrawn => Ok(()),
        Fate::Sending { since } => settle(&channel, delivery, cut_off(since)).await,
        Fate::Answered(settlement) => settle(&channel, delivery, settlement).await,
    }
    .map_err(Into::into)
}

fn cut_off(since: Timestamp) -> Settlement {
    Settlement {
        started_at: since,
        outcome: Settled::Unknown { due_at: Timestamp::now() },
        answer: "cut off before an answer came".to_owned(),
        class: Some(Class::Ambiguous),
        viewer: None,
    }
}

/// Makes a delivery due again of which nothing was sent. Its intent may be durable by now, or not.
async fn give_back(channel: &Channel, delivery: DeliveryId) -> Result<(), Refused> {
    let now = Timestamp::now();
    let untouched = Settlement {
        started_at: now,
        outcome: Settled::Deferred { due_at: now },
        answer: "cut off before anything was sent".to_owned(),
        class: None,
        viewer: None,
    };
    match settle(channel, delivery, untouched).await {
        Err(Refused::Fenced) => Ok(channel.store.release(&[delivery]).await?),
        settled => settled,
    }
}

async fn settle(channel: &Channel, delivery: DeliveryId, settlement: Settlement) -> Result<(), Refused> {
    loop {
        match channel.store.settle(delivery, settlement.clone()).await {
            Err(Refused::Failed(store::Error::DiskFull)) => {
                tracing::error!(%delivery, "the disk is full: what became of a delivery cannot be recorded yet");
                sleep(DISK_FULL_WAIT).await;
            }
            settled => return settled,
        }
    }
}
