//! What can be seen of the sources from outside: each one's state, what it waits for and why, at any moment.
//!
//! The loop of a source writes its own line and nobody else's. Waits are kept as moments of Tokio's clock and told as wall
//! time when somebody looks, so that a jump of the wall clock shows no nonsense.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::{sync::Notify, time::Instant};

use crate::{
    clock::Clock,
    config::SourceSettings,
    item::Item,
    source::{Progress, SourceName},
    store::SourceState,
};

/// New items that the page shows.
const LATEST_MAX: usize = 50;

/// What a source is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    Starting,
    Waiting {
        until: Option<Instant>,
        what: Waits,
        why: String,
    },
    Visiting {
        since: Instant,
    },
    /// It panicked too often. It will be tried again by itself.
    Parked {
        until: Instant,
        why: String,
    },
    /// It is not visited until its settings change.
    Disabled {
        why: String,
    },
    /// The program is ending.
    Stopped,
}

/// What a source waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Waits {
    /// Its own schedule.
    Schedule,
    /// The time that its server asked for.
    Server,
    /// The pause after a failure.
    Backoff,
    /// Its host, which other sources found dead.
    Breaker,
    /// A place among the visits under way.
    Turn,
    /// Room in the outbox: a sink is behind.
    Spill,
    /// Room on the disk.
    Disk,
}

/// One source's line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) settings: Arc<SourceSettings>,
    pub(super) progress: Progress,
    /// When it was added, or restarted by a change of its settings.
    started_at: Timestamp,
    now: Mutex<Now>,
    /// Somebody wants it visited at once.
    hurry: Notify,
}

#[derive(Debug, Clone)]
struct Now {
    phase: Phase,
    /// The same that its life goes by.
    state: Arc<SourceState>,
    panics: u64,
    /// What the last life died of, until a visit goes well.
    last_panic: Option<String>,
    /// The most by which a visit began after its time.
    latest_by: Duration,
}

/// A line as it is told.
#[derive(Debug, Clone, Serialize)]
pub struct SourceStatus {
    pub name: SourceName,
    pub kind: &'static str,
    pub address: String,
    pub moved_to: Option<String>,
    /// When it was added, or restarted by a change of its settings; or when the program was.
    pub started_at: Timestamp,
    /// `starting`, `waiting`, `visiting`, `parked`, `disabled` or `stopped`.
    pub state: &'static str,
    /// What it waits for, in one word.
    pub waits_for: Option<Waits>,
    /// Why it waits, or what its visit is doing, in one sentence.
    pub why: String,
    /// When it goes on, where that is known.
    pub next_at: Option<Timestamp>,
    pub interval_seconds: Option<f64>,
    pub last_visit_at: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub last_item_at: Option<Timestamp>,
    pub last_error: Option<String>,
    pub failures_in_a_row: u32,
    pub visits: u64,
    pub failures: u64,
    pub unchanged: u64,
    pub items: u64,
    pub bytes: u64,
    pub panics: u64,
    pub late_seconds_max: f64,
}

impl Line {
    pub(super) fn new(settings: Arc<SourceSettings>, started_at: Timestamp) -> Self {
        let now = Now {
            phase: Phase::Starting,
            state: Arc::default(),
            panics: 0,
            last_panic: None,
            latest_by: Duration::ZERO,
        };
        Self {
            settings,
            started_at,
            progress: Progress::default(),
            now: Mutex::new(now),
            hurry: Notify::new(),
        }
    }

    pub(super) fn show(&self, phase: Phase) {
        self.lock().phase = phase;
    }

    pub(super) fn keep(&self, state: &Arc<SourceState>) {
        self.lock().state = Arc::clone(state);
    }

    /// Resolves when somebody wants it visited at once.
    pub(super) async fn hurried(&self) {
        self.hurry.notified().await;
    }

    fn panicked(&self, why: String) {
        let mut now = self.lock();
        now.panics += 1;
        now.last_panic = Some(why);
    }

    /// A visit ended, well or not, and the life goes on.
    pub(super) fn survived(&self, state: &Arc<SourceState>) {
        let mut now = self.lock();
        now.last_panic = None;
        now.state = Arc::clone(state);
    }

    pub(super) fn began_late(&self, by: Duration) {
        let mut now = self.lock();
        now.latest_by = now.latest_by.max(by);
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self, clock: &Clock) -> SourceStatus {
        let Now { phase, state, panics, last_panic, latest_by } = self.lock().clone();
        let (word, waits_for, until, why) = match phase {
            Phase::Starting => ("starting", None, None, "it has just been started".to_owned()),
            Phase::Waiting { until, what, why } => ("waiting", Some(what), until, why),
            Phase::Visiting { since } => {
                let seconds = since.elapsed().as_secs_f64();
                ("visiting", None, None, format!("{}, for {seconds:.1} s", self.progress.get()))
            }
            Phase::Parked { until, why } => ("parked", None, Some(until), why),
            Phase::Disabled { why } => ("disabled", None, None, why),
            Phase::Stopped => ("stopped", None, None, "Tributary is ending".to_owned()),
        };
        SourceStatus {
            name: self.settings.name.clone(),
            kind: self.settings.kind,
            address: self.settings.visit.address().to_string(),
            started_at: self.started_at,
            moved_to: state.moved.as_ref().map(ToString::to_string),
            state: word,
            waits_for,
            why,
            next_at: until.map(|until| clock.at(until)),
            interval_seconds: state.interval.map(|interval| interval.as_secs_f64()),
            last_visit_at: state.last_visit_at,
            last_success_at: state.last_success_at,
            last_item_at: state.last_item_at,
            last_error: last_panic.or_else(|| state.last_error.clone()),
            failures_in_a_row: state.failures,
            visits: state.visits,
            failures: state.failures_total,
            unchanged: state.unchanged_total,
            items: state.items_total,
            bytes: state.bytes_total,
            panics,
            late_seconds_max: latest_by.as_secs_f64(),
        }
    }
}

/// All lines, and the newest items.
#[derive(Debug, Default)]
pub struct Board {
    lines: Mutex<BTreeMap<SourceName, Arc<Line>>>,
    latest: Mutex<VecDeque<Item>>,
}

impl Board {
    pub(super) fn add(&self, line: &Arc<Line>) {
        self.lines().insert(line.settings.name.clone(), Arc::clone(line));
    }

    pub(super) fn remove(&self, name: &SourceName) {
        self.lines().remove(name);
    }

    pub(super) fn panicked(&self, name: &str, why: &str) {
        let line =
            self.lines().iter().find(|(known, _)| known.as_str() == name).map(|(_, line)| Arc::clone(line));
        if let Some(line) = line {
            line.panicked(why.to_owned());
        }
    }

    /// Cuts short what it waits for now, and no later wait. Gives whether there is such a source.
    pub(super) fn hurry(&self, name: &SourceName) -> bool {
        self.lines().get(name).map(|line| line.hurry.notify_waiters()).is_some()
    }

    pub(super) fn came_in(&self, items: &[Item]) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        // A feed's first visit brings hundreds; the page has room for the newest.
        for item in items.iter().skip(items.len().saturating_sub(LATEST_MAX)) {
            latest.truncate(LATEST_MAX - 1);
            latest.push_front(item.clone());
        }
    }

    /// The newest items, the last first.
    pub fn latest(&self) -> Vec<Item> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Every source, by name.
    pub fn sources(&self, clock: &Clock) -> Vec<SourceStatus> {
        let lines: Vec<_> = self.lines().values().cloned().collect();
        lines.iter().map(|line| line.status(clock)).collect()
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<SourceName, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
