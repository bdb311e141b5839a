//! Names of members and rooms: what people type, made fit to show.

/// A name that cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 bytes and no control characters")]
pub struct BadName;

/// The longest name, in bytes.
const BYTES_MAX: usize = crate::wire::NAME_BYTES_MAX;

/// A name without space around it and without what would turn the text around it (bidirectional controls).
///
/// # Errors
///
/// When nothing is left, or too much.
pub fn clean_name(name: &str) -> Result<String, BadName> {
    let shown: String = name.chars().filter(|&c| !turns_text(c)).collect();
    let shown = shown.trim();
    let fits = (1..=BYTES_MAX).contains(&shown.len()) && !shown.chars().any(char::is_control);
    if fits { Ok(shown.to_owned()) } else { Err(BadName) }
}

fn turns_text(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_cannot_turn_its_surroundings() {
        assert_eq!(clean_name("  Ada \u{202e}"), Ok("Ada".to_owned()));
    }

    #[test]
    fn no_name_and_too_long_a_name_are_refused() {
        for name in ["", "   ", "\u{200b}", "a\nb", &"x".repeat(65)] {
            assert_eq!(clean_name(name), Err(BadName), "{name:?}");
        }
        assert!(clean_name(&"x".repeat(64)).is_ok());
    }
}
