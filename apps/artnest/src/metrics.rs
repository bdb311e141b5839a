//! What is counted as it happens, for Prometheus and for the admin page.
//!
//! What the store or the rooms know is asked of them at each scrape, so that no number is kept in two places.

use std::time::Duration;

use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};

use crate::{
    model::{Code, ReadOnly},
    room::State,
    rooms::Rooms,
    store::{Store, Totals},
};

/// From a commit on a fast disk to one that people notice.
const COMMIT_SECONDS: [f64; 12] =
    [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 4.0];

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    commit_seconds: Histogram,
    operations: IntCounter,
    connections: IntGauge,
    joins: IntCounterVec,
    ended: IntCounterVec,
    frames_sent: IntCounter,
    bytes_sent: IntCounter,
    caught_up: IntCounter,
    writer_failures: IntCounter,
    sent_out: IntCounter,
    read_only: IntCounterVec,
    requests: IntCounterVec,
}

impl Metrics {
    /// # Errors
    ///
    /// When two metrics have the same name.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let commit_seconds = HistogramOpts::new(
            "artnest_commit_seconds",
            "Time from a gathered batch of a room to its durable commit.",
        );
        let vec = |name: &str, help: &str, label: &str| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), &[label])?)
        };
        let count = |name: &str, help: &str| register(&registry, IntCounter::new(name, help)?);
        let metrics = Self {
            commit_seconds: register(
                &registry,
                Histogram::with_opts(commit_seconds.buckets(COMMIT_SECONDS.into()))?,
            )?,
            operations: count("artnest_operations_total", "Operations that became durable.")?,
            connections: register(
                &registry,
                IntGauge::new("artnest_connections", "WebSocket connections that are open.")?,
            )?,
            joins: vec("artnest_joins_total", "Joins, by what became of them.", "outcome")?,
            ended: vec(
                "artnest_connections_ended_total",
                "Connections that the server ended, by the code.",
                "code",
            )?,
            frames_sent: count("artnest_frames_sent_total", "WebSocket messages sent.")?,
            bytes_sent: count("artnest_bytes_sent_total", "Bytes of the WebSocket messages sent.")?,
            caught_up: count(
                "artnest_caught_up_total",
                "Times that a connection was behind and read the log from the store.",
            )?,
            writer_failures: count("artnest_writer_failures_total", "Writers of rooms that failed.")?,
            sent_out: count("artnest_sent_out_total", "Members sent out of a room by an owner.")?,
            read_only: vec(
                "artnest_read_only_total",
                "Times that a room became read-only, by why.",
                "reason",
            )?,
            requests: register(
                &registry,
                IntCounterVec::new(
                    Opts::new("artnest_http_requests_total", "Requests answered, by route and status."),
                    &["route", "status"],
                )?,
            )?,
            registry,
        };
        let info = Opts::new("artnest_build_info", "The version that runs, as a label.");
        let info = register(&metrics.registry, IntGaugeVec::new(info, &["version"])?)?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(metrics)
    }

    pub(crate) fn committed(&self, operations: u16, took: Duration) {
        self.operations.inc_by(operations.into());
        self.commit_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn read_only(&self, state: &State) {
        if let Some(reason) = state.read_only {
            let reason = match reason {
                ReadOnly::Quota => "quota",
                ReadOnly::Disk => "disk",
                ReadOnly::Store => "store",
                ReadOnly::Closing => "closing",
            };
            self.read_only.with_label_values(&[reason]).inc();
        }
    }

    pub(crate) fn writer_failed(&self) {
        self.writer_failures.inc();
    }

    pub(crate) fn sent_out(&self) {
        self.sent_out.inc();
    }

    /// Counts a connection for as long as the guard lives.
    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    pub(crate) fn joined(&self, outcome: Result<(), Code>) {
        let outcome = outcome.map_or_else(Code::name, |()| "joined");
        self.joins.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn ended(&self, code: Code) {
        self.ended.with_label_values(&[code.name()]).inc();
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.frames_sent.inc();
        self.bytes_sent.inc_by(u64::try_from(bytes).unwrap_or(0));
    }

    pub(crate) fn caught_up(&self) {
        self.caught_up.inc();
    }

    #[cfg(test)]
    pub(crate) fn times_caught_up(&self) -> u64 {
        self.caught_up.get()
    }

    /// The route is the pattern, not the path: an id in a label would make a series of its own.
    pub(crate) fn answered(&self, route: &str, status: u16) {
        self.requests.with_label_values(&[route, &status.to_string()]).inc();
    }

    /// Everything, in the text format.
    ///
    /// # Errors
    ///
    /// When two metrics have the same name.
    pub(crate) fn encode(
        &self,
        totals: &Totals,
        store: &Store,
        rooms: &Rooms,
    ) -> Result<String, prometheus::Error> {
        let snapshot = Registry::new();
        let gauge = |name: &str, help: &str, value: u64| {
            register(&snapshot, IntGauge::new(name, help)?).map(|gauge| gauge.set(signed(value)))
        };
        gauge("artnest_rooms", "Rooms there are.", totals.rooms)?;
        gauge("artnest_members", "Members that rooms remember.", totals.members)?;
        gauge("artnest_strokes", "Strokes that can be seen.", totals.strokes)?;
        gauge("artnest_used_bytes", "Bytes that logs and snapshots take up.", totals.used_bytes)?;
        let live = u64::try_from(rooms.census().len()).unwrap_or(u64::MAX);
        gauge("artnest_live_rooms", "Rooms in memory.", live)?;
        gauge(
            "artnest_store_writable",
            "1 while the store takes writes; alert on 0.",
            store.is_writable().into(),
        )?;
        let stats = store.writer_stats();
        let commits =
            IntCounter::new("artnest_store_commits_total", "Commits of the store since it was opened.")?;
        register(&snapshot, commits)?.inc_by(stats.commits);
        let last = Gauge::new(
            "artnest_store_last_commit_seconds",
            "How long the last commit took, fsync included.",
        )?;
        register(&snapshot, last)?.set(stats.last_commit.as_secs_f64());
        let mut families = self.registry.gather();
        families.extend(snapshot.gather());
        TextEncoder::new().encode_to_string(&families)
    }
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Connected(IntGauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// Prometheus' gauges are signed; nothing that we count comes near the border.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
