//! A TCP echo of 1 000 connections on loopback with messages of 64 bytes: children of a scope against Tokio tasks.
//!
//! The server is a program of its own, `bin/bench-io-server.rs`; this one is its clients, on one thread. On two cores
//! they take from each other, so a throughput is that of both together, and only the ratio means something elsewhere.
//! The two servers take turns round by round, first under full load, then paced. A figure is the median of the rounds;
//! the bytes that the clients saw come back are held against those that the server echoed.

mod load;

use std::process::Command;

use anyhow::{Context, Result, ensure};
use bench_report::{Better, Comparison, Contestant, Goal, Row, median};
use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use load::{CONNECTIONS, Load, MESSAGE_BYTES, Seen};

/// Many and short: from one second to the next, the figures of a small machine differ by more than the goals allow. The
/// first round only warms up.
const ROUNDS: usize = 50;
const SERVERS: [&str; 2] = ["scope", "tasks"];
const THROUGHPUT: Goal = Goal::Ratio(0.97);
/// At most 1.05 times the latency of plain tasks.
const LATENCY: Goal = Goal::Ratio(0.952);

/// Measures an echo of 1 000 connections, and prints the rows as JSON.
#[derive(Parser)]
struct Arguments {
    /// Only the load whose name contains this: `full load` or `paced`.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let server = std::env::current_exe()?.with_file_name("bench-io-server");
    let mut server = Contestant::start(&mut Command::new(server))?;
    let clients = Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for (name, load) in [("full load", Load::Full), ("paced, 10000 messages/s", Load::Paced)] {
        if !name.contains(&arguments.only) {
            continue;
        }
        eprintln!("{CONNECTIONS} connections, messages of {MESSAGE_BYTES} bytes, {name}");
        let seen = rounds(&mut server, &clients, load)?;
        rows.extend(figures(load).iter().map(|figure| figure.row(name, &seen)));
    }
    bench_report::print(&rows)?;
    Ok(())
}

/// What the clients saw of each server, round by round.
fn rounds(server: &mut Contestant, clients: &Runtime, load: Load) -> Result<[Vec<Seen>; 2]> {
    let mut all = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (who, rounds) in SERVERS.iter().zip(&mut all) {
            let seen = measure(server, clients, who, load)?;
            if round > 0 {
                rounds.push(seen);
            }
        }
    }
    Ok(all)
}

fn measure(server: &mut Contestant, clients: &Runtime, who: &str, load: Load) -> Result<Seen> {
    let port = server.ask(&format!("{who} {CONNECTIONS}"))?;
    let port = port.parse().with_context(|| format!("the server answered: {port}"))?;
    let seen = clients.block_on(load::press(port, load))?;
    let echoed: u64 = server.ask("join")?.parse()?;
    ensure!(echoed == seen.bytes, "{who} echoed {echoed} bytes, and {} came back", seen.bytes);
    Ok(seen)
}

/// One row: what is read from what the clients saw.
struct Figure {
    name: &'static str,
    unit: &'static str,
    better: Better,
    read: fn(&Seen) -> f64,
    goal: Option<Goal>,
}

/// Paced, the throughput is given; everything else is read under both loads.
fn figures(load: Load) -> Vec<Figure> {
    let throughput = Figure {
        name: "throughput",
        unit: "messages/s",
        better: Better::Higher,
        read: Seen::messages_per_second,
        goal: Some(THROUGHPUT),
    };
    let latency = |name, read, goal| Figure { name, unit: "µs", better: Better::Lower, read, goal };
    let throughput = (load == Load::Full).then_some(throughput);
    let latencies = [
        latency("p50", |seen| seen.within(0.5), None),
        latency("p99", |seen| seen.within(0.99), Some(LATENCY)),
        latency("p99.9", |seen| seen.within(0.999), None),
    ];
    throughput.into_iter().chain(latencies).collect()
}

impl Figure {
    fn row(&self, load: &str, [ours, peer]: &[Vec<Seen>; 2]) -> Row {
        let comparison = Comparison {
            name: format!("echo, {load}: {}", self.name),
            unit: self.unit,
            better: self.better,
            peer_name: "Tokio tasks".to_owned(),
            goal: self.goal,
        };
        let figure = |rounds: &[Seen]| median(rounds.iter().map(self.read).collect());
        comparison.row(figure(ours), figure(peer))
    }
}
