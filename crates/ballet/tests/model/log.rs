//! What happens, in one vocabulary for the model that predicts it and the library that does it.

use std::fmt;

/// Milliseconds of virtual time since the beginning.
pub(crate) type Time = u64;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// The future of a body or a child is gone.
    Left(u32, How),
    /// The future of a finalizer is gone.
    Finalized(u32, How),
    /// A scope returned this to its caller.
    Returned(u32, Verdict),
    /// The limit of a scope elapsed.
    Elapsed(u32),
    /// The value of a child was awaited.
    Received(u32),
    /// A child of a supervisor was awaited and had no value: its failure, or `None` where it was cancelled.
    Saw(u32, Option<Fault>),
    /// A failure nobody could look at went to the sink.
    Sunk(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    Value,
    Error,
    Panic,
    Cut,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Value,
    /// The first failure, and those that rode along.
    Failed(Vec<Fault>),
    Cancelled,
}

/// A failure, by the number of the part that raised it. It is the error type of the trees, and the text of their
/// panics.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Error(u32),
    Panic(u32),
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Error(id) => write!(f, "<error {id}>"),
            Fault::Panic(id) => write!(f, "<panic {id}>"),
        }
    }
}

impl Fault {
    /// Finds a fault in the text of a panic or a log line.
    pub(crate) fn read(text: &str) -> Option<Fault> {
        let (_, rest) = text.split_once('<')?;
        let (kind, id) = rest.split_once('>')?.0.split_once(' ')?;
        let id = id.parse().ok()?;
        match kind {
            "error" => Some(Fault::Error(id)),
            "panic" => Some(Fault::Panic(id)),
            _ => None,
        }
    }
}
