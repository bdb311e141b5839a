//! One sink's drain: what it is owed, in order, until the stage drains.
//!
//! An acknowledgement is durable before the next entries are taken. While the sink is down nothing is taken from the outbox,
//! so its order stays; a stage that drains waits for what the sink still takes, and not for a sink that is down.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ballet::Backoff;
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{Delivery, Failure, Outlet};
use crate::{
    clock::Clock,
    config::SinkSettings,
    sources::Shared,
    store::{Entry, Refusal, SinkRow},
};

/// Entries that are taken from the outbox at a time.
const BATCH_ITEMS_MAX: usize = 128;
/// How long a sink may take for a batch.
const BATCH_TIME_MAX: Duration = Duration::from_secs(5 * 60);
/// When a sink that is down is tried again.
const RETRY: Backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
/// No sink can ask for more time than this.
const AFTER_MAX: Duration = Duration::from_secs(60 * 60);

#[derive(Debug)]
pub(super) struct Drain {
    pub(super) shared: Arc<Shared>,
    pub(super) line: Arc<Line>,
}

/// What a sink is at.
#[derive(Debug, Clone)]
enum Phase {
    Idle,
    Delivering,
    /// It failed. It is tried again by itself, then.
    Waiting {
        until: Instant,
        why: String,
    },
    Stopped,
}

/// One sink's line on the status.
#[derive(Debug)]
pub(super) struct Line {
    settings: Arc<SinkSettings>,
    now: Mutex<Now>,
}

#[derive(Debug, Clone)]
struct Now {
    phase: Phase,
    delivered: u64,
    failures: u64,
    failures_in_a_row: u32,
    last_error: Option<String>,
    last_delivery_at: Option<Timestamp>,
}

/// A sink as it is told.
#[derive(Debug, Clone, Serialize)]
pub struct SinkStatus {
    pub name: String,
    pub kind: &'static str,
    pub target: String,
    /// `idle`, `delivering`, `waiting` or `stopped`.
    pub state: &'static str,
    /// Why it waits.
    pub why: String,
    pub next_at: Option<Timestamp>,
    /// Items in the outbox that it has still to pass.
    pub behind: u64,
    /// Items that it will never take; they are kept aside.
    pub refused: u64,
    /// Since the start.
    pub delivered: u64,
    pub failures: u64,
    pub failures_in_a_row: u32,
    pub last_error: Option<String>,
    pub last_delivery_at: Option<Timestamp>,
}

impl Drain {
    /// # Errors
    ///
    /// When the store fails.
    pub(super) async fn run(&self) -> Result<(), ballet::Error> {
        let name = &self.line.settings.name;
        let mut spilled = self.shared.store.watch_spilled();
        let mut outlet = None;
        let mut passed = 0;
        loop {
            // Whatever comes in from here on is seen.
            spilled.mark_unchanged();
            let (entries, up_to) = self.shared.store.owed(name, BATCH_ITEMS_MAX).await?;
            if entries.is_empty() {
                if up_to > passed {
                    // What is meant for others holds up nobody. There may be more behind it.
                    self.acknowledge(up_to, Vec::new()).await?;
                    passed = up_to;
                    continue;
                }
                self.line.show(Phase::Idle);
                tokio::select! {
                    biased;
                    changed = spilled.changed() => changed?,
                    () = ballet::draining() => break,
                }
                continue;
            }
            self.line.show(Phase::Delivering);
            let Delivery { settled, refused, failure } = self.deliver(&mut outlet, &entries).await;
            if let Some(last) = settled.checked_sub(1).and_then(|last| entries.get(last)) {
                // All entries were settled, so those of other sinks in between are passed as well.
                let up_to = if settled == entries.len() { up_to } else { last.seq };
                for refusal in &refused {
                    let (id, why) = (refusal.entry.item.id, &refusal.why);
                    tracing::warn!(sink = %name, %id, why, "the sink refuses an item, which is kept aside");
                }
                self.acknowledge(up_to, refused).await?;
                self.line.delivered(settled, self.shared.clock.now());
                passed = up_to;
            }
            if let Some(failure) = failure {
                outlet = None;
                if self.wait_after(failure).await.is_none() {
                    break;
                }
            }
        }
        self.line.show(Phase::Stopped);
        Ok(())
    }

    async fn deliver(&self, slot: &mut Option<Box<dyn Outlet>>, entries: &[Entry]) -> Delivery {
        let outlet = match slot {
            Some(outlet) => outlet,
            None => match self.line.settings.target.open().await {
                Ok(opened) => slot.insert(opened),
                Err(failure) => return Delivery::none(failure),
            },
        };
        let delivery = ballet::timeout(BATCH_TIME_MAX, outlet.deliver(entries)).await;
        delivery.unwrap_or_else(|_elapsed| {
            Delivery::none(Failure::new(format!(
                "took longer than {BATCH_TIME_MAX:?} for {} items",
                entries.len()
            )))
        })
    }

    /// Makes durable how far the sink has come.
    async fn acknowledge(&self, up_to: u64, refused: Vec<Refusal>) -> Result<(), ballet::Error> {
        Ok(self.shared.store.acknowledge(&self.line.settings.name, up_to, refused).await?)
    }

    /// None when the stage drains: what is owed stays for the next start.
    async fn wait_after(&self, failure: Failure) -> Option<()> {
        let Failure { why, after } = failure;
        let failures = self.line.failed(&why);
        let wait =
            RETRY.delay(failures - 1).max(RETRY.bound(failures - 1) / 4).max(after.unwrap_or_default());
        let wait = wait.min(AFTER_MAX);
        tracing::warn!(sink = %self.line.settings.name, %why, retry_in = ?wait, "a sink takes nothing");
        self.line.show(Phase::Waiting { until: Instant::now() + wait, why });
        tokio::select! {
            biased;
            () = ballet::draining() => None,
            () = sleep(wait) => Some(()),
        }
    }
}

impl Line {
    pub(super) fn new(settings: Arc<SinkSettings>) -> Self {
        let now = Now {
            phase: Phase::Idle,
            delivered: 0,
            failures: 0,
            failures_in_a_row: 0,
            last_error: None,
            last_delivery_at: None,
        };
        Self { settings, now: Mutex::new(now) }
    }

    fn show(&self, phase: Phase) {
        self.lock().phase = phase;
    }

    fn delivered(&self, count: usize, at: Timestamp) {
        let mut now = self.lock();
        now.delivered += u64::try_from(count).unwrap_or(u64::MAX);
        now.failures_in_a_row = 0;
        now.last_error = None;
        now.last_delivery_at = Some(at);
    }

    /// Gives how many failures in a row there were.
    fn failed(&self, why: &str) -> u32 {
        let mut now = self.lock();
        now.failures += 1;
        now.failures_in_a_row = now.failures_in_a_row.saturating_add(1);
        now.last_error = Some(why.to_owned());
        now.failures_in_a_row
    }

    /// The drain itself failed; its supervisor starts another after a while, unless the program is ending.
    pub(super) fn broke(&self, why: String, again: Option<Duration>) {
        self.failed(&why);
        self.show(match again {
            Some(after) => Phase::Waiting { until: Instant::now() + after, why },
            None => Phase::Stopped,
        });
    }

    pub(super) fn status(&self, row: &SinkRow, clock: &Clock) -> SinkStatus {
        let now = self.lock().clone();
        let (state, why, until) = match now.phase {
            Phase::Idle => ("idle", "it has everything".to_owned(), None),
            Phase::Delivering => ("delivering", "it is being given what it is owed".to_owned(), None),
            Phase::Waiting { until, why } => ("waiting", why, Some(until)),
            Phase::Stopped => ("stopped", "Tributary is ending".to_owned(), None),
        };
        SinkStatus {
            name: self.settings.name.clone(),
            kind: self.settings.kind,
            target: self.settings.target.to_string(),
            state,
            why,
            next_at: until.map(|until| clock.at(until)),
            behind: row.behind,
            refused: row.refused,
            delivered: now.delivered,
            failures: now.failures,
            failures_in_a_row: now.failures_in_a_row,
            last_error: now.last_error,
            last_delivery_at: now.last_delivery_at,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
