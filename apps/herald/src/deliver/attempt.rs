//! One attempt to send one delivery: intent, bytes, settlement.
//!
//! ```text
//! Leased ── the intent is durable ──► Sending ── an answer ──► Answered
//!    └───── the store says no ──────► Withdrawn
//! ```
//!
//! A finalizer records the fate, so that it is recorded however the attempt ends: an attempt that is cut off or
//! panics while `Sending` may have delivered once the handover began, and is recorded as unknown then.

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
    provider::{Answer, Handover},
    store::{self, Refused, Settled, Settlement, Store, Work},
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
    /// It may have been sent, from the handover on.
    Sending { since: Timestamp, handover: Handover },
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
/// What is cut off is recorded as unknown where it may have been sent, else as due or to be tried again.
pub(super) async fn attempt(channel: Arc<Channel>, work: Work) -> Result<(), ballet::Error> {
    let work = Arc::new(work);
    let progress = Progress::default();
    ballet::scope(async |scope: Scope| {
        let recorded = record(Arc::clone(&channel), Arc::clone(&work), progress.clone());
        scope.defer_within(RECORD_BUDGET, recorded);
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
    let handover = Handover::default();
    progress.set(Fate::Sending { since, handover: handover.clone() });
    let begun = channel.begin();
    let answer = channel.provider.send(work, &handover).await;
    let resume_at = channel.heed(begun, &answer);
    let settlement = verdict(work, since, answer, Timestamp::now(), resume_at);
    channel.tally.count(settlement.class);
    progress.set(Fate::Answered(settlement));
    Ok(())
}

/// Records the fate, as soon as there is room on the disk.
async fn record(channel: Arc<Channel>, work: Arc<Work>, progress: Progress) -> Result<(), ballet::Error> {
    let delivery = work.delivery;
    let settlement = match progress.take() {
        Fate::Withdrawn => return Ok(()),
        Fate::Leased => None,
        Fate::Sending { since, handover } => Some(cut_off(&work, since, &handover)),
        Fate::Answered(settlement) => Some(settlement),
    };
    loop {
        let recorded = match &settlement {
            Some(settlement) => channel.store.settle(delivery, settlement.clone()).await,
            None => give_back(&channel.store, delivery).await,
        };
        match recorded {
            Err(Refused::Failed(store::Error::DiskFull)) => {
                tracing::error!(%delivery, "the disk is full: what became of a delivery cannot be recorded yet");
                sleep(DISK_FULL_WAIT).await;
            }
            recorded => return Ok(recorded?),
        }
    }
}

/// An attempt that never saw its answer. It is not repeated at once, since the cause may be the mail itself.
fn cut_off(work: &Work, since: Timestamp, handover: &Handover) -> Settlement {
    let answer = if handover.has_begun() {
        Answer::Ambiguous { detail: "cut off before an answer came".to_owned() }
    } else {
        Answer::Transient { reply: "cut off before the message was handed over".to_owned() }
    };
    let now = Timestamp::now();
    verdict(work, since, answer, now, now)
}

/// Makes a delivery due again of which nothing was sent. Its intent may be durable by now, or not.
async fn give_back(store: &Store, delivery: DeliveryId) -> Result<(), Refused> {
    let now = Timestamp::now();
    let untouched = Settlement {
        started_at: now,
        outcome: Settled::Deferred { due_at: now },
        answer: "cut off before anything was sent".to_owned(),
        class: None,
        viewer: None,
    };
    match store.settle(delivery, untouched).await {
        Err(Refused::Fenced) => Ok(store.release(&[delivery]).await?),
        settled => settled,
    }
}
