//! What the operator decides, in one TOML file. Every setting has a unit in its name and a bound.
//!
//! A name that nobody knows is an error, because a misspelt setting that is silently ignored is worse. Only what can
//! be judged without the network is judged here; the file's form is described in `gateway.toml`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use reqwest::Url;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

/// What stands in a part's `url` for the id of the page.
pub(crate) const ID: &str = "{id}";
/// Parts of one page: each is a child and a connection of its own.
const PARTS_MAX: usize = 32;
const MINUTE_MS: u64 = 60_000;

/// A complete configuration.
///
/// # Examples
///
/// ```
/// let config = gateway::Config::parse(
///     r#"
///     [[part]]
///     name = "profile"
///     need = "required"
///     url = "http://127.0.0.1:9101/profile/{id}"
///     "#,
/// )?;
/// assert_eq!(config.deadline_ms, 300);
/// # Ok::<(), gateway::ConfigError>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where pages are served.
    pub listen: SocketAddr,
    /// Where `/metrics` and `/tree` are served; nowhere, unless it is set.
    pub admin: Option<SocketAddr>,
    /// How long a page may take, whatever its parts do.
    pub deadline_ms: u64,
    /// Pages under way at the same time; more are refused with 503.
    pub pages_max: usize,
    /// How long clients and proxies may keep a complete page. An incomplete one is never kept.
    pub max_age_seconds: u32,
    /// Second attempts.
    pub retry: RetrySettings,
    /// When an upstream is left alone.
    pub breaker: BreakerSettings,
    /// The last good values.
    pub cache: CacheSettings,
    /// What a page is composed of.
    #[serde(rename = "part")]
    pub parts: Vec<PartSettings>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin: None,
            deadline_ms: 300,
            pages_max: 512,
            max_age_seconds: 0,
            retry: RetrySettings::default(),
            breaker: BreakerSettings::default(),
            cache: CacheSettings::default(),
            parts: Vec::new(),
        }
    }
}

/// How often a part is asked again. All parts share one budget.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySettings {
    /// Attempts for one part of one page, the first included.
    pub attempts_max: u32,
    /// The bound of the random pause before the first retry; it doubles with each further one.
    pub backoff_ms: u64,
    /// Retries that the first attempts earn, in percent of them.
    pub percent: u32,
    /// Retries that may come in one go.
    pub burst: u32,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self { attempts_max: 2, backoff_ms: 20, percent: 10, burst: 20 }
    }
}

/// When an upstream is not asked for a while.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerSettings {
    /// Failures in a row that open the breaker.
    pub failures: u32,
    /// How long it stays open before one attempt is let through.
    pub open_ms: u64,
}

impl BreakerSettings {
    pub(crate) const DEFAULT: Self = Self { failures: 5, open_ms: 2_000 };

    pub(crate) fn open_for(self) -> Duration {
        Duration::from_millis(self.open_ms)
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How many last good values are kept, over all parts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// Values, one for each part and what it is asked; 0 keeps none.
    pub entries_max: usize,
    /// Their bytes together.
    pub bytes_max: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { entries_max: 10_000, bytes_max: 64 * 1024 * 1024 }
    }
}

/// One part of the page.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartSettings {
    /// The name in the page's `data` and `meta`.
    pub name: String,
    /// What becomes of the page without it.
    pub need: Need,
    /// The value that stands in where `need` is `fallback`.
    #[serde(default, deserialize_with = "json")]
    pub fallback: Option<Value>,
    /// Where it is fetched: `{id}` stands for the page's id.
    pub url: String,
    /// How it is fetched.
    #[serde(default)]
    pub method: Method,
    /// The longest answer that is read.
    #[serde(default = "PartSettings::bytes_max")]
    pub bytes_max: usize,
    /// How old a last good value may be to stand in for a fresh one; 0 for never.
    #[serde(default = "PartSettings::stale_max_ms")]
    pub stale_max_ms: u64,
}

impl PartSettings {
    fn bytes_max() -> usize {
        256 * 1024
    }

    fn stale_max_ms() -> u64 {
        10 * MINUTE_MS
    }
}

/// What becomes of the page when a part has neither a fresh value nor a last good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// There is no page: 502.
    Required,
    /// The page has `null` in its place.
    Optional,
    /// The page has the configured value in its place.
    Fallback,
}

/// How a part is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Method {
    /// Safe to repeat, so it is retried.
    #[default]
    #[serde(rename = "GET")]
    Get,
    /// Perhaps not safe to repeat, so it is sent once. Its body is `{"id": "…"}`.
    #[serde(rename = "POST")]
    Post,
}

/// Why a configuration was refused, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What stands in the file is refused.
    #[error("{}: {error}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        error: Box<ConfigError>,
    },
    /// It is not TOML, or has a name or a value that nobody knows.
    #[error("{0}examples/gateway/gateway.toml has every setting.")]
    Wrong(#[from] toml::de::Error),
    /// It has no part.
    #[error("a page without parts says nothing: add at least one [[part]]")]
    NoParts,
    /// It has too many parts.
    #[error("{0} parts are too many for one page; {PARTS_MAX} are allowed")]
    TooManyParts(usize),
    /// A name is no name, or is taken.
    #[error("part name `{0}`: use 1 to 64 letters, digits, `-` or `_`, and each name once")]
    Name(String),
    /// An address is none.
    #[error(
        "part `{name}`: `{url}` is not an http or https URL with `{ID}` nowhere but in its path or query; it has no user, no \
         password and no fragment"
    )]
    Url {
        /// The part.
        name: String,
        /// What stands there.
        url: String,
    },
    /// `need` and `fallback` contradict each other.
    #[error("part `{0}`: `fallback` and `need = \"fallback\"` go together; give both or neither")]
    Fallback(String),
    /// A number is out of its range.
    #[error("`{name}` must be {range}")]
    Range {
        /// The setting.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
}

impl Config {
    /// Reads and judges a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is refused by [`parse`](Self::parse).
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text)
            .map_err(|error| ConfigError::Refused { path: path.to_owned(), error: Box::new(error) })
    }

    /// Reads and judges the text of a file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the remedy.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.judge()?;
        Ok(config)
    }

    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    fn judge(&self) -> Result<(), ConfigError> {
        within("deadline_ms", self.deadline_ms, 1, 10 * MINUTE_MS, "1 to 600000")?;
        within("pages_max", self.pages_max as u64, 1, 1_000_000, "1 to 1000000")?;
        within("retry.attempts_max", self.retry.attempts_max.into(), 1, 10, "1 to 10")?;
        within("retry.backoff_ms", self.retry.backoff_ms, 0, MINUTE_MS, "0 to 60000")?;
        within("retry.percent", self.retry.percent.into(), 0, 100, "0 to 100")?;
        within("breaker.failures", self.breaker.failures.into(), 1, 1_000_000, "1 to 1000000")?;
        within("breaker.open_ms", self.breaker.open_ms, 1, 60 * MINUTE_MS, "1 to 3600000")?;
        within("cache.entries_max", self.cache.entries_max as u64, 0, 100_000_000, "0 to 100000000")?;
        match self.parts.len() {
            0 => return Err(ConfigError::NoParts),
            1..=PARTS_MAX => {}
            count => return Err(ConfigError::TooManyParts(count)),
        }
        let mut names = BTreeSet::new();
        self.parts.iter().try_for_each(|part| {
            if !is_name(&part.name) || !names.insert(&part.name) {
                return Err(ConfigError::Name(part.name.clone()));
            }
            part.judge()
        })
    }
}

impl PartSettings {
    fn judge(&self) -> Result<(), ConfigError> {
        if (self.need == Need::Fallback) != self.fallback.is_some() {
            return Err(ConfigError::Fallback(self.name.clone()));
        }
        within("part.bytes_max", self.bytes_max as u64, 1, 1 << 30, "1 to 1073741824")?;
        self.origin().map(drop)
    }

    /// Scheme, host and port: what one upstream is known by.
    pub(crate) fn origin(&self) -> Result<String, ConfigError> {
        let wrong = || ConfigError::Url { name: self.name.clone(), url: self.url.clone() };
        let with = |id| Url::parse(&self.url.replace(ID, id)).map_err(|_| wrong());
        let (one, other) = (with("a")?, with("b")?);
        let is_http = self.url.starts_with("http://") || self.url.starts_with("https://");
        // The id may not choose whom we speak to, nor who we say we are, so these must be the same whatever it is.
        let is_fit = is_http && one.origin() == other.origin() && is_plain(&one) && is_plain(&other);
        if is_fit { Ok(one.origin().ascii_serialization()) } else { Err(wrong()) }
    }
}

/// A value of TOML as one of JSON.
fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    to_json(toml::Value::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

/// TOML has dates and numbers that are none, and JSON has not.
fn to_json(value: toml::Value) -> Result<Value, &'static str> {
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Float(number) => Number::from_f64(number)
            .ok_or("JSON has neither nan nor inf: write a number, or a text in quotes")?
            .into(),
        toml::Value::Datetime(_) => return Err("JSON has no dates: write it as a text in quotes"),
        toml::Value::Array(values) => values.into_iter().map(to_json).collect::<Result<Vec<_>, _>>()?.into(),
        toml::Value::Table(table) => {
            let fields = table.into_iter().map(|(key, value)| to_json(value).map(|value| (key, value)));
            Value::Object(fields.collect::<Result<_, _>>()?)
        }
    })
}

/// Whether it says only where, and nothing of who asks or of what only a browser looks at.
fn is_plain(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}

/// What may stand for a name or an id: nothing that means anything in a URL, a header or a log.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn within(
    name: &'static str,
    value: u64,
    least: u64,
    most: u64,
    range: &'static str,
) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(ConfigError::Range { name, range }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: &str =
        "[[part]]\nname = \"profile\"\nneed = \"required\"\nurl = \"http://127.0.0.1:1/{id}\"\n";

    #[test]
    fn a_refused_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "x = 1\n").unwrap();
        let error = Config::load(file.path()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: TOML", file.path().display())), "{error}");
    }

    fn refusal(text: &str) -> String {
        Config::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_part_is_all_that_is_needed() {
        let config = Config::parse(PART).unwrap();
        assert_eq!((config.parts[0].method, config.parts[0].bytes_max), (Method::Get, 262_144));
        assert_eq!(config.admin, None);
    }

    #[test]
    fn the_example_names_every_setting_and_shows_the_defaults() {
        let text = include_str!("../gateway.toml");
        let (example, default) = (Config::parse(text).unwrap(), Config::default());
        let part = &example.parts[0];
        assert_eq!(
            format!("{:?}", (example.listen, example.deadline_ms, example.pages_max)),
            format!("{:?}", (default.listen, default.deadline_ms, default.pages_max))
        );
        assert_eq!(format!("{:?}", example.retry), format!("{:?}", default.retry));
        assert_eq!(format!("{:?}", example.breaker), format!("{:?}", default.breaker));
        assert_eq!(format!("{:?}", example.cache), format!("{:?}", default.cache));
        assert_eq!(
            (part.bytes_max, part.stale_max_ms),
            (PartSettings::bytes_max(), PartSettings::stale_max_ms())
        );
    }

    #[test]
    fn every_refusal_names_the_setting_and_the_remedy() {
        let part = |more: &str| format!("{PART}{more}");
        for (text, said) in [
            (String::new(), "at least one [[part]]"),
            ("deadline = 3".into(), "unknown field `deadline`"),
            (part("colour = 1"), "unknown field `colour`"),
            (part("fallback = 1"), "give both or neither"),
            (part("method = \"DELETE\""), "unknown variant `DELETE`"),
            (format!("deadline_ms = 0\n{PART}"), "`deadline_ms` must be 1 to 600000"),
            (format!("[retry]\npercent = 101\n{PART}"), "`retry.percent` must be 0 to 100"),
            (PART.repeat(2), "each name once"),
            (part("fallback = 1979-05-27T07:32:00Z"), "JSON has no dates: write it as a text in quotes"),
            (part("fallback = { since = [1979-05-27] }"), "JSON has no dates"),
            (part("fallback = nan"), "JSON has neither nan nor inf"),
            (PART.replace("profile", "two words"), "letters, digits"),
            ((0..40).map(|n| PART.replace("profile", &format!("p{n}"))).collect(), "40 parts are too many"),
        ] {
            let refusal = refusal(&text);
            assert!(refusal.contains(said), "{text}\n{refusal}");
        }
    }

    #[test]
    fn the_id_cannot_choose_the_upstream() {
        for url in [
            "",
            "profile",
            "ftp://a/{id}",
            "http://{id}/",
            "http://a:{id}/",
            "http://{id}.example.org/",
            "http:///{id}",
            "http://{id}@host/",
            "http://u:{id}@host/",
            "http://u:p@host/{id}",
            "http://host/{id}#{id}",
        ] {
            let text = PART.replace("http://127.0.0.1:1/{id}", url);
            assert!(refusal(&text).contains("is not an http or https URL"), "{url}");
        }
    }

    #[test]
    fn a_name_means_nothing_in_a_url() {
        assert!(is_name("aZ09-_"));
        for wrong in ["", "a/b", "..", "a?b", "a%2f", "ä", "a\n", &"x".repeat(65)] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
    }
}
