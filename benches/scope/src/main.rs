//! What a child costs: ballet's scopes against what else runs children on Tokio.
//!
//! Everybody takes turns: for each case, round by round, each allocator and each peer in turn, in an order that moves
//! on by one each round; a figure is the median over the rounds, of which the first only warms up. The programs that
//! measure, one for each allocator, stay ready in between. `plan.rs` says what is compared and what the goals are.
//! `cargo xtask bench scope` builds the programs before it starts this.

mod plan;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process::Command;

use anyhow::{Context, Result};
use bench_report::{Contestant, median};
use bench_scope::{Allocator, Case, Peer};
use clap::Parser;

use plan::Plan;

const ROUNDS: usize = 7;

/// Measures what a child costs, and prints the rows as JSON.
#[derive(Parser)]
struct Arguments {
    /// Only the comparisons whose name contains this, such as `waves of 1000, system`.
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut programs = Programs::default();
    let mut rows = Vec::new();
    for plan in plan::all() {
        let allocators: Vec<_> =
            plan.allocators().iter().copied().filter(|a| plan.name(*a).contains(&arguments.only)).collect();
        if allocators.is_empty() {
            continue;
        }
        eprintln!("{}, {}", plan.scenario, plan.flavour);
        let figures = programs.measure(&plan, &allocators)?;
        rows.extend(allocators.iter().flat_map(|allocator| plan.rows(*allocator, &figures)));
    }
    bench_report::print(&rows)?;
    Ok(())
}

/// The median of each allocator and peer.
type Figures = BTreeMap<(Allocator, Peer), f64>;

/// The programs that have been needed so far.
#[derive(Default)]
struct Programs(BTreeMap<Allocator, Contestant>);

impl Programs {
    fn measure(&mut self, plan: &Plan, allocators: &[Allocator]) -> Result<Figures> {
        let peers = plan.peers();
        let mut turns: Vec<_> =
            peers.iter().flat_map(|peer| allocators.iter().map(|allocator| (*allocator, *peer))).collect();
        let mut rounds: BTreeMap<_, Vec<f64>> = BTreeMap::new();
        for round in 0..=ROUNDS {
            for (allocator, peer) in &turns {
                let figure = self.ask(*allocator, plan.case(*peer))?;
                if round > 0 {
                    rounds.entry((*allocator, *peer)).or_default().push(figure);
                }
            }
            turns.rotate_left(1);
        }
        Ok(rounds.into_iter().map(|(turn, figures)| (turn, median(figures))).collect())
    }

    fn ask(&mut self, allocator: Allocator, case: Case) -> Result<f64> {
        let program = match self.0.entry(allocator) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(start(allocator)?),
        };
        let answer = program.ask(&serde_json::to_string(&case)?)?;
        answer.parse().with_context(|| format!("{} answered: {answer}", allocator.program()))
    }
}

/// Starts the measuring program, which stands beside this one.
fn start(allocator: Allocator) -> Result<Contestant> {
    let program = std::env::current_exe()?.with_file_name(allocator.program());
    Ok(Contestant::start(&mut Command::new(program))?)
}
