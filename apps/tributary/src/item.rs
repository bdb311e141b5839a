//! What a source gives: one entry of a feed, one post.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::source::SourceName;

/// One entry, clean: its HTML is sanitised, its text bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub id: ItemId,
    pub source: SourceName,
    pub title: Option<String>,
    pub link: Option<Url>,
    pub author: Option<String>,
    pub published: Option<Timestamp>,
    pub updated: Option<Timestamp>,
    /// Sanitised HTML.
    pub summary_html: Option<String>,
    /// Sanitised HTML.
    pub content_html: Option<String>,
    pub tags: Vec<String>,
    /// Pictures, sound and other files that belong to it.
    pub attachments: Vec<Attachment>,
}

/// A file that belongs to an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub url: Url,
    pub media_type: Option<String>,
    pub bytes: Option<u64>,
}

/// The same for the same entry of the same source, at every visit and after every restart: sinks know duplicates by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemId([u8; 16]);

/// What is not the id of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an item's id is 32 hexadecimal digits")]
pub struct NotAnId;

impl ItemId {
    /// The id of what the source knows by `key`: the entry's own id, else its link, else its content.
    pub fn of(source: &SourceName, key: &str) -> Self {
        let digest =
            Sha256::new().chain_update(source.as_str()).chain_update([0]).chain_update(key).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ItemId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(&text, 16).ok().filter(|_| is_hex);
        Ok(Self(number.ok_or(NotAnId)?.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_the_source_and_the_key_and_reads_back() {
        let (one, two) = ("one".parse().unwrap(), "two".parse().unwrap());
        let id = ItemId::of(&one, "guid");
        assert_eq!(id, ItemId::of(&one, "guid"));
        assert_ne!(id, ItemId::of(&two, "guid"));
        assert_ne!(id, ItemId::of(&one, "other"));
        assert_eq!(ItemId::try_from(id.to_string()), Ok(id));
        assert!(ItemId::try_from("+1234567890123456789012345678901".to_owned()).is_err());
    }
}
