//! Everything that the page, the command line and the metrics tell, gathered at one moment.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    daemon::{Daemon, Settings},
    item::Item,
    sinks::SinkStatus,
    sources::SourceStatus,
};

#[derive(Debug, Serialize)]
pub(crate) struct Status {
    pub(crate) version: &'static str,
    pub(crate) now: Timestamp,
    pub(crate) uptime_seconds: u64,
    pub(crate) draining: bool,
    pub(crate) settings: SettingsStatus,
    pub(crate) spill: Spill,
    pub(crate) visits: Visits,
    pub(crate) store: StoreStatus,
    pub(crate) sources: Vec<SourceStatus>,
    pub(crate) sinks: Vec<SinkStatus>,
    /// The newest first.
    pub(crate) latest: Vec<Item>,
}

#[derive(Debug, Serialize)]
pub(crate) struct SettingsStatus {
    pub(crate) file: String,
    pub(crate) loaded_at: Timestamp,
    pub(crate) reloads: u64,
    /// What is wrong with the file as it is now; the one before is in force.
    pub(crate) fault: Option<String>,
    /// Settings that were changed and need another start.
    pub(crate) waits_for_restart: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Spill {
    pub(crate) items: u64,
    pub(crate) items_max: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Visits {
    pub(crate) under_way: usize,
    pub(crate) places: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct StoreStatus {
    pub(crate) is_writable: bool,
    pub(crate) commits: u64,
    pub(crate) last_commit_ms: f64,
}

/// # Errors
///
/// When the store cannot be read.
pub(crate) async fn of(daemon: &Arc<Daemon>) -> Result<Status, ledger::Error> {
    let shared = &daemon.shared;
    let Settings { loaded_at, fault, waits_for_restart, reloads, .. } = daemon.settings();
    let (items, items_max) = shared.spill();
    let (under_way, places) = shared.visits();
    let stats = shared.store.writer_stats();
    Ok(Status {
        version: env!("CARGO_PKG_VERSION"),
        now: shared.clock.now(),
        uptime_seconds: daemon.began.elapsed().as_secs(),
        draining: !daemon.phases.is_ready(),
        settings: SettingsStatus {
            file: daemon.path().display().to_string(),
            loaded_at,
            reloads,
            fault,
            waits_for_restart,
        },
        spill: Spill { items, items_max },
        visits: Visits { under_way, places },
        store: StoreStatus {
            is_writable: shared.store.is_writable(),
            commits: stats.commits,
            last_commit_ms: stats.last_commit.as_secs_f64() * 1_000.0,
        },
        sources: shared.board.sources(&shared.clock),
        sinks: daemon.sinks.statuses().await?,
        latest: shared.board.latest(),
    })
}
