//! What the gateway adds to its slowest part: the time of a page, as a client sees it, less the time that the
//! slowest of its three upstreams took for that page.
//!
//! The gateway is the real program, and so is the peer, a server with a bare `join!` of the same fetches
//! (`bin/bench-gateway-join.rs`); the third contender is the slowest part asked without anything between. The upstreams
//! and the clients are here, so both times are of one clock. All share the machine. The contenders take turns round
//! by round; a figure is the median over the rounds of that round's percentile, and the first round only warms up.

mod server;
mod upstream;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench_report::{Better, Comparison, Goal, Row, median};
use clap::Parser;
use futures_util::future::try_join_all;

use server::Server;
use upstream::Upstreams;

const ROUNDS: usize = 7;
/// Pages of one contender in one round.
const PAGES: u32 = 600;
/// In microseconds, for the 99th percentile.
const GOAL: Goal = Goal::AtMost(1_000.0);
const PERCENTILES: [(&str, f64); 2] = [("p50", 0.50), ("p99", 0.99)];

/// How pages are asked for.
struct Load {
    name: &'static str,
    clients: u32,
    /// From the beginning of one page of a client to that of its next, where it does not ask as fast as it can.
    pace: Duration,
    /// Where both cores are busy all the time, the figures tell how long work waits for them, and have no goal.
    has_goal: bool,
}

const LOADS: [Load; 3] = [
    Load { name: "one at a time", clients: 1, pace: Duration::ZERO, has_goal: true },
    Load { name: "paced, 200 pages/s", clients: 16, pace: Duration::from_millis(80), has_goal: true },
    Load { name: "full load of 16 clients", clients: 16, pace: Duration::ZERO, has_goal: false },
];

/// Measures what the gateway adds, and prints the rows as JSON.
#[derive(Parser)]
struct Arguments {
    /// Only the loads whose name contains this: `one at a time`, `paced` or `full load`.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
}

/// Whom a client asks, and under which path.
struct Contender {
    name: &'static str,
    url: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // The error means that it is done already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> Result<()> {
    let upstreams = Upstreams::start().await?;
    let gateway = Server::gateway(&upstreams)?;
    let join = Server::join(&upstreams)?;
    let contenders = [
        Contender { name: "gateway", url: gateway.page() },
        Contender { name: "a bare join!", url: join.page() },
        Contender { name: "the part asked directly", url: upstreams.slowest() },
    ];
    let mut rows = Vec::new();
    for load in LOADS.iter().filter(|load| load.name.contains(&arguments.only)) {
        eprintln!(
            "{}: {ROUNDS} rounds of {PAGES} pages for each of {} contenders",
            load.name,
            contenders.len()
        );
        let added = rounds(&contenders, &upstreams, load).await?;
        rows.extend(table(load, &contenders, &added));
    }
    bench_report::print(&rows)?;
    Ok(())
}

/// For each contender what it added to each page, in microseconds and sorted, round by round.
async fn rounds(
    contenders: &[Contender; 3],
    upstreams: &Upstreams,
    load: &Load,
) -> Result<[Vec<Vec<f64>>; 3]> {
    let mut all = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (contender, rounds) in contenders.iter().zip(&mut all) {
            let added = measure(contender, upstreams, load).await?;
            if round > 0 {
                rounds.push(added);
            }
        }
    }
    Ok(all)
}

async fn measure(contender: &Contender, upstreams: &Upstreams, load: &Load) -> Result<Vec<f64>> {
    let each = (0..load.clients).map(|number| ask(contender, upstreams, load, number));
    let mut added = try_join_all(each).await?.concat();
    added.sort_by(f64::total_cmp);
    Ok(added)
}

/// One client on one connection, a page after another.
async fn ask(contender: &Contender, upstreams: &Upstreams, load: &Load, number: u32) -> Result<Vec<f64>> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    // The first page makes the connections, and does not count.
    added(contender, upstreams, &client).await?;
    let pages = PAGES / load.clients;
    let mut figures = Vec::with_capacity(pages as usize);
    let began = Instant::now() + load.pace * number / load.clients;
    for page in 0..pages {
        tokio::time::sleep_until((began + load.pace * page).into()).await;
        figures.push(added(contender, upstreams, &client).await?);
    }
    Ok(figures)
}

/// What a contender adds to the slowest part of one page, in microseconds.
async fn added(contender: &Contender, upstreams: &Upstreams, client: &reqwest::Client) -> Result<f64> {
    static NEXT_ID: AtomicU64 = AtomicU64::new(0);
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let began = Instant::now();
    let response = client.get(format!("{}{id}", contender.url)).send().await?;
    let (status, body) = (response.status(), response.bytes().await?);
    let took = began.elapsed();
    let slowest = upstreams.take(id);
    ensure!(status.is_success() && !body.is_empty(), "{} answered {status}", contender.name);
    ensure!(slowest > Duration::ZERO, "{} answered without its slowest part", contender.name);
    Ok(took.saturating_sub(slowest).as_nanos() as f64 / 1_000.0)
}

fn table(load: &Load, contenders: &[Contender; 3], added: &[Vec<Vec<f64>>; 3]) -> Vec<Row> {
    let figure =
        |rounds: &[Vec<f64>], share| median(rounds.iter().map(|round| percentile(round, share)).collect());
    let mut rows = Vec::new();
    for (name, share) in PERCENTILES {
        // The goal is about ours alone, so it stands in one row: the first of the peers'.
        for ((peer, rounds), is_first) in contenders.iter().zip(added).skip(1).zip([true, false]) {
            let comparison = Comparison {
                name: format!("added to the slowest part, {}, {name}", load.name),
                unit: "us",
                better: Better::Lower,
                peer_name: peer.name.to_owned(),
                goal: (load.has_goal && is_first && name == "p99").then_some(GOAL),
            };
            rows.push(comparison.row(figure(&added[0], share), figure(rounds, share)));
        }
    }
    rows
}

/// Of sorted figures, the one that this share of them does not exceed.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted[rank.saturating_sub(1).min(sorted.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_figures() {
        let figures: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| percentile(&figures, share)), [1.0, 50.0, 99.0, 100.0]);
        assert_eq!(percentile(&[7.0], 0.5), 7.0);
    }
}
