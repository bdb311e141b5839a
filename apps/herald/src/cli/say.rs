//! What a command prints. Whoever reads it may hang up, and its disk may be full; neither is a bug of ours.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Prints what was asked for. That nobody reads it is no failure: it is done all the same.
pub(super) fn say(text: impl Display) -> io::Result<()> {
    match hand_over(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        said => said,
    }
}

/// Prints what is shown only this once, such as a secret. That nobody reads it is a failure: it is lost.
pub(super) fn hand_over(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout();
    write!(out, "{text}").and_then(|()| out.flush())
}

/// A line on standard error. Where nobody can be told, the command goes on.
pub(super) fn warn(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
