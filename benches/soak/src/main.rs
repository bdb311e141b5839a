//! Random trees under load, with faults, on a real runtime of two workers: `cargo xtask soak --minutes N`.
//!
//! A round runs waves of work, `load`, for a second; then everything must be back at its base line: jobs, open files,
//! threads (`watch`). Memory may rise and fall between rounds and must not rise from the first to the last. The trees
//! are those of Ballet's model tests, from their own files. A breach ends the run with the seed.

#[path = "../../../crates/ballet/tests/model/balance.rs"]
mod balance;
mod load;
#[path = "../../../crates/ballet/tests/model/log.rs"]
mod log;
#[path = "../../../crates/ballet/tests/model/perform.rs"]
mod perform;
#[path = "../../../crates/ballet/tests/model/plan.rs"]
mod plan;
mod watch;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use crate::load::Tally;
use crate::watch::{Baseline, REST_MAX, Trend};

/// How long work is added before everything must be at rest again.
const ROUND: Duration = Duration::from_secs(1);
/// How long a wave may take; its parts are bounded by milliseconds.
const WAVE_MAX: Duration = Duration::from_secs(60);
/// Rounds before the base line is taken: allocators, pools and lazy tables fill themselves.
const WARM_UP_ROUNDS: u32 = 2;
/// Threads for blocking calls, so that their number is known.
const BLOCKING_THREADS: usize = 16;

/// Puts random trees under load with faults, and watches what is left of them.
#[derive(Parser)]
struct Options {
    /// For how long, such as 0.25 or 30.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    minutes: f64,
    /// What all chances are drawn from; another one each time unless it is given.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    // Jobs panic by the thousand here, which is an outcome; the runs that fail say so themselves.
    std::panic::set_hook(Box::new(|_| {}));
    match soak(options.minutes, seed) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(breach) => {
            eprintln!(
                "soak: BREACH: {breach:#}\nsoak: to try it again: cargo xtask soak --minutes {} --seed {seed}",
                options.minutes
            );
            ExitCode::FAILURE
        }
    }
}

/// Runs rounds until the time is over, on a runtime of its own.
fn soak(minutes: f64, seed: u64) -> Result<String> {
    ensure!(minutes.is_finite() && minutes > 0.0, "--minutes is {minutes}; it has to be more than zero");
    let ends =
        Instant::now() + Duration::try_from_secs_f64(minutes * 60.0).context("--minutes is too large")?;
    println!("soak: {minutes} minutes from the seed {seed}, on two workers");
    let runtime = start()?;
    let report = rounds(&runtime, ends, seed);
    if report.is_err() {
        // What does not end is the breach itself: it is told, and not waited for.
        runtime.shutdown_background();
    }
    report
}

fn rounds(runtime: &Runtime, ends: Instant, seed: u64) -> Result<String> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let (mut tally, mut trend, mut baseline) = (Tally::default(), Trend::default(), None);
    for round in 1.. {
        let waves = round_of_waves(runtime, &mut dice, &mut tally)?;
        let now = match &baseline {
            None if round < WARM_UP_ROUNDS => Baseline::when_still()?,
            None => baseline.insert(Baseline::when_still()?).clone(),
            Some(baseline) => {
                baseline.is_reached_again(REST_MAX).with_context(|| format!("after round {round}"))?
            }
        };
        if round >= WARM_UP_ROUNDS {
            trend.note(now.resident_bytes);
        }
        println!("soak: round {round}: {waves} waves; at rest: {now}");
        if Instant::now() >= ends && round >= WARM_UP_ROUNDS {
            break;
        }
    }
    trend.judge()?;
    Ok(format!("soak: nothing was left behind\n{tally}\nresident memory at rest: {trend}\nseed: {seed}"))
}

fn start() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(Duration::from_millis(50));
    builder.enable_all().build().context("the runtime could not be started")
}

/// Waves, one after the other, until the round is over; how many there were.
fn round_of_waves(runtime: &Runtime, dice: &mut fastrand::Rng, tally: &mut Tally) -> Result<u32> {
    let ends = Instant::now() + ROUND;
    let mut waves = 0;
    while Instant::now() < ends {
        let seed = dice.u64(..);
        let wave = async { tokio::time::timeout(WAVE_MAX, load::wave(seed)).await };
        match runtime.block_on(wave) {
            Ok(counted) => tally.add(counted.with_context(|| format!("in the wave {seed}"))?.as_ref()),
            Err(_) => bail!("the wave {seed} has not ended in {WAVE_MAX:?}:\n{}", ballet::tree()),
        }
        waves += 1;
    }
    Ok(waves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_soak_leaves_nothing_behind() {
        let report = soak(0.05, 1).unwrap();
        assert!(report.contains("nothing was left behind") && report.contains("seed: 1"), "{report}");
    }

    #[test]
    fn no_time_at_all_is_refused() {
        for minutes in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(soak(minutes, 1).unwrap_err().to_string().contains("--minutes"));
        }
    }
}
