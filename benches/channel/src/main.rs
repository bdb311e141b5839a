//! What it costs to hand an item over: ballet's channels against those of Rust's ecosystem, Go's and Kotlin's.
//!
//! Everybody takes turns, round by round, in an order that moves on by one each time; a figure is the median over the
//! rounds, of which the first only warms up. The Rust channels are used by children of one ballet scope on two workers,
//! so that only the channel differs. Go and Kotlin are the programs of benches/versus, whose SCENARIOS.md says what is
//! done; `carrier.rs` puts the Rust channels behind one trait.

mod carrier;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use ballet::Scope;
use bench_report::{Better, Comparison, Goal, Row, median};
use bench_versus::{ITEMS, Language, Program, mix, per};
use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use carrier::{AsyncChannel, Ballet, Carrier, Crossfire, Flume, Kanal, Tokio};

const WORKERS: usize = 2;
const ROUNDS: usize = 9;

/// Measures channels, and prints the rows as JSON.
#[derive(Parser)]
struct Arguments {
    /// Only the comparisons whose name contains this, such as `64 places`.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
}

#[derive(Clone, Copy)]
struct Scenario {
    producers: u64,
    places: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    Ballet,
    Tokio,
    Crossfire,
    Flume,
    AsyncChannel,
    Kanal,
    Go,
    Kotlin,
}

impl Peer {
    const ALL: [Peer; 8] = [
        Peer::Ballet,
        Peer::Tokio,
        Peer::Crossfire,
        Peer::Flume,
        Peer::AsyncChannel,
        Peer::Kanal,
        Peer::Go,
        Peer::Kotlin,
    ];

    /// Whether it has channels without a buffer.
    fn has_rendezvous(self) -> bool {
        !matches!(self, Peer::Tokio | Peer::Crossfire | Peer::AsyncChannel)
    }

    fn goal(self) -> Option<Goal> {
        match self {
            // Kanal keeps less: an item that cannot be sent is lost, one on its way to a receiver that is cancelled
            // too, and a loop over a channel that is ever ready gives nobody else a turn.
            Peer::Ballet | Peer::Kanal => None,
            Peer::Tokio | Peer::Crossfire | Peer::Flume | Peer::AsyncChannel => Some(Goal::Ratio(1.0)),
            Peer::Go => Some(Goal::Ratio(2.0)),
            Peer::Kotlin => Some(Goal::Ratio(4.0)),
        }
    }
}

fn main() -> Result<()> {
    let only = Arguments::parse().only;
    let mut stage = Stage::start()?;
    let mut rows = Vec::new();
    let scenarios = [1, 4]
        .into_iter()
        .flat_map(|producers| [0, 64, 1_024].into_iter().map(move |places| Scenario { producers, places }));
    for scenario in scenarios.filter(|scenario| scenario.to_string().contains(&only)) {
        eprintln!("{scenario}");
        rows.extend(stage.compare(scenario)?);
    }
    bench_report::print(&rows)?;
    Ok(())
}

/// Where everybody performs.
struct Stage {
    runtime: Runtime,
    go: Program,
    kotlin: Program,
}

impl Stage {
    fn start() -> Result<Self> {
        Ok(Self {
            runtime: Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?,
            go: Program::start(Language::Go)?,
            kotlin: Program::start(Language::Kotlin)?,
        })
    }

    fn compare(&mut self, scenario: Scenario) -> Result<Vec<Row>> {
        let request = scenario.request();
        let repeats = (self.go.warm_up(&request)?, self.kotlin.warm_up(&request)?);
        let takes_part = |peer: &Peer| scenario.places > 0 || peer.has_rendezvous();
        let mut turns: Vec<_> = Peer::ALL.into_iter().filter(takes_part).collect();
        let mut rounds: BTreeMap<Peer, Vec<f64>> = BTreeMap::new();
        for round in 0..=ROUNDS {
            for peer in &turns {
                let figure = self.perform(*peer, scenario, repeats)?;
                if round > 0 {
                    rounds.entry(*peer).or_default().push(figure);
                }
            }
            turns.rotate_left(1);
        }
        let mut figures = rounds.into_iter().map(|(peer, rounds)| (peer, median(rounds)));
        let ours = figures.next().map_or(f64::NAN, |(_, figure)| figure);
        Ok(figures.map(|(peer, figure)| scenario.comparison(peer).row(ours, figure)).collect())
    }

    fn perform(&mut self, peer: Peer, scenario: Scenario, repeats: (u32, u32)) -> Result<f64> {
        match peer {
            Peer::Ballet => self.hand_over::<Ballet>(scenario),
            Peer::Tokio => self.hand_over::<Tokio>(scenario),
            Peer::Crossfire => self.hand_over::<Crossfire>(scenario),
            Peer::Flume => self.hand_over::<Flume>(scenario),
            Peer::AsyncChannel => self.hand_over::<AsyncChannel>(scenario),
            Peer::Kanal => self.hand_over::<Kanal>(scenario),
            Peer::Go => scenario.ask(&mut self.go, repeats.0),
            Peer::Kotlin => scenario.ask(&mut self.kotlin, repeats.1),
        }
    }

    fn hand_over<C: Carrier>(&self, scenario: Scenario) -> Result<f64> {
        let Scenario { producers, places } = scenario;
        let (tx, rx) = C::open(places);
        // In a child, as a program's own channels are: the body of this scope would be a guest of the main thread.
        let (figure, sum) = self
            .runtime
            .block_on(ballet::scope(async |s: Scope| Ok(s.spawn(play::<C>(producers, tx, rx)).await)))
            .map_err(|failure| anyhow!("{failure}"))?;
        scenario.check(sum)?;
        Ok(figure)
    }
}

/// Nanoseconds for an item, and the checksum.
async fn play<C: Carrier>(producers: u64, tx: C::Tx, rx: C::Rx) -> Result<(f64, u64), ballet::Error> {
    let start = Instant::now();
    let sum = ballet::scope(async |s: Scope| {
        for _ in 0..producers {
            let tx = tx.clone();
            s.spawn(async move {
                for number in 0..ITEMS / producers {
                    assert!(C::send(&tx, number).await, "the consumer left early");
                }
                Ok(())
            });
        }
        drop(tx);
        Ok(s.spawn(consume::<C>(rx)).await)
    })
    .await?;
    Ok((per(start, ITEMS as usize), sum))
}

async fn consume<C: Carrier>(mut rx: C::Rx) -> Result<u64, ballet::Error> {
    let mut sum = 0_u64;
    while let Some(number) = C::recv(&mut rx).await {
        sum = sum.wrapping_add(mix(number));
    }
    Ok(sum)
}

impl Scenario {
    /// How the programs of benches/versus call it.
    fn request(self) -> String {
        format!("channel-{}-{}", self.producers, self.places)
    }

    fn ask(self, program: &mut Program, repeats: u32) -> Result<f64> {
        let answer = program.ask(&self.request(), repeats)?;
        self.check(answer.checksum)?;
        Ok(answer.figure)
    }

    /// Whether each item came once.
    fn check(self, sum: u64) -> Result<()> {
        let each = (0..ITEMS / self.producers).map(mix).fold(0, u64::wrapping_add);
        ensure!(sum == each.wrapping_mul(self.producers), "{self}: items are lost or doubled");
        Ok(())
    }

    fn comparison(self, peer: Peer) -> Comparison {
        Comparison {
            name: self.to_string(),
            unit: "ns/item",
            better: Better::Lower,
            peer_name: peer.to_string(),
            goal: peer.goal(),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.places {
            0 => f.write_str("rendezvous")?,
            places => write!(f, "{places} places")?,
        }
        write!(f, ", {} producer{}", self.producers, if self.producers == 1 { "" } else { "s" })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Peer::Ballet => "ballet",
            Peer::Tokio => "tokio mpsc",
            Peer::Crossfire => "crossfire mpmc",
            Peer::Flume => "flume",
            Peer::AsyncChannel => "async-channel",
            Peer::Kanal => "kanal",
            Peer::Go => "Go",
            Peer::Kotlin => "Kotlin",
        })
    }
}
