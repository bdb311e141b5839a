//! What a source is: a kind reads its settings, and then it is visited again and again.
//!
//! A new source is one new file in `kinds` and one line in its table. It decides nothing about when it is visited, what
//! became of its items or how failures are met: it gives what it found, or one of the few [`Trouble`]s, and the loop around
//! it does the rest.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use crate::{
    clock::Clock,
    fields::{Fields, Wrong},
    item::Item,
    text,
    web::Web,
};

/// One kind of source, such as `feed`: what the configuration may say of it.
pub trait Kind: fmt::Debug + Sync {
    /// The word for `kind = "…"`.
    fn name(&self) -> &'static str;

    /// One sentence for `tributary add --help` and the error that lists the kinds.
    fn about(&self) -> &'static str;

    /// Reads a source's own settings. What every source has (`name`, `kind`, `to`, …) has been read, and whatever this does
    /// not ask for is refused afterwards as unknown.
    ///
    /// # Errors
    ///
    /// When a setting is missing or unfit: which one, and what to write instead.
    fn read(&self, fields: &Fields<'_>) -> Result<Box<dyn Visit>, Wrong>;

    /// The settings with which it reads what stands at an address that a person would paste; none where it cannot tell by
    /// the address alone.
    fn settings_for(&self, _address: &Url) -> Option<Vec<(&'static str, String)>> {
        None
    }
}

/// One configured source.
pub trait Visit: fmt::Debug + Send + Sync {
    /// Where it is, as configured. For APIs that is the address of the listing.
    fn address(&self) -> &Url;

    /// Fetches what there is since the errand's mark.
    ///
    /// # Errors
    ///
    /// When there is nothing to be had this time; the variant says what to do about it.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time, and nothing is kept of it.
    fn visit<'a>(&'a self, errand: &'a Errand<'a>) -> BoxFuture<'a, Result<Visited, Trouble>>;
}

/// What a visit is given.
#[derive(Debug)]
pub struct Errand<'a> {
    pub web: &'a Web,
    pub clock: &'a Clock,
    /// What the source is called; part of the identity of its items.
    pub source: &'a SourceName,
    /// Where to ask: the configured address, or the one it has moved to for good.
    pub at: &'a Url,
    /// What the last visit left whose items are safe with the sinks. `None`: there was none, or it cannot be read any more.
    pub mark: Option<&'a Mark>,
    /// To be told what the visit is doing, so that the status can say why it takes long.
    pub progress: &'a Progress,
}

/// A good visit.
#[derive(Debug)]
pub struct Visited {
    /// Oldest first. Those that were given before may be among them; the loop knows them by their ids.
    pub items: Vec<Item>,
    /// For the next visit; kept in the same transaction as the items.
    pub mark: Mark,
    /// It has moved for good (301, 308): ask there from now on.
    pub moved: Option<Url>,
    /// The server's wish about the next visit, beyond the configured schedule.
    pub wait: Option<Wait>,
    /// The server said that nothing has changed (304).
    pub is_unchanged: bool,
    /// What came over the network.
    pub bytes: u64,
}

/// Why a visit brought nothing. What the loop does next differs by variant, and by nothing else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The server asked us to come later (429, 503 with Retry-After, a quota used up). It is no failure: the source waits as
    /// long as it was told, and at least its floor.
    #[error("{why}")]
    Later { wait: Duration, why: String },
    /// It is gone for good (410). The source is disabled, with this reason, until its settings change.
    #[error("{why}")]
    Gone { why: String },
    /// It was refused, by the server (401, 403, 404) or by our own guard. Perhaps the settings are wrong: it is tried again,
    /// at the ceiling.
    #[error("{why}")]
    Refused { why: String },
    /// No answer at all was had: resolution, connection, TLS, time. Tried again soon, then later and later; and since it says that
    /// nobody is there, it counts against the host.
    #[error("{why}")]
    Unreachable { why: String },
    /// What came is no good: 5xx, an answer that breaks off, too much of it, not the expected form, a redirect to nobody. Tried again like
    /// [`Trouble::Unreachable`], and a sign of life of the host.
    #[error("{why}")]
    Broken { why: String },
}

/// Of a sentence that a server may have had a hand in.
const WHY_CHARS_MAX: usize = 500;

impl Trouble {
    /// The same, told in one line of bounded length: servers choose much of what goes wrong, and it is stored, logged and
    /// printed.
    pub(crate) fn in_a_line(mut self) -> Self {
        let (Self::Later { why, .. }
        | Self::Gone { why }
        | Self::Refused { why }
        | Self::Unreachable { why }
        | Self::Broken { why }) = &mut self;
        *why = text::line(why, WHY_CHARS_MAX).unwrap_or_default();
        self
    }
}

/// How long to stay away, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub length: Duration,
    /// Ends the sentence "waits because …", such as `the feed's ttl is 60 minutes`.
    pub why: String,
}

/// What a kind wants to know at its next visit: validators, the newest id. Opaque to all others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(serde_json::Value);

impl Mark {
    /// Keeps a value.
    ///
    /// # Panics
    ///
    /// When the value cannot be JSON, such as a map with keys that are no strings: a mistake in the kind.
    pub fn of(value: &impl Serialize) -> Self {
        Self(serde_json::to_value(value).expect("a mark is plain data"))
    }

    /// The value, where it still has this form. Where it has not, an older version wrote it: begin afresh.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.0.clone()).ok()
    }
}

/// What a source is called: 1 to 64 of `a`–`z`, `0`–`9`, `-`, `_`, `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(Arc<str>);

/// What is not a name of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 64 of a–z, 0–9, `-`, `_`, `.`")]
pub struct NotAName;

impl SourceName {
    pub const CHARS_MAX: usize = 64;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a character may stand in one.
    pub(crate) fn takes(letter: char) -> bool {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_.".contains(letter)
    }
}

impl TryFrom<String> for SourceName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl std::str::FromStr for SourceName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let fits = (1..=Self::CHARS_MAX).contains(&text.len()) && text.chars().all(Self::takes);
        if fits { Ok(Self(text.into())) } else { Err(NotAName) }
    }
}

impl From<SourceName> for String {
    fn from(name: SourceName) -> Self {
        name.0.to_string()
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a visit is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Doing {
    /// It has just begun.
    #[default]
    Setting,
    /// It waits for its turn at a host that others ask as well, or that asked us all to slow down.
    WaitsForHost { host: String, why: String },
    /// It has asked, and no answer has begun.
    Asks { host: String },
    /// The answer is coming in.
    Reads { host: String, bytes: u64 },
    /// The answer is there and is being understood.
    Parses,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting => f.write_str("sets out"),
            Self::WaitsForHost { host, why } => write!(f, "waits for its turn at {host}: {why}"),
            Self::Asks { host } => write!(f, "asks {host}"),
            Self::Reads { host, bytes } => write!(f, "reads from {host}, {bytes} bytes so far"),
            Self::Parses => f.write_str("reads what came"),
        }
    }
}

/// What a visit is doing, seen from outside; cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Doing>>);

impl Progress {
    pub fn set(&self, doing: Doing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }

    pub fn get(&self) -> Doing {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        assert_eq!("rust-blog.1".parse::<SourceName>().unwrap().as_str(), "rust-blog.1");
        for wrong in ["", "A", "a b", "ä", &"a".repeat(65)] {
            assert_eq!(wrong.parse::<SourceName>(), Err(NotAName), "{wrong}");
        }
    }

    #[test]
    fn a_trouble_is_told_in_one_line_of_bounded_length() {
        let trouble = Trouble::Broken { why: format!("a\u{1b}[2J\nb {}", "x".repeat(100_000)) }.in_a_line();
        let why = trouble.to_string();
        assert!(why.starts_with("a [2J b x") && why.chars().count() == WHY_CHARS_MAX, "{why}");
    }

    #[test]
    fn a_mark_of_another_form_begins_afresh() {
        let mark = Mark::of(&("etag", 3));
        assert_eq!(mark.read(), Some(("etag".to_owned(), 3)));
        assert_eq!(mark.read::<u8>(), None);
    }
}
