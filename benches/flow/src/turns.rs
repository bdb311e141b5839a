//! Contenders that take turns.

use anyhow::{Context, Result, anyhow, ensure};
use ballet::Scope;
use bench_report::{Better, Comparison, Goal, Row, median};
use bench_versus::{Program, per};
use tokio::runtime::Runtime;

use std::time::Instant;

const ROUNDS: usize = 7;

/// Somebody who does the work and says what an item cost.
pub(crate) struct Contender<'a> {
    name: &'static str,
    goal: Option<Goal>,
    perform: Box<dyn FnMut() -> Result<f64> + 'a>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(name: &'static str, perform: impl FnMut() -> Result<f64> + 'a) -> Self {
        Self { name, goal: None, perform: Box::new(perform) }
    }

    /// How many times better ours has to be.
    pub(crate) fn goal(mut self, ratio: f64) -> Self {
        self.goal = Some(Goal::Ratio(ratio));
        self
    }

    /// Asks a program of benches/versus, which has warmed up.
    pub(crate) fn program(
        name: &'static str,
        program: &'a mut Program,
        request: &'static str,
        checksum: u64,
    ) -> Result<Self> {
        let repeats = program.warm_up(request)?;
        Ok(Self::new(name, move || {
            let answer = program.ask(request, repeats)?;
            ensure!(answer.checksum == checksum, "{name} computed {}, not {checksum}", answer.checksum);
            Ok(answer.figure)
        }))
    }
}

/// The medians of all, the first of which is ours, against each other.
pub(crate) fn compare(name: &str, mut contenders: Vec<Contender<'_>>) -> Result<Vec<Row>> {
    eprintln!("{name}");
    let mut costs = vec![Vec::new(); contenders.len()];
    // The first round warms up and does not count.
    for round in 0..=ROUNDS {
        for turn in 0..contenders.len() {
            let index = (turn + round) % contenders.len();
            let cost = (contenders[index].perform)()?;
            if round > 0 {
                costs[index].push(cost);
            }
        }
    }
    let mut medians = contenders.into_iter().zip(costs.into_iter().map(median));
    let (_, ours) = medians.next().context("there is nobody to compare")?;
    let row = |(contender, cost): (Contender<'_>, f64)| {
        let comparison = Comparison {
            name: name.to_owned(),
            unit: "ns/item",
            better: Better::Lower,
            peer_name: contender.name.to_owned(),
            goal: contender.goal,
        };
        comparison.row(ours, cost)
    };
    Ok(medians.map(row).collect())
}

/// Runs `work` in a child of a scope, as a program's own work is, and gives the time of each of so many items.
pub(crate) fn timed<F>(runtime: &Runtime, items: u64, checksum: u64, work: F) -> Result<f64>
where
    F: Future<Output = Result<u64, ballet::Error>> + Send + 'static,
{
    let work = async move {
        let start = Instant::now();
        let sum = work.await?;
        Ok((per(start, items as usize), sum))
    };
    let scope = ballet::scope(async |s: Scope| Ok(s.spawn(work).await));
    let (cost, sum) = runtime.block_on(scope).map_err(|failure| anyhow!("{failure}"))?;
    ensure!(sum == checksum, "the sum is {sum}, not {checksum}");
    Ok(cost)
}
