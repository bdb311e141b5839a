//! Parse, play, tell.

use std::io::{self, Write};
use std::time::Duration;

use ballet::Occupancy;
use clap::{Parser, ValueEnum};
use pool::{Policy, Story, Trace};

/// A bounded pool of places, played as a story.
///
/// Workers come one after the other. Whoever finds a place gets in, works, and gives it back. Whoever finds none is
/// turned away at once: in the story `reject` that is the end of it; in `retry` the worker stands in line, and gets in
/// when somebody leaves, in the order of arrival.
#[derive(Parser)]
#[command(name = "pool", version, after_help = EXAMPLES)]
struct Cli {
    /// Which story; both of them if none is named.
    story: Option<Name>,
    /// How many workers come.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=1000))]
    workers: u16,
    /// How many places there are; with 0, `retry` waits until it is interrupted.
    #[arg(long, default_value_t = 2)]
    places: usize,
    /// How long each worker works, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    work: u64,
    /// The time from one arrival to the next, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    interval: u64,
}

const EXAMPLES: &str = "\
Examples:
  pool                               both stories: 4 workers on 2 places
  pool retry --places 1              one place: strictly one after the other
  pool reject --workers 20 --work 0  work that takes no time turns nobody away

After Ctrl-C the workers have 20 s to finish; a second one cancels them. Their places are given back either way.";

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Whoever is turned away goes home.
    Reject,
    /// Whoever is turned away stands in line.
    Retry,
}

#[ballet::main]
async fn main() -> Result<(), ballet::Error> {
    let cli = Cli::parse();
    let policies = match cli.story {
        None => &[Policy::Reject, Policy::Retry][..],
        Some(Name::Reject) => &[Policy::Reject],
        Some(Name::Retry) => &[Policy::Retry],
    };
    for &policy in policies {
        let story = cli.story(policy);
        let name = format!("{policy:?}").to_lowercase();
        writeln!(io::stdout(), "{name} (workers: {}, places: {})", story.workers, story.places)?;
        let (recorder, trace) = pool::trace();
        let (told, occupancy) = tokio::join!(tell(trace), story.play(recorder));
        told?;
        let Occupancy { granted, rejected, in_use, .. } = occupancy?;
        writeln!(io::stdout(), "           {granted} granted, {rejected} rejected, {in_use} still in use\n")?;
    }
    Ok(())
}

impl Cli {
    fn story(&self, policy: Policy) -> Story {
        let (interval, work) = (Duration::from_millis(self.interval), Duration::from_millis(self.work));
        Story { workers: usize::from(self.workers), places: self.places, policy, interval, work }
    }
}

/// Writes each event as it happens.
async fn tell(mut trace: Trace) -> io::Result<()> {
    while let Some(event) = trace.next().await {
        writeln!(io::stdout(), "{event}")?;
    }
    Ok(())
}
