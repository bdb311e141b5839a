//! What a relay's reply, or the lack of one, says about a mail.
//!
//! The same code means different things at different steps: what is refused before the relay has heard anything
//! about this mail is refused for every mail, and a connection lost after the final dot may have delivered it.

use std::{error::Error, io, time::Duration};

use lettre::transport::smtp;

use crate::provider::Answer;

/// The longest reply that is kept: a relay may send a hundred kilobytes.
const REPLY_CHARS_MAX: usize = 500;

/// How far the conversation had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Connecting, EHLO, STARTTLS, AUTH.
    Greeting,
    /// MAIL. `plain` where it had no parameters, so that only our own address could be refused.
    Mail { plain: bool },
    /// RCPT.
    Recipient,
    /// DATA and the message, up to the final dot.
    Data,
    /// The final dot was, or may have been, written.
    Dot,
}

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A negative reply.
    Refused { code: u16, text: String },
    /// The connection failed, was closed, or carried something that is not SMTP.
    Lost(String),
    /// No reply in time.
    Silent(Duration),
    /// The mail expired before this step, which was not taken.
    Late,
    /// Our settings do not fit the relay; no reply says so.
    Unfit(String),
}

impl Trouble {
    /// A handshake that failed. On what the relay presented, the next would fail likewise.
    pub(super) fn of_handshake(error: &smtp::Error) -> Self {
        if is_refused_by_tls(error) { Self::Unfit(error.to_string()) } else { Self::Lost(error.to_string()) }
    }

    /// Whether the relay keeps listening for the next transaction.
    pub(super) fn keeps_connection(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code != 421)
    }

    /// Says which relay it was that did not answer. A reply speaks for itself, and so do our settings.
    pub(super) fn at(self, host: &str, port: u16) -> Self {
        match self {
            Self::Lost(_) | Self::Silent(_) => Self::Lost(format!("{host}:{port}: {}", self.describe())),
            said => said,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Refused { code, text } => shortened(&format!("{code} {text}")),
            Self::Lost(detail) | Self::Unfit(detail) => shortened(detail),
            Self::Silent(limit) => format!("no answer within {limit:?}"),
            Self::Late => "it expired before it was sent".to_owned(),
        }
    }
}

impl From<smtp::Error> for Trouble {
    fn from(error: smtp::Error) -> Self {
        match error.status() {
            Some(code) => Self::Refused { code: code.into(), text: cause(&error) },
            None if error.is_client() => Self::Unfit(error.to_string()),
            None => Self::Lost(error.to_string()),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// What `trouble` at `step` means for the mail.
pub(super) fn classify(step: Step, trouble: &Trouble) -> Answer {
    let reply = trouble.describe();
    match (trouble, step) {
        (Trouble::Refused { code, text }, step) => refused(step, *code, text, reply),
        // A step that was not taken sent nothing, and says nothing of the relay.
        (Trouble::Late, _) => Answer::Transient { reply },
        (_, Step::Dot) => Answer::Ambiguous { detail: reply },
        (Trouble::Unfit(_), _) => Answer::Configuration { reply },
        (Trouble::Lost(_) | Trouble::Silent(_), Step::Greeting) => Answer::Unreachable { reply },
        (Trouble::Lost(_) | Trouble::Silent(_), _) => Answer::Transient { reply },
    }
}

fn refused(step: Step, code: u16, text: &str, reply: String) -> Answer {
    match (code, step) {
        (400..=499, _) => Answer::Transient { reply },
        (530 | 535, _) | (_, Step::Greeting | Step::Mail { plain: true }) => Answer::Configuration { reply },
        _ if enhanced_code(text) == Some("5.1.1") => Answer::Gone { reply },
        _ => Answer::Permanent { reply },
    }
}

/// The enhanced status code (RFC 3463) that a reply's text begins with, where it has one.
fn enhanced_code(text: &str) -> Option<&str> {
    text.split_whitespace().next()
}

/// `lettre` keeps the reply's text as the cause of its error.
fn cause(error: &smtp::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// Whether it was TLS that failed, and not the way there.
fn is_refused_by_tls(error: &smtp::Error) -> bool {
    let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.any(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>)
    })
}

fn shortened(text: &str) -> String {
    text.chars().take(REPLY_CHARS_MAX).collect()
}
