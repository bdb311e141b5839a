//! What can be seen of the tree: states, snapshots, and failures that nobody looked at.
//!
//! A sink at the bottom of the crate: everything may report here and nothing decides from it.
//! The module `job` fills the snapshots.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// Where a job is in its life.
///
/// # Examples
///
/// ```
/// use ballet::observe::State;
///
/// assert!(State::Cancelled.is_ended() && !State::Cancelling.is_ended());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It runs, or waits to be polled.
    Running,
    /// It was asked to end and has not ended yet: it is shielded, graceful, or waits for what it adopted.
    Cancelling,
    /// It ended with a value.
    Completed,
    /// It ended with an error.
    Failed,
    /// It was cancelled before it had a value.
    Cancelled,
    /// It panicked.
    Panicked,
}

impl State {
    /// Whether the job has ended, in whichever way.
    #[must_use]
    pub fn is_ended(self) -> bool {
        !matches!(self, State::Running | State::Cancelling)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Running => "running",
            State::Cancelling => "cancelling",
            State::Completed => "completed",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Panicked => "panicked",
        })
    }
}

/// What a node of the tree is.
///
/// # Examples
///
/// ```
/// assert_eq!(ballet::observe::Kind::Adopted.to_string(), "adopted scope");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The root that owns what has no nearer owner.
    Root,
    /// A job: one child of a scope.
    Job,
    /// A scope whose caller is polling it.
    Scope,
    /// A scope whose caller dropped it half-way; its owner waits for what is left of it.
    Adopted,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Root => "root",
            Kind::Job => "job",
            Kind::Scope => "scope",
            Kind::Adopted => "adopted scope",
        })
    }
}

/// One node of the tree as it was when the snapshot was taken, with its children in order of birth.
///
/// Its `Display` draws the tree, a line a node. Taking one locks each node for a moment and stops no job.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// ballet::scope(async |s: ballet::Scope| {
///     s.named("tailor").spawn(std::future::pending::<Result<(), _>>());
///     assert!(s.tree().to_string().contains("tailor"));
///     s.cancel_children();
///     Ok(())
/// })
/// .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tree {
    /// The names from the root to this node.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Where the code that spawned or opened it stands.
    pub place: &'static Location<'static>,
    /// Where it is in its life.
    pub state: State,
    /// How long ago it was born.
    pub age: Duration,
    /// How often it was polled.
    pub polls: u64,
    /// How long ago it was last polled; `None` before the first poll.
    pub idle: Option<Duration>,
    /// What its code waits for or is inside of, as Ballet's own primitives say it: a pause before a retry, the line
    /// of a rate limiter, the restarts of a supervised child.
    pub remarks: Vec<String>,
    /// What it owns.
    pub children: Vec<Tree>,
}

impl Tree {
    /// This node and all below it, owners before what they own.
    pub fn iter(&self) -> impl Iterator<Item = &Tree> {
        let mut ahead = vec![self];
        std::iter::from_fn(move || {
            let node = ahead.pop()?;
            ahead.extend(node.children.iter().rev());
            Some(node)
        })
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = depth * 2;
        write!(
            f,
            "{:indent$}{} · {} · {} · {:.1?} · {} polls · {}",
            "", self.path, self.kind, self.state, self.age, self.polls, self.place
        )?;
        self.remarks.iter().try_for_each(|remark| write!(f, " · {remark}"))?;
        writeln!(f)?;
        self.children.iter().try_for_each(|child| child.draw(f, depth + 1))
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draw(f, 0)
    }
}

/// The default end of a failure that nobody looked at: one `tracing` error with its path and place of birth.
pub(crate) fn unobserved(path: &dyn fmt::Display, place: &Location<'_>, failure: &dyn fmt::Debug) {
    tracing::error!(target: "ballet", %path, %place, "nobody looked at this failure: {failure:?}");
}

/// A child that has been asked to end and did not within its budget, named.
pub(crate) fn straggler(node: &Tree) {
    tracing::warn!(
        target: "ballet",
        path = %node.path, place = %node.place, state = %node.state, idle = ?node.idle, age = ?node.age,
        "was asked to end and has not: it is shielded, blocks a thread, or waits in a destructor"
    );
}
