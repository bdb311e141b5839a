//! What a stage says when it has ended.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::Phase;
use crate::job::{Error, Failure, Panic};
use crate::observe::State;

/// Ends are known to the millisecond, so what comes sooner has no figure.
const AT_ONCE: Duration = Duration::from_millis(1);

/// How a [`Stage`](crate::Stage) ended: its result, what each phase of the shutdown took, and who was left behind.
///
/// Its `Display` is the timeline of the shutdown: how long each phase took, and how long after the beginning of the
/// shutdown each job ended, to the millisecond. Finalizers are no jobs; what they took is in the phase `finalize`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let stage = ballet::Stage::new();
/// stage.phases().shut_down();
/// let curtain = stage.run(async |_| Ok(ballet::draining().await)).await;
/// assert!(curtain.was_asked() && !curtain.is_lossy());
/// assert!(curtain.to_string().ends_with("nothing was lost\n"));
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the curtain holds the failure, the names of jobs that were abandoned, and the exit code"]
pub struct Curtain {
    pub(super) ending: Ending,
    pub(super) asked: bool,
    pub(super) phases: Vec<(Phase, Duration)>,
    pub(super) departures: Vec<Departure>,
    /// Finalizers of the stage's own scope that exceeded their budget.
    pub(super) finalizers_dropped: u32,
}

/// The result of the program itself.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{Ending, Error, Stage};
///
/// let curtain = Stage::new().run(async |_| Err(Error::msg("no orchestra"))).await;
/// assert!(matches!(curtain.ending(), Ending::Failed(_)));
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Ending {
    /// Its body and all its jobs ended.
    Completed,
    /// It was cancelled by the shutdown, and all its jobs ended.
    Cancelled,
    /// Its body or a job failed.
    Failed(Failure<Error>),
    /// Its body or a job panicked.
    Panicked(Panic),
    /// Jobs or finalizers were left when every budget was spent.
    Aborted,
}

/// A job that was alive when the shutdown began.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{Scope, Stage, observe::State};
///
/// let stage = Stage::new();
/// let phases = stage.phases();
/// let curtain = stage
///     .run(async |s: Scope| {
///         s.named("singer").spawn(async { Ok(ballet::draining().await) });
///         Ok(phases.shut_down())
///     })
///     .await;
/// let singer = &curtain.departures()[0];
/// assert_eq!((singer.path.as_str(), singer.state), ("singer", State::Completed));
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Departure {
    /// The names from the root to the job.
    pub path: String,
    /// Where it was spawned: `file:line:column`.
    pub place: String,
    /// How it ended; a state that has not [ended](State::is_ended) means that it was abandoned.
    pub state: State,
    /// How long after the beginning of the shutdown it ended, or was abandoned.
    pub after: Duration,
}

impl Ending {
    /// One word.
    #[cfg(feature = "serde")]
    pub(super) fn name(&self) -> &'static str {
        match self {
            Ending::Completed => "completed",
            Ending::Cancelled => "cancelled",
            Ending::Failed(_) => "failed",
            Ending::Panicked(_) => "panicked",
            Ending::Aborted => "aborted",
        }
    }
}

impl Curtain {
    /// The result of the program itself.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// The failure of the program, where it failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure<Error>> {
        match &self.ending {
            Ending::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Whether the program was asked to end: by a signal or by [`Phases::shut_down`](crate::Phases::shut_down).
    #[must_use]
    pub fn was_asked(&self) -> bool {
        self.asked
    }

    /// Each phase of the shutdown and how long it took.
    #[must_use]
    pub fn phases(&self) -> &[(Phase, Duration)] {
        &self.phases
    }

    /// How long the shutdown took; zero where the program ended by itself.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.phases.iter().map(|(_, took)| *took).sum()
    }

    /// The jobs that were alive when the shutdown began, in order of departure.
    #[must_use]
    pub fn departures(&self) -> &[Departure] {
        &self.departures
    }

    /// Whether something may have been lost: a job or a finalizer was abandoned half-way.
    #[must_use]
    pub fn is_lossy(&self) -> bool {
        matches!(self.ending, Ending::Aborted)
            || self.finalizers_dropped > 0
            || self.departures.iter().any(|job| !job.state.is_ended())
    }

    /// What the process should exit with: 0 when nothing was lost, 1 when the program failed, 3 when jobs were
    /// abandoned, 101 when it panicked.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    pub(super) fn code(&self) -> u8 {
        match &self.ending {
            _ if self.is_lossy() => 3,
            Ending::Panicked(_) => 101,
            Ending::Failed(_) => 1,
            Ending::Completed | Ending::Cancelled | Ending::Aborted => 0,
        }
    }

    /// Tells an operator, on standard error, what they have to know: why the program failed, if it did, and the
    /// timeline, if it was asked to end or something may be lost. Gives the [exit code](Self::exit_code). A panic has been told by its hook.
    pub fn report(&self) -> ExitCode {
        if let Some(failure) = self.failure() {
            let program = program();
            match failure.error() {
                Some(error) => eprintln!("{program}{error}"),
                None => eprintln!("{program}{failure}"),
            }
        }
        if self.was_asked() || self.is_lossy() {
            eprint!("{self}");
        }
        self.exit_code()
    }
}

impl fmt::Display for Curtain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "shutdown took {:.1?}", self.took())?;
        for (phase, took) in &self.phases {
            writeln!(f, "  {:<10} {took:>9.1?}", phase.to_string())?;
        }
        for job in &self.departures {
            let verb = if job.state.is_ended() { job.state.to_string() } else { "ABANDONED".to_owned() };
            let after = if job.after < AT_ONCE { "at once".to_owned() } else { format!("{:.1?}", job.after) };
            writeln!(f, "  {after:>9}  {verb:<10} {} ({})", job.path, job.place)?;
        }
        let lost = self.departures.iter().filter(|job| !job.state.is_ended()).count();
        match &self.ending {
            Ending::Failed(failure) => writeln!(f, "failed: {failure}"),
            Ending::Panicked(panic) => writeln!(f, "{panic}"),
            _ if lost > 0 => writeln!(f, "{lost} jobs were abandoned: something may be lost"),
            _ if self.is_lossy() => writeln!(f, "a finalizer was abandoned: something may be lost"),
            _ => writeln!(f, "nothing was lost"),
        }
    }
}

/// The name of the program that runs, for the beginning of a line; empty where nobody knows it.
fn program() -> String {
    let path = std::env::args_os().next().map(PathBuf::from);
    let name = path.as_deref().and_then(Path::file_name);
    name.map(|name| format!("{}: ", name.display())).unwrap_or_default()
}
