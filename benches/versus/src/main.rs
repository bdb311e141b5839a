//! The same scenarios in ballet, raw Tokio, Go, Kotlin and Python, by turns and verified.
//!
//! SCENARIOS.md says what is done and how figures are made; `contestants.rs` says how each program is started. This
//! asks them by turns, holds their checksums against each other, and makes rows of the medians. `cargo xtask bench
//! versus` installs the toolchains and compiles the programs before it starts this.

use anyhow::{Result, ensure};
use bench_report::{Better, Comparison, Goal, Row, median};
use bench_versus::{Language, Program};
use clap::Parser;

const ROUNDS: usize = 5;

/// Measures the scenarios, and prints the rows as JSON.
#[derive(Parser)]
struct Arguments {
    /// Only the scenarios whose name contains this, such as `switch`.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
}

struct Scenario {
    name: &'static str,
    /// What a program is asked for.
    request: &'static str,
    unit: &'static str,
    /// How many times better ballet has to be than Go and than Kotlin.
    goals: [Option<f64>; 2],
}

const SPAWN_AND_JOIN: [Option<f64>; 2] = [Some(4.0), Some(6.0)];
const CHANNEL: [Option<f64>; 2] = [Some(2.0), Some(4.0)];

const fn scenario(
    name: &'static str,
    request: &'static str,
    unit: &'static str,
    goals: [Option<f64>; 2],
) -> Scenario {
    Scenario { name, request, unit, goals }
}

const SCENARIOS: [Scenario; 14] = [
    scenario("spawn and join, waves of 1", "waves-1", "ns/child", SPAWN_AND_JOIN),
    scenario("spawn and join, waves of 16", "waves-16", "ns/child", SPAWN_AND_JOIN),
    scenario("spawn and join, waves of 1000", "waves-1000", "ns/child", SPAWN_AND_JOIN),
    scenario("spawn and join, 100000 at once", "waves-100000", "ns/child", SPAWN_AND_JOIN),
    scenario("yield", "yield", "ns/yield", [None, None]),
    scenario("switch", "switch", "ns/there and back", [Some(2.5), None]),
    scenario("channel, rendezvous, 1 producer", "channel-1-0", "ns/item", CHANNEL),
    scenario("channel, 64 places, 1 producer", "channel-1-64", "ns/item", CHANNEL),
    scenario("channel, 1024 places, 1 producer", "channel-1-1024", "ns/item", CHANNEL),
    scenario("channel, rendezvous, 4 producers", "channel-4-0", "ns/item", CHANNEL),
    scenario("channel, 64 places, 4 producers", "channel-4-64", "ns/item", CHANNEL),
    scenario("channel, 1024 places, 4 producers", "channel-4-1024", "ns/item", CHANNEL),
    scenario("cancel and join", "cancel", "ns/child", [None, None]),
    scenario("idle child", IDLE, "bytes/child", [None, None]),
];

/// The one scenario that wants a process that has done nothing before.
const IDLE: &str = "idle";

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut programs = Programs::start()?;
    let mut rows = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.name.contains(&arguments.only)) {
        eprintln!("{}", scenario.name);
        let figures = if scenario.request == IDLE {
            medians(|| Programs::start()?.once(IDLE))?
        } else {
            let repeats = programs.warm_up(scenario.request)?;
            medians(|| programs.round(scenario.request, &repeats))?
        };
        rows.extend(scenario.rows(&figures));
    }
    bench_report::print(&rows)?;
    Ok(())
}

impl Scenario {
    /// The first language is ours, the others are its peers.
    fn rows(&self, figures: &[f64]) -> Vec<Row> {
        let peers = Language::ALL.into_iter().zip(figures).skip(1);
        peers.map(|(peer, figure)| self.comparison(peer).row(figures[0], *figure)).collect()
    }

    fn comparison(&self, peer: Language) -> Comparison {
        let goal = match peer {
            Language::Go => self.goals[0],
            Language::Kotlin => self.goals[1],
            Language::Ballet | Language::Tokio | Language::Asyncio | Language::Trio => None,
        };
        Comparison {
            name: self.name.to_owned(),
            unit: self.unit,
            better: Better::Lower,
            peer_name: peer.to_string(),
            goal: goal.map(Goal::Ratio),
        }
    }
}

/// The median of each program over the rounds, in the order of the languages.
fn medians(mut round: impl FnMut() -> Result<Vec<f64>>) -> Result<Vec<f64>> {
    let mut figures = vec![Vec::new(); Language::ALL.len()];
    for _ in 0..ROUNDS {
        for (figures, figure) in figures.iter_mut().zip(round()?) {
            figures.push(figure);
        }
    }
    Ok(figures.into_iter().map(median).collect())
}

/// A running program for each language, in their order.
struct Programs(Vec<Program>);

impl Programs {
    fn start() -> Result<Self> {
        Ok(Self(Language::ALL.into_iter().map(Program::start).collect::<Result<_>>()?))
    }

    /// How often each program has to repeat a scenario.
    fn warm_up(&mut self, request: &str) -> Result<Vec<u32>> {
        self.0.iter_mut().map(|program| program.warm_up(request)).collect()
    }

    /// One turn of each program; fails where their checksums differ.
    fn round(&mut self, request: &str, repeats: &[u32]) -> Result<Vec<f64>> {
        let mut figures = Vec::new();
        let mut expected = None;
        for (program, repeats) in self.0.iter_mut().zip(repeats) {
            let answer = program.ask(request, *repeats)?;
            let expected = *expected.get_or_insert(answer.checksum);
            ensure!(
                answer.checksum == expected,
                "{request}: {} computed {}, ballet {expected}",
                program.language,
                answer.checksum
            );
            figures.push(answer.figure);
        }
        Ok(figures)
    }

    fn once(&mut self, request: &str) -> Result<Vec<f64>> {
        self.round(request, &[1; Language::ALL.len()])
    }
}
