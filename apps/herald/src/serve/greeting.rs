//! What the terminal shows when the server is up: where it is, and at the first start how to use it.

use std::{fmt::Write, net::SocketAddr};

use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;

/// How the server came by its first API key.
pub(super) enum Key {
    /// Made now, to be shown now and never again.
    Made(SecretString),
    /// Taken from `HERALD_API_KEY`; whoever set it knows it.
    Given,
    /// There from an earlier start.
    Known,
}

pub(super) fn text(config: &Config, address: SocketAddr, key: &Key) -> String {
    let url = format!("http://{address}");
    let mails = config.smtp.as_ref().map_or_else(
        || "the outbox on the page; an [smtp] table in the configuration sends them".to_owned(),
        |smtp| format!("{}:{}", smtp.host, smtp.port),
    );
    let mut text = format!(
        "Herald {}  {url}\n  data       {}\n  mails to   {mails}\n",
        env!("CARGO_PKG_VERSION"),
        config.data.display(),
    );
    // Writing to a String cannot fail.
    let _ = match key {
        Key::Made(key) => first_steps(&mut text, &url, key.expose_secret()),
        Key::Given => writeln!(text, "  API key    from HERALD_API_KEY"),
        Key::Known => {
            writeln!(text, "  API key    shown at the first start only; `herald key add NAME` makes another")
        }
    };
    text
}

fn first_steps(text: &mut String, url: &str, key: &str) -> std::fmt::Result {
    write!(
        text,
        "
Your API key, shown this once:

  export HERALD_API_KEY={key}

The page, unlocked:

  {url}/#key={key}

A first notification:

  curl {url}/v1/notifications \\
    -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' \\
    -d '{{\"to\": {{\"email\": \"ada@example.org\"}}, \"subject\": \"Hello\", \"text\": \"Hello Ada.\"}}'

"
    )
}
