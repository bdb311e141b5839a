//! What a command prints. Whoever reads it may hang up, and its disk may be full; neither is a bug of ours.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// A line on standard output, which belongs to what was asked for.
pub(super) fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// A line on standard error. Where nobody can be told, the command goes on.
pub(super) fn warn(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
