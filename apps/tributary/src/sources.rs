//! The sources, each a child of one supervisor: a panic, a hang or a refusal of one is its own.
//!
//! A life of a child visits its source again and again (`tend`). What the end of a visit means for the next one is decided in
//! `verdict`, the schedule in `rhythm`; before each host stands a door (`doors`); who keeps panicking is parked (`crashes`).
//! The board tells at any moment what each waits for and why. A reload removes and adds children, and touches no others.

mod board;
mod crashes;
mod doors;
mod rhythm;
mod tend;
mod verdict;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ballet::{Backoff, Bulkhead, Children, Incident, Life, Supervised, Supervisor, SupervisorScope, child};
use tokio::sync::watch;

pub use self::board::{Board, Phase, SourceStatus, Waits};
use self::{board::Line, doors::Doors, tend::Source};
use crate::{
    clock::Clock,
    config::{Changes, Config, SourceSettings},
    source::SourceName,
    store::Store,
    web::Web,
};

/// When a source whose life failed is started again. Whether it is visited at once is up to its crashes.
const RESTART: Backoff = Backoff::exponential(Duration::from_millis(500), Duration::from_secs(10));
/// Overdue sources are visited at this rate after a start, so that ten thousand of them are no wave.
const OVERDUE_PER_SECOND: u32 = 20;

/// What all sources and sinks share.
#[derive(Debug)]
pub struct Shared {
    pub store: Store,
    pub clock: Clock,
    pub board: Board,
    /// How many items may wait for some sink; watched, since a reload may make room.
    spill_items_max: watch::Sender<u64>,
    /// Places for visits under way.
    visits: Bulkhead,
    doors: Doors,
}

impl Shared {
    pub fn new(store: Store, clock: Clock, config: &Config) -> Self {
        Self {
            store,
            clock,
            board: Board::default(),
            spill_items_max: watch::Sender::new(config.spill_items_max),
            visits: Bulkhead::new("visits", config.fixed.visits_max),
            doors: Doors::default(),
        }
    }

    fn spill_items_max(&self) -> u64 {
        *self.spill_items_max.borrow()
    }

    fn room(&self) -> Room {
        Room { waiting: self.store.watch_spilled(), most: self.spill_items_max.subscribe() }
    }

    /// Items that wait for some sink, and how many may.
    pub fn spill(&self) -> (u64, u64) {
        (self.store.spilled(), self.spill_items_max())
    }

    /// Visits under way, and places for them.
    pub fn visits(&self) -> (usize, usize) {
        let occupancy = self.visits.occupancy();
        (occupancy.in_use, occupancy.places)
    }
}

/// The room in the outbox, for whoever waits for some.
struct Room {
    waiting: watch::Receiver<u64>,
    most: watch::Receiver<u64>,
}

impl Room {
    /// Items that wait for some sink, and how many may; what changes from now on is seen.
    fn look(&mut self) -> (u64, u64) {
        (*self.waiting.borrow_and_update(), *self.most.borrow_and_update())
    }

    /// Until something came in or was delivered, or the bound is another, since the last look.
    async fn changed(&mut self) {
        // Neither sender can be gone: both are in what all sources share.
        tokio::select! {
            _ = self.waiting.changed() => {}
            _ = self.most.changed() => {}
        }
    }
}

/// All sources.
pub struct Sources {
    shared: Arc<Shared>,
    /// Empty once it runs.
    supervisor: Mutex<Option<Supervisor>>,
    children: Children,
    /// The client that sources ask with, and the scope of its connections; while they run.
    web: Mutex<Option<(Web, SupervisorScope)>>,
}

impl Sources {
    pub fn new(shared: Arc<Shared>) -> Self {
        let board = Arc::clone(&shared);
        let supervisor = Supervisor::one_for_one()
            .without_limit()
            .keep_open()
            .stop_together()
            .no_restart_after(ballet::draining)
            .on_incident(move |incident| tell(&board.board, incident));
        let children = supervisor.children();
        Self { shared, supervisor: Mutex::new(Some(supervisor)), children, web: Mutex::new(None) }
    }

    /// Visits the sources of `config`, and those that [`Sources::apply`] brings, until the stage drains and the visits under
    /// way have ended.
    ///
    /// # Errors
    ///
    /// When there can be no HTTP client. What fails at a source is its own.
    ///
    /// # Panics
    ///
    /// When it is run twice.
    pub async fn run(&self, config: Arc<Config>) -> Result<(), ballet::Error> {
        let supervisor = lock(&self.supervisor).take().expect("sources run once");
        ballet::supervisor_scope(async |connections: SupervisorScope| {
            let web = Web::new(config.web.clone(), self.shared.clock.clone(), connections.clone())?;
            *lock(&self.web) = Some((web.clone(), connections));
            let spread = spread(config.sources.len());
            let sources = config.sources.values().map(|settings| self.child(settings, &web, spread));
            let supervisor = sources.fold(supervisor, Supervisor::child);
            let report = supervisor.run().await;
            // With the last client its connections end, and so does this scope.
            *lock(&self.web) = None;
            tracing::debug!(report = %report?, "visits have ended");
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Goes over to other settings: stops what is gone, starts what is new, restarts what differs. Gives what it did.
    ///
    /// # Errors
    ///
    /// When the sources are ending.
    pub async fn apply(
        &self,
        old: &Config,
        new: &Config,
        web: Web,
    ) -> Result<Changes<SourceName>, ballet::Error> {
        self.shared.spill_items_max.send_replace(new.spill_items_max);
        let restart_all = old.web != new.web;
        let changes = Changes::between(&old.sources, &new.sources, |old, new| {
            restart_all || old.fingerprint != new.fingerprint
        });
        for name in changes.stopped.iter().chain(&changes.restarted) {
            self.children.remove(name.as_str()).await?;
            self.shared.board.remove(name);
        }
        let spread = spread(changes.started.len() + changes.restarted.len());
        for name in changes.started.iter().chain(&changes.restarted) {
            self.children.add(self.child(&new.sources[name], &web, spread)).await?;
        }
        self.shared.doors.retain(new.sources.values().map(|settings| settings.visit.address()));
        Ok(changes)
    }

    /// Has a source visited now, whatever it waits for, as far as its server permits. Gives whether there is such a one.
    pub fn hurry(&self, name: &SourceName) -> bool {
        self.shared.board.hurry(name)
    }

    /// The client for other settings: the one there is, where they do not differ in this.
    ///
    /// # Errors
    ///
    /// When there can be none. When the sources are not running.
    pub fn web_for(&self, old: &Config, new: &Config) -> Result<Web, ballet::Error> {
        let mut slot = lock(&self.web);
        let (web, connections) =
            slot.as_ref().ok_or_else(|| ballet::Error::msg("the sources are not running"))?;
        if old.web == new.web {
            return Ok(web.clone());
        }
        let connections = connections.clone();
        let web = Web::new(new.web.clone(), self.shared.clock.clone(), connections.clone())?;
        *slot = Some((web.clone(), connections));
        Ok(web)
    }

    fn child(&self, settings: &Arc<SourceSettings>, web: &Web, spread: Duration) -> Supervised {
        let line = Arc::new(Line::new(Arc::clone(settings), self.shared.clock.now()));
        self.shared.board.add(&line);
        let source = Arc::new(Source { shared: Arc::clone(&self.shared), line, web: web.clone(), spread });
        child(settings.name.to_string())
            .transient()
            .backoff(RESTART)
            // Not an async closure, which would keep the life and the source twice.
            .run(move |life: Life<crashes::Crashes>| tend::tend(life, source))
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// Writes the end of a life to the log and onto the board.
fn tell(board: &Board, incident: &Incident) {
    let why = incident.failure().map_or_else(|| "it ended".to_owned(), ToString::to_string);
    tracing::error!(source = incident.child(), %why, again = ?incident.restarts_after(), "a source failed");
    board.panicked(incident.child(), &why);
}

/// The time over which so many overdue sources are spread.
fn spread(sources: usize) -> Duration {
    Duration::from_secs(1) * u32::try_from(sources).unwrap_or(u32::MAX) / OVERDUE_PER_SECOND
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
