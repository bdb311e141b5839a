//! What an operator says about the SMTP relay, as it stands in the `[smtp]` table of the configuration.
//! Time-outs default to RFC 5321 §4.5.3.2; the pool and the transactions are in the neighbouring files.

use std::{path::PathBuf, time::Duration};

use lettre::message::Mailbox;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

use crate::model::to_wire;

/// More connections than this no relay allows one client.
const CONCURRENCY_MAX: u64 = 1_000;
/// A day, beyond which waiting is a mistake.
const SECONDS_MAX: u64 = 24 * 60 * 60;

/// How to reach the relay and as whom to speak to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(deserialize_with = "word")]
    pub host: String,
    #[serde(default = "port", deserialize_with = "within::<_, _, { u16::MAX as u64 }>")]
    pub port: u16,
    #[serde(default)]
    pub tls: Tls,
    /// A PEM file with a certificate authority to trust besides the public ones: a relay inside a company
    /// seldom has a public certificate.
    pub ca_file: Option<PathBuf>,
    /// Sent only together with `password`, and never over a connection without TLS unless `tls` is `none`.
    pub username: Option<String>,
    pub password: Option<SecretString>,
    /// Who the mails come from, in the header and in the envelope. Its domain, of which Message-IDs are made too, is
    /// in ASCII here.
    #[serde(deserialize_with = "mailbox")]
    pub from: Mailbox,
    /// The name in EHLO.
    #[serde(default = "hello", deserialize_with = "word")]
    pub hello: String,
    /// How many deliveries are under way at the same time, each with its own connection.
    #[serde(default = "concurrency", deserialize_with = "within::<_, _, CONCURRENCY_MAX>")]
    pub concurrency: usize,
    #[serde(default = "connect_seconds", deserialize_with = "within::<_, _, SECONDS_MAX>")]
    pub connect_seconds: u64,
    #[serde(default = "command_seconds", deserialize_with = "within::<_, _, SECONDS_MAX>")]
    pub command_seconds: u64,
    /// How long to wait for the answer to the final dot. Cutting it short makes duplicates.
    #[serde(default = "reply_seconds", deserialize_with = "within::<_, _, SECONDS_MAX>")]
    pub reply_seconds: u64,
    /// How long a connection may wait for its next mail.
    #[serde(default = "idle_seconds", deserialize_with = "within::<_, _, SECONDS_MAX>")]
    pub idle_seconds: u64,
}

/// Whether the connection is encrypted, by STARTTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Without STARTTLS nothing is sent.
    #[default]
    Required,
    /// STARTTLS where the relay offers it. Somebody on the line can take the offer away.
    Opportunistic,
    /// Plain text, for a relay on the same machine.
    None,
}

impl Settings {
    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_seconds)
    }

    pub(super) fn command_timeout(&self) -> Duration {
        Duration::from_secs(self.command_seconds)
    }

    pub(super) fn reply_timeout(&self) -> Duration {
        Duration::from_secs(self.reply_seconds)
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }
}

/// `lettre` says "Invalid input" and no more, and leaves the domain as it is.
fn mailbox<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mailbox, D::Error> {
    let text = String::deserialize(deserializer)?;
    let sender: Mailbox = text
        .parse()
        .map_err(|_| de::Error::custom("expected a sender such as \"Herald <herald@example.org>\""))?;
    let email = to_wire(&sender.email).map_err(|error| de::Error::custom(format!("the sender {error}")))?;
    Ok(Mailbox::new(sender.name, email))
}

/// A number from 1 to `MAX`. The error's place names the setting.
fn within<'de, D: Deserializer<'de>, T: TryFrom<u64>, const MAX: u64>(
    deserializer: D,
) -> Result<T, D::Error> {
    let number = u64::deserialize(deserializer)?;
    let fits = (1..=MAX).contains(&number).then(|| T::try_from(number).ok()).flatten();
    fits.ok_or_else(|| de::Error::custom(format!("{number} is not from 1 to {MAX}")))
}

/// A name or an address, which is written into commands.
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() || text.contains(|char: char| char.is_whitespace() || char.is_control()) {
        return Err(de::Error::custom(format!("{text:?} is not a host name or IP address")));
    }
    Ok(text)
}

fn port() -> u16 {
    587
}

fn hello() -> String {
    "localhost".to_owned()
}

/// Enough for the goal of `cargo xtask bench herald`, and less than the 50 connections that Postfix allows one client.
fn concurrency() -> usize {
    32
}

fn connect_seconds() -> u64 {
    30
}

fn command_seconds() -> u64 {
    300
}

fn reply_seconds() -> u64 {
    600
}

fn idle_seconds() -> u64 {
    30
}
