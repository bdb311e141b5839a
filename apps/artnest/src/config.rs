//! What the operator decides: defaults, then a TOML file, then `ARTNEST_*` variables, then flags; the later wins.
//!
//! A name that nobody knows is an error, because a misspelt setting that is silently ignored is worse. Secrets are
//! redacted types. The file's form is described in the README; what the values do is up to `serve`.

use std::{
    collections::HashSet,
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::Error as _};
use sha2::{Digest, Sha256};

use crate::room::Limits;

/// Fewer characters than this and a key could be guessed.
pub const KEY_CHARS_MIN: usize = 32;

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8420);
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8421);
const DATA: &str = "artnest-data";
const DRAIN_SECONDS: u64 = 10;
const DISK_FREE_MIB_MIN: u32 = 64;
const ROOM_QUOTA_MIB: u32 = 64;
const ROOMS_MAX: u64 = 10_000;
const CONNECTIONS_MAX: usize = 4_096;
const ROOM_CONNECTIONS_MAX: usize = 256;
/// More connections than a kernel lets one process have, as it is set up.
const PLACES_MAX: usize = 1_000_000;
pub(crate) const MIB: u64 = 1024 * 1024;

/// A complete configuration.
#[derive(Debug)]
pub struct Config {
    /// Where the page and its API are served.
    pub listen: SocketAddr,
    /// Where the admin page, its API and the metrics are served.
    pub admin: SocketAddr,
    /// The directory that holds everything Artnest remembers.
    pub data: PathBuf,
    /// How people reach the server, where it is not by `listen`; without a slash at its end.
    pub public_url: Option<String>,
    /// How long connections may finish after SIGTERM.
    pub drain: Duration,
    /// With less free space than so many bytes, rooms are read-only.
    pub disk_free_min: u64,
    pub creation: Creation,
    pub rooms_max: u64,
    pub connections_max: usize,
    pub room: Limits,
    /// Other sites whose pages may open a socket.
    pub origins: HashSet<String>,
    /// What the admin listener asks for, where it is not left to loopback.
    pub admin_key: Option<SecretString>,
}

/// Who may make rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation {
    Anyone,
    /// The operator alone, on the command line.
    Nobody,
    /// Whoever has the key with this SHA-256.
    Key([u8; 32]),
}

impl Creation {
    pub(crate) fn digest(key: &[u8]) -> [u8; 32] {
        Sha256::digest(key).into()
    }
}

/// What flags and `ARTNEST_*` variables say; each overrules the file.
#[derive(Debug, Default, clap::Args)]
pub struct Overrides {
    /// Where to serve the page [default: 127.0.0.1:8420]
    #[arg(long, value_name = "IP:PORT", env = "ARTNEST_LISTEN", value_parser = address)]
    pub listen: Option<SocketAddr>,
    #[command(flatten)]
    pub place: Place,
    /// How people reach the server, such as `https://draw.example.org`
    #[arg(long, value_name = "URL", env = "ARTNEST_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// How long connections may finish after SIGTERM [default: 10]
    #[arg(long, value_name = "SECONDS", env = "ARTNEST_DRAIN")]
    pub drain: Option<u64>,
}

/// Where Artnest keeps its data, where its configuration is, and where its operator is listened to.
#[derive(Debug, Default, Clone, clap::Args)]
pub struct Place {
    /// The directory for Artnest's data, made where it is missing [default: artnest-data]
    #[arg(long, value_name = "DIR", env = "ARTNEST_DATA")]
    pub data: Option<PathBuf>,
    /// A TOML file with the configuration
    #[arg(long, value_name = "FILE", env = "ARTNEST_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where the admin page, its API and the metrics are [default: 127.0.0.1:8421]
    #[arg(long, value_name = "IP:PORT", env = "ARTNEST_ADMIN", value_parser = address)]
    pub admin: Option<SocketAddr>,
}

/// The secrets, which only the environment may set: a flag would show them in the list of processes.
#[derive(Debug, Default)]
pub struct Secrets {
    pub create_key: Option<SecretString>,
    pub admin_key: Option<SecretString>,
}

/// Why a configuration was refused, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: {source}Correct that line; every setting is listed in apps/artnest/README.md.", path.display())]
    Wrong { path: PathBuf, source: toml::de::Error },
    #[error(
        "{name} has {chars} characters and needs at least {KEY_CHARS_MIN}; make one with `openssl rand -hex 32`"
    )]
    ShortKey { name: &'static str, chars: usize },
    #[error("`{name}`: {given:?} is no scheme and host alone, such as \"https://draw.example.org\"")]
    NoOrigin { name: &'static str, given: String },
    #[error("`{name}` is 0, which would shut everybody out; write 1 or more")]
    Zero { name: &'static str },
    #[error("`{name}` is {given}, more than one server holds open; write {PLACES_MAX} or less")]
    TooMany { name: &'static str, given: usize },
    #[error("`create = \"key\"` needs the key in ARTNEST_CREATE_KEY; make one with `openssl rand -hex 32`")]
    NoCreateKey,
    #[error(
        "the admin listener would be open to everybody at {admin}; \
         set ARTNEST_ADMIN_KEY, or listen on a loopback address"
    )]
    OpenAdmin { admin: SocketAddr },
}

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, deserialize_with = "address_in_file")]
    listen: Option<SocketAddr>,
    #[serde(default, deserialize_with = "address_in_file")]
    admin: Option<SocketAddr>,
    data: Option<PathBuf>,
    public_url: Option<String>,
    drain_seconds: Option<u64>,
    disk_free_mib_min: Option<u32>,
    create: Option<Create>,
    rooms_max: Option<u64>,
    connections_max: Option<usize>,
    room_quota_mib: Option<u32>,
    room_connections_max: Option<usize>,
    origins: Option<HashSet<String>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Create {
    Anyone,
    Nobody,
    Key,
}

impl Secrets {
    /// Reads `ARTNEST_CREATE_KEY` and `ARTNEST_ADMIN_KEY`.
    pub fn from_environment() -> Self {
        Self { create_key: variable("ARTNEST_CREATE_KEY"), admin_key: variable("ARTNEST_ADMIN_KEY") }
    }
}

impl Config {
    /// What comes before the path of a link, for a server that listens at `address`.
    pub(crate) fn base(&self, address: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{address}"))
    }

    /// Lays the layers over one another.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or says something Artnest does not know, or when a secret is unfit.
    pub fn load(overrides: Overrides, secrets: Secrets) -> Result<Self, Error> {
        let Overrides { listen, place, public_url, drain } = overrides;
        let file = place.config.as_deref().map_or_else(|| Ok(File::default()), read)?;
        let admin = place.admin.or(file.admin).unwrap_or(ADMIN);
        let admin_key = secrets.admin_key.map(|key| fit("ARTNEST_ADMIN_KEY", key)).transpose()?;
        if admin_key.is_none() && !admin.ip().is_loopback() {
            return Err(Error::OpenAdmin { admin });
        }
        let room = Limits {
            connections_max: places("room_connections_max", file.room_connections_max, ROOM_CONNECTIONS_MAX)?,
            quota_bytes: u64::from(file.room_quota_mib.unwrap_or(ROOM_QUOTA_MIB)) * MIB,
        };
        let public_url = public_url.or(file.public_url);
        let public_url = public_url.map(|url| origin("public_url", &url)).transpose()?;
        let origins = file.origins.unwrap_or_default().into_iter().map(|url| origin("origins", &url));
        let mut origins: HashSet<_> = origins.collect::<Result<_, _>>()?;
        origins.extend(public_url.clone());
        Ok(Self {
            listen: listen.or(file.listen).unwrap_or(LISTEN),
            admin,
            data: place.data.or(file.data).unwrap_or_else(|| DATA.into()),
            public_url,
            drain: Duration::from_secs(drain.or(file.drain_seconds).unwrap_or(DRAIN_SECONDS)),
            disk_free_min: u64::from(file.disk_free_mib_min.unwrap_or(DISK_FREE_MIB_MIN)) * MIB,
            creation: creation(file.create, secrets.create_key)?,
            rooms_max: positive("rooms_max", file.rooms_max, ROOMS_MAX)?,
            connections_max: places("connections_max", file.connections_max, CONNECTIONS_MAX)?,
            room,
            origins,
            admin_key,
        })
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an address and a port, such as 127.0.0.1:8420".to_owned())
}

fn address_in_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    address(&String::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

/// What browsers send as `Origin`. Links would lead nowhere without a scheme, and the page stands under no path.
fn origin(name: &'static str, url: &str) -> Result<String, Error> {
    let text = url.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])) {
        Ok(text.to_owned())
    } else {
        Err(Error::NoOrigin { name, given: url.to_owned() })
    }
}

fn positive<T: Default + PartialEq>(name: &'static str, given: Option<T>, usual: T) -> Result<T, Error> {
    match given {
        Some(number) if number == T::default() => Err(Error::Zero { name }),
        given => Ok(given.unwrap_or(usual)),
    }
}

fn places(name: &'static str, given: Option<usize>, usual: usize) -> Result<usize, Error> {
    match positive(name, given, usual)? {
        given if given > PLACES_MAX => Err(Error::TooMany { name, given }),
        places => Ok(places),
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

/// A key alone says enough: it is to be asked for.
fn creation(create: Option<Create>, key: Option<SecretString>) -> Result<Creation, Error> {
    let key = key.map(|key| fit("ARTNEST_CREATE_KEY", key)).transpose()?;
    match (create, key) {
        (Some(Create::Nobody), _) => Ok(Creation::Nobody),
        (Some(Create::Anyone), _) | (None, None) => Ok(Creation::Anyone),
        (Some(Create::Key), None) => Err(Error::NoCreateKey),
        (Some(Create::Key) | None, Some(key)) => {
            Ok(Creation::Key(Creation::digest(key.expose_secret().as_bytes())))
        }
    }
}

fn fit(name: &'static str, key: SecretString) -> Result<SecretString, Error> {
    let chars = key.expose_secret().chars().count();
    if chars < KEY_CHARS_MIN { Err(Error::ShortKey { name, chars }) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, Overrides) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("artnest.toml");
        fs::write(&path, text).unwrap();
        let place = Place { config: Some(path), ..Place::default() };
        (directory, Overrides { place, ..Overrides::default() })
    }

    fn load(text: &str, secrets: Secrets) -> Result<Config, Error> {
        let (_directory, overrides) = file(text);
        Config::load(overrides, secrets)
    }

    const LONG: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn without_a_word_it_listens_on_loopback_and_anyone_may_make_rooms() {
        let config = Config::load(Overrides::default(), Secrets::default()).unwrap();
        assert!(config.listen.ip().is_loopback() && config.admin.ip().is_loopback());
        assert_eq!(config.creation, Creation::Anyone);
    }

    #[test]
    fn an_address_for_people_is_a_scheme_and_a_host() {
        let config = load("public_url = \"https://draw.example.org/\"", Secrets::default()).unwrap();
        assert_eq!(config.base(LISTEN), "https://draw.example.org");
        for wrong in ["draw.example.org", "https://", "https://example.org/draw", "ftp://example.org"] {
            for name in ["public_url = \"WRONG\"", "origins = [\"WRONG\"]"] {
                let error = load(&name.replace("WRONG", wrong), Secrets::default()).unwrap_err();
                assert!(error.to_string().contains(wrong), "{error}");
            }
        }
    }

    #[test]
    fn the_example_in_the_readme_is_a_configuration() {
        let readme = include_str!("../README.md");
        let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let secrets = Secrets { create_key: Some(LONG.into()), ..Secrets::default() };
        let config = load(example, secrets).unwrap();
        assert_eq!(config.public_url.as_deref(), Some("https://draw.example.org"));
        assert!(config.origins.contains("https://draw.example.org"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_line_and_an_example() {
        let error = load("\nadmin = \"localhost\"\n", Secrets::default()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("such as 127.0.0.1:8420"), "{error}");
        let config = load("listen = \"127.0.0.1:9\"", Secrets::default()).unwrap();
        assert_eq!(config.listen.port(), 9);
    }

    #[test]
    fn an_unknown_setting_is_refused_with_its_line() {
        let error = load("listen = \"127.0.0.1:1\"\nlissten = 1\n", Secrets::default()).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn a_bound_that_shuts_everybody_out_is_refused_by_its_name() {
        for name in ["rooms_max", "connections_max", "room_connections_max"] {
            let error = load(&format!("{name} = 0"), Secrets::default()).unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{name}` is 0")), "{error}");
            load(&format!("{name} = 1"), Secrets::default()).unwrap();
        }
    }

    #[test]
    fn more_connections_than_there_can_be_are_refused_by_their_name() {
        for name in ["connections_max", "room_connections_max"] {
            for many in ["1000001", "2305843009213693952", "9223372036854775807"] {
                let error = load(&format!("{name} = {many}"), Secrets::default()).unwrap_err().to_string();
                assert!(
                    error.starts_with(&format!("`{name}` is {many}")) && error.ends_with("1000000 or less")
                );
            }
            load(&format!("{name} = 1000000"), Secrets::default()).unwrap();
        }
    }

    #[test]
    fn a_key_that_is_wanted_has_to_be_there_and_long() {
        assert!(matches!(load("create = \"key\"", Secrets::default()), Err(Error::NoCreateKey)));
        let short = Secrets { create_key: Some("short".into()), ..Secrets::default() };
        assert!(matches!(load("", short), Err(Error::ShortKey { .. })));
        let long = Secrets { create_key: Some(LONG.into()), ..Secrets::default() };
        assert!(matches!(load("", long).unwrap().creation, Creation::Key(_)));
    }

    #[test]
    fn an_admin_listener_that_others_can_reach_wants_a_key() {
        let open = load("admin = \"0.0.0.0:1\"", Secrets::default());
        assert!(matches!(open, Err(Error::OpenAdmin { .. })));
        let locked = Secrets { admin_key: Some(LONG.into()), ..Secrets::default() };
        let config = load("admin = \"0.0.0.0:1\"", locked).unwrap();
        assert!(!format!("{config:?}").contains(LONG));
    }
}
