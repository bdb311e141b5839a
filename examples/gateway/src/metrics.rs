//! What the gateway tells Prometheus, in its text format.
//!
//! Events are counted here as they happen; what others know already (the cache, the breakers, the tree) is read at
//! each scrape, so that no number is kept in two places. No label grows with what clients send.

use std::time::Instant;

use ballet::BreakerState;
use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::{Fault, Gateway, Page};

/// From a page of fast parts to the longest deadline that makes sense.
const PAGE_SECONDS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pages: IntCounterVec,
    page_seconds: Histogram,
    parts: IntCounterVec,
    retries: IntCounterVec,
}

impl Metrics {
    /// # Errors
    ///
    /// When two metrics have the same name.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name, help, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let pages =
            counter("gateway_pages_total", "Requests for a page, by what became of them.", &["result"])?;
        let parts = counter(
            "gateway_parts_total",
            "Parts of pages, by what stood in their place and why.",
            &["part", "status", "error_code"],
        )?;
        let retries = counter("gateway_retries_total", "Attempts after the first.", &["part"])?;
        let seconds = HistogramOpts::new("gateway_page_seconds", "Time from a request to its page.");
        let page_seconds = register(&registry, Histogram::with_opts(seconds.buckets(PAGE_SECONDS.into()))?)?;
        Ok(Self { registry, pages, page_seconds, parts, retries })
    }

    /// A request for a page came in.
    pub(crate) fn entered(&self) -> Entry<'_> {
        // Unless somebody says otherwise, its client went away.
        Entry { metrics: self, at: Instant::now(), result: "abandoned" }
    }

    pub(crate) fn retried(&self, part: &str) {
        self.retries.with_label_values(&[part]).inc();
    }
}

/// One request for a page, counted when it is dropped.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    metrics: &'a Metrics,
    at: Instant,
    result: &'static str,
}

impl Entry<'_> {
    pub(crate) fn ended_as(mut self, result: &'static str) {
        self.result = result;
    }

    pub(crate) fn composed(self, page: &Page) {
        for slot in page.slots() {
            let code = slot.fault().map_or("", Fault::code);
            let labels = [slot.name(), slot.status().as_str(), code];
            self.metrics.parts.with_label_values(&labels).inc();
        }
        let result = if page.is_complete() {
            "complete"
        } else if page.is_failed() {
            "failed"
        } else {
            "degraded"
        };
        self.ended_as(result);
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.metrics.pages.with_label_values(&[self.result]).inc();
        self.metrics.page_seconds.observe(self.at.elapsed().as_secs_f64());
    }
}

/// Everything, in the text format.
///
/// # Errors
///
/// When two metrics have the same name.
pub(crate) fn scrape(gateway: &Gateway) -> Result<String, prometheus::Error> {
    let now = Registry::new();
    let gauge = |name, help, value| -> Result<(), prometheus::Error> {
        register(&now, IntGauge::new(name, help)?)?.set(value);
        Ok(())
    };
    gauge("gateway_pages_under_way", "Pages being composed.", gateway.under_way() as i64)?;
    let fill = gateway.shared().cache.fill();
    gauge("gateway_cache_entries", "Last good values that are kept.", fill.entries as i64)?;
    gauge("gateway_cache_bytes", "Bytes of the last good values.", fill.bytes as i64)?;
    gauge(
        "gateway_live_jobs",
        "Jobs and open scopes of this process.",
        ballet::tree().iter().count() as i64 - 1,
    )?;
    let help = "1 for the state that an upstream's breaker is in.";
    let states = Opts::new("gateway_breaker_state", help);
    let states = register(&now, IntGaugeVec::new(states, &["upstream", "state"])?)?;
    for (upstream, breaker) in gateway.breakers() {
        for name in ["closed", "open", "half_open"] {
            states.with_label_values(&[upstream, name]).set((name == state_name(breaker.state())).into());
        }
    }
    let mut families = gateway.shared().metrics.registry.gather();
    families.extend(now.gather());
    TextEncoder::new().encode_to_string(&families)
}

fn state_name(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed { .. } => "closed",
        BreakerState::Open { .. } => "open",
        BreakerState::HalfOpen => "half_open",
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
