//! What Herald tells Prometheus, in its text format.
//!
//! What only this process knows (requests, latencies) is counted here as it happens. What the store or the providers
//! know is read at each scrape into a registry of its own, so that no number is kept in two places.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{Method, StatusCode, header},
    response::IntoResponse,
};
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};

use super::{Api, problem::Problem};
use crate::{
    deliver::Monitor,
    model::State as DeliveryState,
    store::{Counts, WriterStats},
};

/// From a commit on a fast disk to one that a client has given up on.
const ACCEPT_SECONDS: [f64; 12] =
    [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 4.0];

/// What is counted as it happens.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    accept_seconds: Histogram,
    requests: IntCounterVec,
}

impl Metrics {
    /// # Errors
    ///
    /// When two metrics have the same name.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let accept_seconds = HistogramOpts::new(
            "herald_accept_seconds",
            "Time from the body of an accepted notification to its durable commit.",
        );
        let requests =
            Opts::new("herald_http_requests_total", "Requests answered, by route, method and status.");
        let metrics = Self {
            accept_seconds: register(
                &registry,
                Histogram::with_opts(accept_seconds.buckets(ACCEPT_SECONDS.into()))?,
            )?,
            requests: register(&registry, IntCounterVec::new(requests, &["route", "method", "status"])?)?,
            registry,
        };
        let info = Opts::new("herald_build_info", "The version that runs, as a label.");
        let info = register(&metrics.registry, IntGaugeVec::new(info, &["version"])?)?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(metrics)
    }

    pub(super) fn accepted(&self, took: Duration) {
        self.accept_seconds.observe(took.as_secs_f64());
    }

    /// The route is the pattern, not the path: an id in a label would make a series of its own.
    pub(super) fn answered(&self, method: &Method, route: &str, status: StatusCode) {
        self.requests.with_label_values(&[route, known(method), status.as_str()]).inc();
    }
}

/// A client may make up methods; a label may not grow with them.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

pub(super) async fn scrape(State(api): State<Arc<Api>>) -> Result<impl IntoResponse, Problem> {
    let counts = api.store.counts().await?;
    let text = encode(&api, &counts).map_err(|error| Problem::internal(&error))?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}

fn encode(api: &Api, counts: &Counts) -> Result<String, prometheus::Error> {
    let snapshot = Registry::new();
    tell_counts(&snapshot, counts)?;
    tell_writer(&snapshot, &api.store.writer_stats())?;
    tell_providers(&snapshot, &api.monitor, counts)?;
    let mut families = api.metrics.registry.gather();
    families.extend(snapshot.gather());
    TextEncoder::new().encode_to_string(&families)
}

fn tell_counts(registry: &Registry, counts: &Counts) -> Result<(), prometheus::Error> {
    let deliveries = Opts::new("herald_deliveries", "Deliveries that are in each state now.");
    let deliveries = register(registry, IntGaugeVec::new(deliveries, &["state"])?)?;
    for state in DeliveryState::ALL {
        deliveries.with_label_values(&[state.as_str()]).set(gauge(counts.of(state)));
    }
    let balances = IntGauge::new(
        "herald_balances",
        "1 while accepted from clients = accepted + dead + expired + cancelled + skipped + unknown + pending.",
    )?;
    register(registry, balances)?.set(counts.balances().into());
    count(
        registry,
        "herald_accepted_total",
        "Deliveries ever accepted from clients.",
        counts.accepted_total,
    )?;
    count(
        registry,
        "herald_deliveries_marked_unknown_total",
        "Deliveries ever marked unknown: sent perhaps, perhaps not.",
        counts.unknown_total,
    )
}

fn tell_writer(registry: &Registry, stats: &WriterStats) -> Result<(), prometheus::Error> {
    count(registry, "herald_store_commits_total", "Commits of the store since its start.", stats.commits)?;
    count(
        registry,
        "herald_store_operations_total",
        "Operations in those commits; divided by them, the size of a group.",
        stats.operations,
    )?;
    let last =
        Gauge::new("herald_store_last_commit_seconds", "How long the last commit took, fsync included.")?;
    register(registry, last)?.set(stats.last_commit.as_secs_f64());
    Ok(())
}

fn tell_providers(registry: &Registry, monitor: &Monitor, counts: &Counts) -> Result<(), prometheus::Error> {
    let queued = Opts::new("herald_queue_depth", "Deliveries that wait to be sent, now or later.");
    let queued = register(registry, IntGaugeVec::new(queued, &["provider"])?)?;
    let paused =
        Opts::new("herald_provider_paused", "1 while a provider refuses our credentials or settings.");
    let paused = register(registry, IntGaugeVec::new(paused, &["provider"])?)?;
    let in_flight = Opts::new("herald_deliveries_in_flight", "Deliveries that a provider is sending now.");
    let in_flight = register(registry, IntGaugeVec::new(in_flight, &["provider"])?)?;
    let attempts =
        Opts::new("herald_attempts_total", "Attempts since the start, by what the provider's answer meant.");
    let attempts = register(registry, IntCounterVec::new(attempts, &["provider", "class"])?)?;
    for status in monitor.providers() {
        for (class, count) in &status.attempts {
            attempts.with_label_values(&[status.name, class]).inc_by(*count);
        }
        let waiting = counts.claimable_by_provider.get(status.name).copied().unwrap_or(0);
        queued.with_label_values(&[status.name]).set(gauge(waiting));
        paused.with_label_values(&[status.name]).set(status.paused.into());
        in_flight.with_label_values(&[status.name]).set(i64::try_from(status.in_flight).unwrap_or(i64::MAX));
    }
    Ok(())
}

fn count(registry: &Registry, name: &str, help: &str, value: u64) -> Result<(), prometheus::Error> {
    register(registry, IntCounter::new(name, help)?)?.inc_by(value);
    Ok(())
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// Prometheus' gauges are signed; no count of rows comes near the border.
fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
