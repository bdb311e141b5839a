//! What an operator may say about the network: the table `[web]`.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ballet::Rate;
use http::HeaderValue;
use ipnet::IpNet;

use super::guard::Guard;
use crate::fields::{Fields, Wrong};

/// No wait for a server is shorter or longer than these, whatever is configured.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(600));
const BODY_BYTES: (u64, u64) = (1 << 10, 256 << 20);
const REDIRECTS_MAX: u64 = 20;
const PER_MINUTE_MAX: u64 = 60_000;
const DNS_PORT: u16 = 53;

/// How servers are asked, and what is too much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Who we say we are. Reddit and others refuse who does not say it.
    pub user_agent: HeaderValue,
    /// For a TCP connection.
    pub connect_timeout: Duration,
    /// From a request to the head of its answer, with the name's resolution, the connection and TLS.
    pub first_byte_timeout: Duration,
    /// For one visit's exchange as a whole, all redirects and the body included; not the wait for the host's turn.
    pub timeout: Duration,
    /// Of a body, as it comes and once more when it is unpacked.
    pub body_bytes_max: usize,
    pub redirects_max: usize,
    pub guard: Guard,
    /// Asked for names; where there are none, those of the system.
    pub name_servers: Vec<SocketAddr>,
    /// What one host is asked, by all sources together.
    pub host_rate: Rate,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user_agent: HeaderValue::from_static(concat!("tributary/", env!("CARGO_PKG_VERSION"))),
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(30),
            timeout: Duration::from_secs(60),
            body_bytes_max: 16 << 20,
            redirects_max: 5,
            guard: Guard::default(),
            name_servers: Vec::new(),
            host_rate: rate(60, 5),
        }
    }
}

impl Settings {
    /// Reads the table `[web]`.
    ///
    /// # Errors
    ///
    /// When a setting is unfit: which one, and what to write instead.
    pub fn read(fields: &Fields<'_>) -> Result<Self, Wrong> {
        let usual = Self::default();
        let wait = |key, usual| Ok(fields.duration(key, WAIT.0, WAIT.1)?.unwrap_or(usual));
        let per_minute = fields.integer("host_requests_per_minute", 1, PER_MINUTE_MAX)?.unwrap_or(60);
        let burst = fields.integer("host_burst", 1, per_minute)?.unwrap_or(5.min(per_minute));
        let body = fields.integer("body_bytes_max", BODY_BYTES.0, BODY_BYTES.1)?;
        let redirects = fields.integer("redirects_max", 0, REDIRECTS_MAX)?;
        Ok(Self {
            user_agent: user_agent(fields)?.unwrap_or(usual.user_agent),
            connect_timeout: wait("connect_timeout", usual.connect_timeout)?,
            first_byte_timeout: wait("first_byte_timeout", usual.first_byte_timeout)?,
            timeout: wait("timeout", usual.timeout)?,
            body_bytes_max: body.map_or(usual.body_bytes_max, saturating),
            redirects_max: redirects.map_or(usual.redirects_max, saturating),
            guard: Guard::new(each(fields, "allow_private", "a range such as \"192.168.0.0/16\"", range)?),
            name_servers: each(fields, "name_servers", "an address such as \"192.0.2.53\"", name_server)?,
            host_rate: rate(per_minute, burst),
        })
    }
}

fn rate(per_minute: u64, burst: u64) -> Rate {
    let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
    Rate::new(narrow(per_minute), Duration::from_secs(60)).burst(narrow(burst))
}

fn saturating(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn user_agent(fields: &Fields<'_>) -> Result<Option<HeaderValue>, Wrong> {
    let Some(text) = fields.text("user_agent")? else { return Ok(None) };
    let unfit = |_| fields.wrong("user_agent", "has characters that no header can carry; use plain ASCII");
    HeaderValue::from_str(text).map(Some).map_err(unfit)
}

fn each<T>(
    fields: &Fields<'_>,
    key: &'static str,
    expected: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Wrong> {
    let one = |text: &str| {
        read(text).ok_or_else(|| fields.wrong(key, format!("\"{text}\" does not fit; write {expected}")))
    };
    fields.texts(key)?.into_iter().map(one).collect()
}

/// A range, or one address.
fn range(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// An address with a port, or at the usual one.
fn name_server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse().ok()?, DNS_PORT)))
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let table = DeTable::parse(text).unwrap();
        let fields = Fields::new(text, "web", &table);
        let settings = Settings::read(&fields).and_then(|settings| fields.finish().map(|()| settings));
        settings.map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn an_empty_table_is_the_default() {
        assert_eq!(read(""), Ok(Settings::default()));
    }

    #[test]
    fn what_is_said_is_taken() {
        let settings = read(
            "user_agent = \"mine\"\ntimeout = \"5s\"\nbody_bytes_max = 4096\nredirects_max = 0\n\
             allow_private = [\"127.0.0.0/8\", \"::1\"]\nname_servers = [\"127.0.0.1:5353\", \"::1\"]\n\
             host_requests_per_minute = 2\n",
        )
        .unwrap();
        assert_eq!(settings.timeout, Duration::from_secs(5));
        assert_eq!((settings.body_bytes_max, settings.redirects_max), (4096, 0));
        assert!(settings.guard.check("127.0.0.1".parse().unwrap()).is_ok());
        assert!(settings.guard.check("::1".parse().unwrap()).is_ok());
        assert_eq!(settings.name_servers[1], "[::1]:53".parse().unwrap());
        assert_eq!(settings.host_rate, rate(2, 2));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_remedy() {
        let error = read("allow_private = [\"home\"]").unwrap_err();
        assert_eq!(
            error,
            "line 1: `web.allow_private`: \"home\" does not fit; write a range such as \"192.168.0.0/16\""
        );
        for wrong in ["timeout = \"0s\"", "user_agent = \"a\\nb\"", "host_burst = 100", "redirects_max = 99"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
