//! The command line: what each word and flag means.
//!
//! `herald` alone serves. The other words either speak to a running server over its API (`client`), or work on a
//! data directory that no server holds open.

mod client;
mod keys;
mod say;

use clap::{ArgGroup, Args, Parser, Subcommand, builder::NonEmptyStringValueParser, value_parser};
use jiff::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

pub use client::{send, status};
pub use keys::add_key;
pub(crate) use say::hand_over;

use crate::config::{Overrides, Place};

/// A day: who waits longer asks with `herald status`.
const WAIT_SECONDS_MAX: u64 = 24 * 60 * 60;

/// Herald: a notification service that can prove what it did.
#[derive(Debug, Parser)]
#[command(name = "herald", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(flatten)]
    serve: Overrides,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API and the page, and deliver (the default)
    Serve(Overrides),
    /// Send one notification through a running server
    Send(Send),
    /// Show what became of a notification
    Status(Status),
    /// Manage API keys, while no server is running on the data directory
    #[command(subcommand)]
    Key(Key),
}

/// Which server to speak to, and as whom.
#[derive(Debug, Args)]
pub struct Remote {
    /// The server's address, such as http://127.0.0.1:8080
    #[arg(
        long,
        value_name = "URL",
        env = "HERALD_SERVER",
        default_value = "http://127.0.0.1:8080",
        value_parser = server
    )]
    pub server: String,
    /// The API key; the variable is the better place, as flags show in the list of processes
    #[arg(long, value_name = "KEY", env = "HERALD_API_KEY", hide_env_values = true)]
    key: Option<SecretString>,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "herald send --to <EMAIL> --subject <SUBJECT> <--text <TEXT>|--html <HTML>> [OPTIONS]",
    group(ArgGroup::new("message").args(["text", "html"]).required(true).multiple(true))
)]
pub struct Send {
    /// The recipient's e-mail address
    #[arg(long, value_name = "EMAIL")]
    pub to: String,
    /// One line
    #[arg(long)]
    pub subject: String,
    /// The message as plain text
    #[arg(long)]
    pub text: Option<String>,
    /// The message as HTML
    #[arg(long)]
    pub html: Option<String>,
    /// Not before this time, as in 2027-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub send_at: Option<Timestamp>,
    /// Not after this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub expires_at: Option<Timestamp>,
    /// A word of your own that is shown with it, such as `invoice`
    #[arg(long)]
    pub category: Option<String>,
    /// Makes it safe to send the same notification again
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Wait until every delivery is settled, for at most so many seconds, up to 86400 [default: 60]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "60",
        value_parser = value_parser!(u64).range(..=WAIT_SECONDS_MAX)
    )]
    pub wait: Option<u64>,
    #[command(flatten)]
    pub remote: Remote,
}

#[derive(Debug, Args)]
#[command(override_usage = "herald status <ID> [OPTIONS]")]
pub struct Status {
    /// The notification's id, as `herald send` printed it
    pub id: String,
    #[command(flatten)]
    pub remote: Remote,
}

#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a further API key and print it once
    Add {
        /// What to call it, such as the program that will use it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

impl Remote {
    /// The key. An empty one is none: that is how a shell says that a variable holds nothing.
    fn key(&self) -> Option<&str> {
        self.key.as_ref().map(ExposeSecret::expose_secret).filter(|key| !key.is_empty())
    }
}

/// The whole address of a server, without a slash at its end.
fn server(text: &str) -> Result<String, &'static str> {
    let whole = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !whole {
        return Err("write the whole address, such as http://127.0.0.1:8080");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn time(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "must be a time such as 2027-01-31T09:00:00Z")
}

impl Cli {
    /// What was asked for; to serve, where nothing was.
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn herald_alone_serves() {
        let cli = Cli::try_parse_from(["herald", "--listen", "127.0.0.1:9"]).unwrap();
        let Command::Serve(overrides) = cli.into_command() else { panic!("not serve") };
        assert_eq!(overrides.listen.unwrap().port(), 9);
    }
}
