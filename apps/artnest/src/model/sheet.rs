//! The sheet of a room, and how large it may be.

use std::ops::RangeInclusive;

/// How long a side may be, in units.
const SIDE: RangeInclusive<u16> = 16..=8_192;

/// A size that no sheet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sheet has {} to {} units each way", SIDE.start(), SIDE.end())]
pub struct BadSheet;

/// The two sides of a sheet, if it may have them.
///
/// # Errors
///
/// When one of them is too short or too long.
pub fn sheet(width: u16, height: u16) -> Result<(u16, u16), BadSheet> {
    if SIDE.contains(&width) && SIDE.contains(&height) { Ok((width, height)) } else { Err(BadSheet) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_is_within_bounds() {
        for good in [(16, 16), (16, 8_192), (2_400, 1_600)] {
            assert_eq!(sheet(good.0, good.1), Ok(good));
        }
        for (width, height) in [(0, 0), (15, 100), (100, 8_193), (u16::MAX, u16::MAX)] {
            assert_eq!(sheet(width, height), Err(BadSheet), "{width} x {height}");
        }
    }
}
