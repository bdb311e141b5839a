//! Where items go, each sink a child of one supervisor with a drain of its own.
//!
//! A drain takes from the outbox what its sink is owed, in order, and goes on when the sink has acknowledged it. A sink that
//! is down is tried again, later and later, and holds up no other; what it is owed stays in the outbox, and when that is full
//! the sources pause. A sink may get an item again after a crash, and always under the same id. A new kind of sink is a file
//! here and a line in [`KINDS`].

mod drain;
mod herald;
mod nats;
mod ndjson;
mod post;
mod sqlite;
mod webhook;

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ballet::{Backoff, Children, Incident, Life, Scope, Supervised, Supervisor, child};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

pub use self::drain::SinkStatus;
use self::drain::{Drain, Line};
use crate::{
    config::{Changes, Config, SinkSettings},
    fields::{Fields, Wrong},
    item::Item,
    sources::Shared,
    store::{Entry, Refusal},
};

pub(crate) const NDJSON: &str = "ndjson";

/// When a drain that failed or panicked is started again.
const RESTART: Backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));

/// After so much time, what was handed over one by one is acknowledged, and the rest comes with the next entries.
const ONE_BY_ONE_MAX: Duration = Duration::from_secs(2);

/// One kind of sink.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The word for `kind = "…"`.
    pub name: &'static str,
    /// Reads its own settings; paths are relative to the folder.
    pub(crate) read: fn(&Fields<'_>, &Path) -> Result<Target, Wrong>,
}

/// Every kind.
pub const KINDS: [Kind; 5] = [
    Kind { name: NDJSON, read: ndjson::read },
    Kind { name: "sqlite", read: sqlite::read },
    Kind { name: "webhook", read: webhook::read },
    Kind { name: "nats", read: nats::read },
    Kind { name: "herald", read: herald::read },
];

/// What a sink is, as configured.
#[derive(Debug)]
pub enum Target {
    Ndjson {
        path: PathBuf,
    },
    Sqlite {
        path: PathBuf,
    },
    Webhook(webhook::Settings),
    Nats(nats::Settings),
    Herald(herald::Settings),
    /// A sink that fails in ways that no real one is known to.
    #[cfg(test)]
    Unsound(tests::Unsound),
}

impl Target {
    /// The file that it has to itself.
    pub(crate) fn own_file(&self) -> Option<&Path> {
        match self {
            Self::Ndjson { path } => Some(path),
            _ => None,
        }
    }

    /// Opens it.
    async fn open(&self) -> Result<Box<dyn Outlet>, Failure> {
        Ok(match self {
            Self::Ndjson { path } => Box::new(ndjson::Outlet::open(path).await?),
            Self::Sqlite { path } => Box::new(sqlite::Outlet::open(path).await?),
            Self::Webhook(settings) => Box::new(webhook::Outlet::new(settings)?),
            Self::Nats(settings) => Box::new(nats::Outlet::open(settings).await?),
            Self::Herald(settings) => Box::new(herald::Outlet::new(settings)?),
            #[cfg(test)]
            Self::Unsound(unsound) => unsound.open().await?,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ndjson { path } | Self::Sqlite { path } => path.display().fmt(f),
            Self::Webhook(settings) => settings.fmt(f),
            Self::Nats(settings) => settings.fmt(f),
            Self::Herald(settings) => settings.fmt(f),
            #[cfg(test)]
            Self::Unsound(_) => f.write_str("unsound"),
        }
    }
}

/// An open sink.
trait Outlet: Send {
    /// Hands over entries in their order, as far as it goes. After a failure the outlet is opened anew.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, what was handed over and not told will be handed over again.
    fn deliver<'a>(&'a mut self, entries: &'a [Entry]) -> BoxFuture<'a, Delivery>;
}

/// What became of some entries.
#[derive(Debug, Default)]
struct Delivery {
    /// So many from the first on are settled: acknowledged, or refused for good.
    settled: usize,
    refused: Vec<Refusal>,
    /// Why it went no further.
    failure: Option<Failure>,
}

/// Why a sink did not take what it was given, for now.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    why: String,
    /// It asked for so much time.
    after: Option<Duration>,
}

impl Failure {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), after: None }
    }
}

impl Delivery {
    fn all(entries: &[Entry]) -> Self {
        Self { settled: entries.len(), ..Self::default() }
    }

    fn none(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

/// What became of one entry.
enum Answer {
    Taken,
    /// And never will be.
    Refused(String),
    Failed(Failure),
}

/// Hands over entries one by one, so that each is settled before the next; as many as there is time for.
async fn one_by_one<'a, F: Future<Output = Answer>>(
    entries: &'a [Entry],
    hand_over: impl Fn(&'a Item) -> F,
) -> Delivery {
    let began = Instant::now();
    let mut delivery = Delivery::default();
    for entry in entries {
        if began.elapsed() > ONE_BY_ONE_MAX {
            break;
        }
        match hand_over(&entry.item).await {
            Answer::Taken => {}
            Answer::Refused(why) => delivery.refused.push(Refusal { entry: entry.clone(), why }),
            Answer::Failed(failure) => {
                delivery.failure = Some(failure);
                break;
            }
        }
        delivery.settled += 1;
    }
    delivery
}

/// Works on the disk, as a child: whoever waits for it is not gone before it is done, so no two write one file.
async fn on_disk<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, io::Error> + Send + 'static,
) -> Result<T, Failure> {
    let done = ballet::scope(async |s: Scope| Ok(s.named("disk").blocking(|_cancel| Ok(work())).await)).await;
    match done {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Failure::new(format!("{}: {error}", path.display()))),
        Err(failure) => Err(Failure::new(format!("{}: {failure}", path.display()))),
    }
}

/// All sinks.
pub struct Sinks {
    shared: Arc<Shared>,
    /// Empty once it runs.
    supervisor: Mutex<Option<Supervisor>>,
    children: Children,
    lines: Arc<Lines>,
}

/// Every sink's line, by name.
type Lines = Mutex<BTreeMap<String, Arc<Line>>>;

impl Sinks {
    pub fn new(shared: Arc<Shared>) -> Self {
        let lines = Arc::<Lines>::default();
        let told = Arc::clone(&lines);
        let supervisor = Supervisor::one_for_one()
            .without_limit()
            .keep_open()
            .stop_together()
            .no_restart_after(ballet::draining)
            .on_incident(move |incident| tell(&told, incident));
        let children = supervisor.children();
        Self { shared, supervisor: Mutex::new(Some(supervisor)), children, lines }
    }

    /// Drains the outbox into the sinks of `config`, and those that [`Sinks::apply`] brings, until the stage drains.
    ///
    /// # Errors
    ///
    /// None that a sink has.
    ///
    /// # Panics
    ///
    /// When it is run twice.
    pub async fn run(&self, config: Arc<Config>) -> Result<(), ballet::Error> {
        let supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take();
        let supervisor = supervisor.expect("sinks run once");
        let sinks = config.sinks.values().map(|settings| self.child(settings));
        let report = sinks.fold(supervisor, Supervisor::child).run().await?;
        tracing::debug!(%report, "deliveries have ended");
        Ok(())
    }

    /// Goes over to other settings: stops what is gone, starts what is new, restarts what differs. Gives what it did. The store
    /// has to know the new ones already.
    ///
    /// # Errors
    ///
    /// When the sinks are ending.
    pub async fn apply(&self, old: &Config, new: &Config) -> Result<Changes<String>, ballet::Error> {
        let differ = |old: &Arc<SinkSettings>, new: &Arc<SinkSettings>| old.fingerprint != new.fingerprint;
        let changes = Changes::between(&old.sinks, &new.sinks, differ);
        for name in changes.stopped.iter().chain(&changes.restarted) {
            self.children.remove(name).await?;
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
        for name in changes.started.iter().chain(&changes.restarted) {
            self.children.add(self.child(&new.sinks[name])).await?;
        }
        Ok(changes)
    }

    /// Every sink as it is now, by name.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn statuses(&self) -> Result<Vec<SinkStatus>, ledger::Error> {
        let rows = self.shared.store.sinks().await?;
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let known = rows.iter().filter_map(|row| Some((lines.get(&row.name)?, row)));
        Ok(known.map(|(line, row)| line.status(row, &self.shared.clock)).collect())
    }

    fn child(&self, settings: &Arc<SinkSettings>) -> Supervised {
        let line = Arc::new(Line::new(Arc::clone(settings)));
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(settings.name.clone(), Arc::clone(&line));
        let drain = Arc::new(Drain { shared: Arc::clone(&self.shared), line });
        child(settings.name.clone()).transient().backoff(RESTART).run(async move |life: Life| {
            life.ready();
            drain.run().await
        })
    }
}

/// Writes the end of a drain to the log and onto its line.
fn tell(lines: &Lines, incident: &Incident) {
    let why = incident.failure().map_or_else(|| "it ended".to_owned(), ToString::to_string);
    let again = incident.restarts_after();
    tracing::error!(sink = incident.child(), %why, ?again, "a sink failed");
    if let Some(line) = lines.lock().unwrap_or_else(PoisonError::into_inner).get(incident.child()) {
        line.broke(why, again);
    }
}

impl fmt::Debug for Sinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sinks").field("children", &self.children).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
