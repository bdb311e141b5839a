//! What a command prints. Whoever reads it may hang up, and its disk may be full; neither is a bug of ours. What others
//! wrote, such as a subject or a relay's reply, is [`Foreign`], so that it cannot drive the terminal.

use std::{
    fmt::{self, Display, Write as _},
    io::{self, Write as _},
};

use serde::Deserialize;

/// Text of others. It shows control characters, line breaks among them, and those that turn the direction of writing
/// by their numbers: raw, they would recolour, rename and rewrite the terminal.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Foreign(String);

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Display for Foreign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| {
            if char.is_control() || turns_direction(char) {
                write!(formatter, "{}", char.escape_unicode())
            } else {
                formatter.write_char(char)
            }
        })
    }
}

/// Unicode's marks, embeddings, overrides and isolates for writing from right to left, and its separators of lines.
fn turns_direction(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Prints what was asked for. That nobody reads it is no failure: it is done all the same.
pub(super) fn say(text: impl Display) -> io::Result<()> {
    match hand_over(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        said => said,
    }
}

/// Prints what is shown only this once, such as a secret. That nobody reads it is a failure: it is lost.
pub(crate) fn hand_over(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout();
    write!(out, "{text}").and_then(|()| out.flush())
}

/// A line on standard error. Where nobody can be told, the command goes on.
pub(super) fn warn(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_drive_the_terminal() {
        let shown = |text: &str| Foreign::from(text).to_string();
        assert_eq!(shown("Grüße, 世界 👋"), "Grüße, 世界 👋");
        assert_eq!(shown("\x1b]0;owned\x07"), "\\u{1b}]0;owned\\u{7}");
        assert_eq!(shown("a\r\nb\t\u{9b}2J"), "a\\u{d}\\u{a}b\\u{9}\\u{9b}2J");
        assert_eq!(shown("\u{202e}txt\u{2069}"), "\\u{202e}txt\\u{2069}");
    }
}
