//! What can be seen of the tree: states, snapshots, and failures that nobody looked at.
//!
//! A sink at the bottom of the crate: everything may report here and nothing decides from it.
//! The module `job` fills the snapshots.

use std::fmt;
use std::mem;
use std::panic::Location;
use std::time::Duration;

use crate::sync::contain;

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

/// How far a drawn line is indented at most, in levels. Beyond it nobody sees the steps any more, and a width in a format
/// has 16 bits.
const DEEPEST_INDENT: usize = 64;

/// One node of the tree as it was when the snapshot was taken, with its children in order of birth.
///
/// Its `Display` and its `Debug` draw the tree, a line a node. Taking one locks each node for a moment and stops no job.
/// However deep the tree is, taking, cloning, drawing and dropping it need no more of the stack than for one node. Paths are
/// written out for each node, so that the memory for a chain of jobs grows with the square of its length.
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

    /// Puts a tree together from its nodes, owners before what they own and kin in order of birth, each with the index of
    /// its owner; the first is the top.
    pub(crate) fn assemble(mut nodes: Vec<(usize, Tree)>) -> Option<Tree> {
        while let Some((owner, mut node)) = nodes.pop() {
            // Its own came last first.
            node.children.reverse();
            match nodes.get_mut(owner) {
                Some((_, owner)) => owner.children.push(node),
                None => return Some(node),
            }
        }
        None
    }

    /// This node without what it owns.
    fn bare(&self) -> Tree {
        Tree {
            path: self.path.clone(),
            kind: self.kind,
            place: self.place,
            state: self.state,
            age: self.age,
            polls: self.polls,
            idle: self.idle,
            remarks: self.remarks.clone(),
            children: Vec::new(),
        }
    }

    fn draw_line(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = depth.min(DEEPEST_INDENT) * 2;
        write!(
            f,
            "{:indent$}{} · {} · {} · {:.1?} · {} polls · {}",
            "", self.path, self.kind, self.state, self.age, self.polls, self.place
        )?;
        self.remarks.iter().try_for_each(|remark| write!(f, " · {remark}"))?;
        writeln!(f)
    }
}

impl Clone for Tree {
    fn clone(&self) -> Self {
        let mut found = vec![(usize::MAX, self)];
        let mut next = 0;
        while let Some((_, node)) = found.get(next).copied() {
            found.extend(node.children.iter().map(|child| (next, child)));
            next += 1;
        }
        let nodes = found.into_iter().map(|(owner, node)| (owner, node.bare())).collect();
        Tree::assemble(nodes).unwrap_or_else(|| unreachable!("the top is among the nodes"))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let mut left = mem::take(&mut self.children);
        while let Some(mut node) = left.pop() {
            left.append(&mut node.children);
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ahead = vec![(self, 0)];
        while let Some((node, depth)) = ahead.pop() {
            node.draw_line(f, depth)?;
            ahead.extend(node.children.iter().rev().map(|child| (child, depth + 1)));
        }
        Ok(())
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The default end of a failure that nobody looked at: one `tracing` error with its path and place of birth.
pub(crate) fn unobserved(path: &dyn fmt::Display, place: &Location<'_>, failure: &dyn fmt::Debug) {
    say(|| tracing::error!(target: "ballet", %path, %place, "nobody looked at this failure: {failure:?}"));
}

/// Tells `tracing` something. A subscriber may panic, as one does that writes where nobody reads, and so may the text of an
/// error; neither is a failure of the code that tells.
pub(crate) fn say(event: impl FnOnce()) {
    contain(event);
}

/// A child that has been asked to end and did not within its budget, named.
pub(crate) fn straggler(node: &Tree) {
    say(|| {
        tracing::warn!(
            target: "ballet",
            path = %node.path, place = %node.place, state = %node.state, idle = ?node.idle, age = ?node.age,
            "was asked to end and has not: it is shielded, blocks a thread, or waits in a destructor"
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: String) -> Tree {
        Tree {
            path,
            kind: Kind::Job,
            place: Location::caller(),
            state: State::Running,
            age: Duration::ZERO,
            polls: 0,
            idle: None,
            remarks: Vec::new(),
            children: Vec::new(),
        }
    }

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.iter().map(|node| node.path.as_str()).collect()
    }

    #[test]
    fn kin_stand_in_order_of_birth_below_their_owner() {
        let nodes = [(usize::MAX, "top"), (0, "a"), (0, "b"), (1, "a1"), (1, "a2"), (2, "b1")];
        let nodes = nodes.map(|(owner, path)| (owner, node(path.to_owned()))).into();
        let tree = Tree::assemble(nodes).unwrap();
        assert_eq!(paths(&tree), ["top", "a", "a1", "a2", "b", "b1"]);
        assert_eq!(paths(&tree.clone()), paths(&tree));
    }

    #[test]
    fn a_chain_longer_than_the_stack_is_cloned_drawn_and_dropped() {
        const LENGTH: usize = 100_000;
        let nodes = (0..LENGTH).map(|index| (index.wrapping_sub(1), node(String::new()))).collect();
        let tree = Tree::assemble(nodes).unwrap();
        assert_eq!(tree.clone().iter().count(), LENGTH);
        assert_eq!(tree.to_string().lines().count(), LENGTH);
        assert_eq!(format!("{tree:?}"), tree.to_string());
    }
}
