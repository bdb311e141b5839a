//! The public name of a room: 60 random bits. It opens nothing.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// Twelve characters of the base32 alphabet (RFC 4648 §6), in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId([u8; LENGTH]);

const LENGTH: usize = 12;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A text that names no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a room's id is twelve characters of a-z and 2-7")]
pub struct NotARoomId;

impl RoomId {
    /// A new one, from the operating system's randomness.
    pub fn random() -> Self {
        let bytes: [u8; LENGTH] = rand::random();
        Self(bytes.map(|byte| ALPHABET[usize::from(byte) % ALPHABET.len()]))
    }

    pub fn as_str(&self) -> &str {
        // Every byte is one of the alphabet's.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for RoomId {
    type Err = NotARoomId;

    fn from_str(text: &str) -> Result<Self, NotARoomId> {
        let bytes: [u8; LENGTH] = text.as_bytes().try_into().map_err(|_| NotARoomId)?;
        if bytes.iter().all(|byte| ALPHABET.contains(byte)) { Ok(Self(bytes)) } else { Err(NotARoomId) }
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RoomId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_being_written_and_read() {
        let id = RoomId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "abc", "ABCDEFGHIJKL", "abcdefghijk1", "abcdefghijklm", "../../../etc"] {
            assert_eq!(text.parse::<RoomId>(), Err(NotARoomId), "{text}");
        }
    }
}
