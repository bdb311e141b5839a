//! What a command prints. Whoever reads it may hang up, and its disk may be full; neither is a bug of ours.

use std::{
    fmt::Display,
    io::{self, Write},
};

use super::Error;

/// A line on standard output, which belongs to what was asked for. Who hangs up has read enough: the rest is done all the
/// same, and the exit code says what came of it.
pub(super) fn say(line: impl Display) -> Result<(), Error> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Untold(error)),
        _ => Ok(()),
    }
}

/// A line on standard error. Where nobody can be told, the command goes on.
pub(super) fn warn(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
