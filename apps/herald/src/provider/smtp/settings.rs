//! What an operator says about the SMTP relay, as it stands in the `[smtp]` table of the configuration.
//! Time-outs default to RFC 5321 §4.5.3.2; the pool and the transactions are in the neighbouring files.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use lettre::message::Mailbox;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

use crate::model::to_wire;

/// How to reach the relay and as whom to speak to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub host: String,
    #[serde(default = "port")]
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
    #[serde(default = "hello")]
    pub hello: String,
    /// How many deliveries are under way at the same time, each with its own connection.
    #[serde(default = "concurrency")]
    pub concurrency: NonZeroUsize,
    #[serde(default = "connect_seconds")]
    pub connect_seconds: u64,
    #[serde(default = "command_seconds")]
    pub command_seconds: u64,
    /// How long to wait for the answer to the final dot. Cutting it short makes duplicates.
    #[serde(default = "reply_seconds")]
    pub reply_seconds: u64,
    /// How long a connection may wait for its next mail.
    #[serde(default = "idle_seconds")]
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

fn port() -> u16 {
    587
}

fn hello() -> String {
    "localhost".to_owned()
}

/// Enough for the goal of `cargo xtask bench herald`, and less than the 50 connections that Postfix allows one client.
fn concurrency() -> NonZeroUsize {
    NonZeroUsize::new(32).unwrap_or(NonZeroUsize::MIN)
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
