//! What the two Rust programs share: what a child computes, where it leaves its result, the memory of the process, and
//! the loop over requests. SCENARIOS.md says what the programs do; `bin/ballet.rs` and `bin/tokio.rs` do it. And who
//! takes part, for the benchmarks that ask the programs.

mod contestants;
mod results;

pub use contestants::{Answer, Language, Program};

pub use results::{all_waiting, leave, take_sum, wait_for_ever};

use std::fs;
use std::io::{self, BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tokio::runtime::Builder;

pub const YIELDING_CHILDREN: usize = 16;
pub const YIELDS: usize = 1_000;
pub const HAND_OVERS: usize = 1_000;
pub const ITEMS: u64 = 100_000;
pub const CANCELLED_CHILDREN: usize = 1_000;
pub const IDLE_CHILDREN: usize = 100_000;

#[derive(Clone, Copy, Debug)]
pub enum Scenario {
    Waves { count: usize, size: usize },
    Yield,
    Switch,
    Channel { producers: u64, places: usize },
    Cancel,
    Idle,
}

impl Scenario {
    fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "waves-1" => Scenario::Waves { count: 1_000, size: 1 },
            "waves-16" => Scenario::Waves { count: 64, size: 16 },
            "waves-1000" => Scenario::Waves { count: 1, size: 1_000 },
            "waves-100000" => Scenario::Waves { count: 1, size: 100_000 },
            "yield" => Scenario::Yield,
            "switch" => Scenario::Switch,
            "channel-1-0" => Scenario::Channel { producers: 1, places: 0 },
            "channel-1-64" => Scenario::Channel { producers: 1, places: 64 },
            "channel-1-1024" => Scenario::Channel { producers: 1, places: 1_024 },
            "channel-4-0" => Scenario::Channel { producers: 4, places: 0 },
            "channel-4-64" => Scenario::Channel { producers: 4, places: 64 },
            "channel-4-1024" => Scenario::Channel { producers: 4, places: 1_024 },
            "cancel" => Scenario::Cancel,
            "idle" => Scenario::Idle,
            _ => bail!("unknown scenario: {name}"),
        })
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub figure: f64,
    pub checksum: u64,
}

/// Answers requests until standard input ends. All runs on one runtime with two workers.
///
/// # Errors
///
/// When a line is not a request, the runtime cannot be built, or a scenario panicked.
pub fn serve<F>(run: fn(Scenario) -> F) -> Result<()>
where
    F: Future<Output = Measured> + Send + 'static,
{
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (name, repeats) = line.split_once(' ').with_context(|| format!("not a request: {line}"))?;
        let (scenario, repeats) = (Scenario::parse(name)?, repeats.parse()?);
        // On a worker, as a program's own tasks are.
        let measured = runtime.block_on(runtime.spawn(measure(run, scenario, repeats)))?;
        writeln!(io::stdout(), "{} {}", measured.figure, measured.checksum)?;
    }
    Ok(())
}

/// The mean of the repeats and their checksum, which is the same for each.
async fn measure<F>(run: fn(Scenario) -> F, scenario: Scenario, repeats: u32) -> Measured
where
    F: Future<Output = Measured>,
{
    let mut figures = 0.0;
    let mut checksum = 0;
    for _ in 0..repeats {
        let measured = run(scenario).await;
        figures += measured.figure;
        checksum = measured.checksum;
    }
    Measured { figure: figures / f64::from(repeats), checksum }
}

/// What a child computes.
#[must_use]
pub fn mix(number: u64) -> u64 {
    number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// The time since `start` for each of so many, in nanoseconds.
#[must_use]
pub fn per(start: Instant, count: usize) -> f64 {
    start.elapsed().as_nanos() as f64 / count as f64
}

/// The memory of the process that stands in RAM, in bytes.
///
/// # Panics
///
/// When the system does not say, as only Linux does.
#[must_use]
pub fn resident() -> f64 {
    let kibibytes = fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    });
    kibibytes.unwrap_or_else(|| panic!("/proc/self/status has no VmRSS")) * 1024.0
}
