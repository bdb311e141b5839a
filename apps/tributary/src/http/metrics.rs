//! What Tributary tells Prometheus, in its text format.
//!
//! Every number is read at the scrape from where it is kept, so that none is kept in two places. Totals of sources are
//! durable and do not begin anew with the process; those of sinks do.

use jiff::Timestamp;
use prometheus::{
    GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

use super::status::Status;
use crate::{sinks::SinkStatus, sources::SourceStatus};

const STATES: [&str; 6] = ["starting", "waiting", "visiting", "parked", "disabled", "stopped"];

pub(super) fn encode(status: &Status) -> Result<String, prometheus::Error> {
    let registry = Registry::new();
    tell_all(&registry, status)?;
    tell_sources(&registry, status)?;
    tell_sinks(&registry, &status.sinks)?;
    TextEncoder::new().encode_to_string(&registry.gather())
}

fn tell_all(registry: &Registry, status: &Status) -> Result<(), prometheus::Error> {
    let info = Opts::new("tributary_build_info", "The version that runs, as a label.");
    register(registry, IntGaugeVec::new(info, &["version"])?)?.with_label_values(&[status.version]).set(1);
    let all: [(&str, &str, u64); 6] = [
        ("tributary_spill_items", "Items that some sink has not acknowledged.", status.spill.items),
        ("tributary_spill_items_max", "Items that may wait; beyond, sources pause.", status.spill.items_max),
        ("tributary_visits_under_way", "Visits under way.", wide(status.visits.under_way)),
        (
            "tributary_settings_wrong",
            "1 while the file has a mistake.",
            status.settings.fault.is_some().into(),
        ),
        ("tributary_store_writable", "1 while the store takes changes.", status.store.is_writable.into()),
        ("tributary_draining", "1 while it is shutting down.", status.draining.into()),
    ];
    for (name, help, value) in all {
        register(registry, IntGauge::new(name, help)?)?.set(gauge(value));
    }
    let states = Opts::new("tributary_sources", "Sources that are in each state now.");
    let states = register(registry, IntGaugeVec::new(states, &["state"])?)?;
    for state in STATES {
        let count = status.sources.iter().filter(|source| source.state == state).count();
        states.with_label_values(&[state]).set(gauge(wide(count)));
    }
    Ok(())
}

fn tell_sources(registry: &Registry, status: &Status) -> Result<(), prometheus::Error> {
    type Count = fn(&SourceStatus) -> u64;
    let counts: [(&str, &str, Count); 6] = [
        ("tributary_visits_total", "Visits that have ended.", |source| source.visits),
        ("tributary_visit_failures_total", "Visits that failed.", |source| source.failures),
        ("tributary_unchanged_total", "Visits at which nothing had changed.", |source| source.unchanged),
        ("tributary_items_total", "New items.", |source| source.items),
        ("tributary_bytes_total", "Bytes that came over the network.", |source| source.bytes),
        ("tributary_panics_total", "Lives that a panic or the store ended, since the start.", |source| {
            source.panics
        }),
    ];
    for (name, help, count) in counts {
        let counter = register(registry, IntCounterVec::new(Opts::new(name, help), &["source"])?)?;
        for source in &status.sources {
            counter.with_label_values(&[source.name.as_str()]).inc_by(count(source));
        }
    }
    type Measure = fn(&SourceStatus, Timestamp) -> Option<f64>;
    let measures: [(&str, &str, Measure); 3] = [
        ("tributary_next_visit_seconds", "Time to the next visit, where it is known.", |source, now| {
            Some(source.next_at?.duration_since(now).as_secs_f64())
        }),
        ("tributary_since_success_seconds", "Time since the last good visit.", |source, now| {
            Some(now.duration_since(source.last_success_at?).as_secs_f64())
        }),
        (
            "tributary_late_seconds_max",
            "The most by which a visit began late, since the start.",
            |source, _| Some(source.late_seconds_max),
        ),
    ];
    for (name, help, measure) in measures {
        let values = register(registry, GaugeVec::new(Opts::new(name, help), &["source"])?)?;
        for source in &status.sources {
            if let Some(value) = measure(source, status.now) {
                values.with_label_values(&[source.name.as_str()]).set(value);
            }
        }
    }
    Ok(())
}

fn tell_sinks(registry: &Registry, sinks: &[SinkStatus]) -> Result<(), prometheus::Error> {
    type Count = fn(&SinkStatus) -> u64;
    let counts: [(&str, &str, Count); 2] = [
        ("tributary_delivered_total", "Items that the sink has settled, since the start.", |sink| {
            sink.delivered
        }),
        ("tributary_delivery_failures_total", "Times that the sink took nothing, since the start.", |sink| {
            sink.failures
        }),
    ];
    for (name, help, count) in counts {
        let counter = register(registry, IntCounterVec::new(Opts::new(name, help), &["sink"])?)?;
        for sink in sinks {
            counter.with_label_values(&[&sink.name]).inc_by(count(sink));
        }
    }
    let gauges: [(&str, &str, Count); 3] = [
        ("tributary_sink_behind", "Items in the outbox that the sink has still to pass.", |sink| sink.behind),
        ("tributary_sink_refused", "Items that the sink will never take, which are kept aside.", |sink| {
            sink.refused
        }),
        ("tributary_sink_down", "1 while the sink takes nothing.", |sink| u64::from(sink.state == "waiting")),
    ];
    for (name, help, count) in gauges {
        let values = register(registry, IntGaugeVec::new(Opts::new(name, help), &["sink"])?)?;
        for sink in sinks {
            values.with_label_values(&[&sink.name]).set(gauge(count(sink)));
        }
    }
    Ok(())
}

fn register<T: Collector + Clone + 'static>(registry: &Registry, metric: T) -> Result<T, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
