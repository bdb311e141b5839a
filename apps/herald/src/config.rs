//! What the operator decides: defaults, then a TOML file, then `HERALD_*` variables, then flags; the later wins.
//!
//! A name that nobody knows is an error, because a misspelt setting that is silently ignored is worse. Secrets are
//! redacted types. The file's form is described in the README; what the values do is up to `serve`.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::provider::smtp;

/// Fewer characters than this and an API key could be guessed.
pub const API_KEY_CHARS_MIN: usize = 32;

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const DATA: &str = "herald-data";
const DRAIN_SECONDS: u64 = 20;
const DISK_FREE_MIB_MIN: u32 = 64;
const MIB: u64 = 1024 * 1024;

/// A complete configuration.
#[derive(Debug)]
pub struct Config {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// The directory that holds everything Herald remembers.
    pub data: PathBuf,
    /// How long deliveries in flight may take after SIGTERM.
    pub drain: Duration,
    /// With less free space than so many bytes, nothing new is accepted.
    pub disk_free_min: u64,
    /// The relay; without one, mails go to the outbox viewer.
    pub smtp: Option<smtp::Settings>,
    /// The key to begin with, where the operator chose one.
    pub api_key: Option<SecretString>,
}

/// What flags and `HERALD_*` variables say; each overrules the file.
#[derive(Debug, Default, clap::Args)]
pub struct Overrides {
    /// Where to serve HTTP [default: 127.0.0.1:8080]
    #[arg(long, value_name = "IP:PORT", env = "HERALD_LISTEN", value_parser = address)]
    pub listen: Option<SocketAddr>,
    #[command(flatten)]
    pub place: Place,
    /// How long deliveries in flight may take after SIGTERM [default: 20]
    #[arg(long, value_name = "SECONDS", env = "HERALD_DRAIN")]
    pub drain: Option<u64>,
}

/// Where Herald keeps its data, and where its configuration is.
#[derive(Debug, Default, clap::Args)]
pub struct Place {
    /// The directory for Herald's data; `herald serve` makes it where it is missing [default: herald-data]
    #[arg(long, value_name = "DIR", env = "HERALD_DATA")]
    pub data: Option<PathBuf>,
    /// A TOML file with the configuration
    #[arg(long, value_name = "FILE", env = "HERALD_CONFIG")]
    pub config: Option<PathBuf>,
}

/// The secrets, which only the environment may overrule: a flag would show them in the list of processes.
#[derive(Debug, Default)]
pub struct Secrets {
    pub api_key: Option<SecretString>,
    pub smtp_password: Option<SecretString>,
}

/// Why a configuration was refused, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: {source}Correct that line; every setting is listed in apps/herald/README.md.", path.display())]
    Wrong { path: PathBuf, source: toml::de::Error },
    #[error(
        "HERALD_API_KEY has {chars} characters and needs at least {API_KEY_CHARS_MIN}; \
         make one with `openssl rand -hex 32`, or unset it and Herald makes one"
    )]
    ShortKey { chars: usize },
    #[error("HERALD_API_KEY may contain only visible ASCII characters, as an HTTP header carries it")]
    UnprintableKey,
    #[error("HERALD_SMTP_PASSWORD is set, but no [smtp] table is configured; name its file with --config")]
    PasswordWithoutSmtp,
}

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Listen>,
    data: Option<PathBuf>,
    drain_seconds: Option<u64>,
    disk_free_mib_min: Option<u32>,
    smtp: Option<smtp::Settings>,
}

/// An address in the file, refused in the same words as the flag.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Listen(SocketAddr);

impl TryFrom<String> for Listen {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        address(&text).map(Self)
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8080")
}

impl Secrets {
    /// Reads `HERALD_API_KEY` and `HERALD_SMTP_PASSWORD`.
    pub fn from_environment() -> Self {
        Self { api_key: variable("HERALD_API_KEY"), smtp_password: variable("HERALD_SMTP_PASSWORD") }
    }
}

impl Config {
    /// Lays the layers over one another.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or says something Herald does not know, or when a secret is unfit.
    pub fn load(overrides: Overrides, secrets: Secrets) -> Result<Self, Error> {
        let file = overrides.place.config.as_deref().map_or_else(|| Ok(File::default()), read)?;
        let drain_seconds = overrides.drain.or(file.drain_seconds).unwrap_or(DRAIN_SECONDS);
        Ok(Self {
            listen: overrides.listen.or(file.listen.map(|Listen(address)| address)).unwrap_or(LISTEN),
            data: overrides.place.data.or(file.data).unwrap_or_else(|| DATA.into()),
            drain: Duration::from_secs(drain_seconds),
            disk_free_min: u64::from(file.disk_free_mib_min.unwrap_or(DISK_FREE_MIB_MIN)) * MIB,
            smtp: with_password(file.smtp, secrets.smtp_password)?,
            api_key: secrets.api_key.map(fit_key).transpose()?,
        })
    }
}

fn variable(name: &str) -> Option<SecretString> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(SecretString::from)
}

fn read(path: &Path) -> Result<File, Error> {
    let text =
        fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|source| Error::Wrong { path: path.to_owned(), source })
}

fn with_password(
    smtp: Option<smtp::Settings>,
    password: Option<SecretString>,
) -> Result<Option<smtp::Settings>, Error> {
    match (smtp, password) {
        (Some(settings), Some(password)) => Ok(Some(smtp::Settings { password: Some(password), ..settings })),
        (None, Some(_)) => Err(Error::PasswordWithoutSmtp),
        (smtp, None) => Ok(smtp),
    }
}

fn fit_key(key: SecretString) -> Result<SecretString, Error> {
    let text = key.expose_secret();
    let chars = text.chars().count();
    if chars < API_KEY_CHARS_MIN {
        return Err(Error::ShortKey { chars });
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::UnprintableKey);
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, Overrides) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("herald.toml");
        fs::write(&path, text).unwrap();
        let place = Place { config: Some(path), data: None };
        (directory, Overrides { place, ..Overrides::default() })
    }

    #[test]
    fn without_a_word_it_listens_on_loopback() {
        let config = Config::load(Overrides::default(), Secrets::default()).unwrap();
        assert_eq!(config.listen, LISTEN);
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.drain, Duration::from_secs(20));
        assert!(config.smtp.is_none());
    }

    #[test]
    fn the_example_in_the_readme_is_a_configuration() {
        let readme = include_str!("../README.md");
        let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let (_directory, overrides) = file(example);
        let config = Config::load(overrides, Secrets::default()).unwrap();
        assert_eq!(config.smtp.unwrap().host, "smtp.example.org");
    }

    #[test]
    fn a_flag_overrules_the_file() {
        let (_directory, overrides) = file("listen = \"127.0.0.1:1\"\ndrain_seconds = 3\n");
        let overrides = Overrides { listen: Some(([127, 0, 0, 1], 2).into()), ..overrides };
        let config = Config::load(overrides, Secrets::default()).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.drain, Duration::from_secs(3));
    }

    #[test]
    fn an_unknown_setting_is_refused_with_its_line_and_the_known_ones() {
        let (_directory, overrides) = file("listen = \"127.0.0.1:1\"\nlissten = 1\n");
        let error = Config::load(overrides, Secrets::default()).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(error.contains("unknown field `lissten`, expected one of `listen`, `data`"), "{error}");
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_an_example() {
        let (_directory, overrides) = file("listen = \"localhost\"\n");
        let error = Config::load(overrides, Secrets::default()).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("such as 127.0.0.1:8080"), "{error}");
    }

    #[test]
    fn a_sender_that_is_none_is_refused_with_an_example() {
        let (_directory, overrides) = file("[smtp]\nhost = \"relay\"\nfrom = \"nobody\"\n");
        let error = Config::load(overrides, Secrets::default()).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("such as \"Herald <herald@"), "{error}");
    }

    #[test]
    fn a_setting_of_smtp_out_of_its_range_is_refused_with_its_value_and_the_range() {
        for (setting, said) in [
            ("port = 0", "0 is not from 1 to 65535"),
            ("port = 65536", "65536 is not from 1 to 65535"),
            ("concurrency = 0", "0 is not from 1 to 1000"),
            ("connect_seconds = 0", "0 is not from 1 to 86400"),
            ("command_seconds = 0", "0 is not from 1 to 86400"),
            ("reply_seconds = 86401", "86401 is not from 1 to 86400"),
            ("idle_seconds = 0", "0 is not from 1 to 86400"),
            ("hello = \"\"", "\"\" is not a host name or IP address"),
        ] {
            let (_directory, overrides) =
                file(&format!("[smtp]\nhost = \"relay\"\nfrom = \"a@example.org\"\n{setting}\n"));
            let error = Config::load(overrides, Secrets::default()).unwrap_err().to_string();
            assert!(error.contains("line 4") && error.contains(setting) && error.contains(said), "{error}");
        }
        let (_directory, overrides) = file("[smtp]\nhost = \"\"\nfrom = \"a@example.org\"\n");
        let error = Config::load(overrides, Secrets::default()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("\"\" is not a host name"), "{error}");
    }

    #[test]
    fn the_domain_of_the_sender_is_kept_in_ascii() {
        let (_directory, overrides) =
            file("[smtp]\nhost = \"relay\"\nfrom = \"Büro <herald@bücher.example>\"\n");
        let config = Config::load(overrides, Secrets::default()).unwrap();
        let from = config.smtp.unwrap().from;
        assert_eq!(from.email.domain(), "xn--bcher-kva.example");
        assert_eq!(from.name.as_deref(), Some("Büro"));

        let (_directory, overrides) = file("[smtp]\nhost = \"relay\"\nfrom = \"herald@⒈com\"\n");
        let error = Config::load(overrides, Secrets::default()).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("the sender must have a domain"), "{error}");
    }

    #[test]
    fn a_short_key_is_refused_with_the_remedy() {
        let secrets = Secrets { api_key: Some("short".into()), smtp_password: None };
        let error = Config::load(Overrides::default(), secrets).unwrap_err().to_string();
        assert!(error.contains("at least 32") && error.contains("openssl rand -hex 32"), "{error}");
    }

    #[test]
    fn no_secret_is_shown_when_the_configuration_is() {
        let (_directory, overrides) = file("[smtp]\nhost = \"relay\"\nfrom = \"a@example.org\"\n");
        let secrets = Secrets {
            api_key: Some("0123456789abcdef0123456789abcdef".into()),
            smtp_password: Some("tiger".into()),
        };
        let config = Config::load(overrides, secrets).unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("tiger") && !shown.contains("0123456789abcdef"), "{shown}");
    }
}
