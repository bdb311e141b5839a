//! The bytes of one e-mail.
//!
//! They depend on nothing but the delivery and the sender: the date is the notification's, the Message-ID and
//! the MIME boundary come from the delivery's id. So a resend after a crash is byte for byte the same mail, and
//! whoever received it twice can tell. Only `lettre` writes headers; what it would pass on raw is encoded here.

use std::time::{Duration, SystemTime};

use email_encoding::headers::{rfc2047, writer::EmailWriter};
use jiff::Timestamp;
use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};

use crate::{model::to_wire, store::Work};

/// A word this long or longer is encoded, since a header line can only be folded between words.
const WORD_BYTES_MAX: usize = 70;

/// A rendered e-mail with its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub from: Address,
    pub to: Address,
    pub bytes: Vec<u8>,
}

/// Why a delivery cannot be rendered; the input's validation should have caught it.
#[derive(Debug, thiserror::Error)]
#[error("the mail cannot be rendered: {0}")]
pub struct Unrenderable(Box<dyn std::error::Error + Send + Sync>);

impl Unrenderable {
    fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Renders the mail of a delivery.
///
/// # Errors
///
/// Where the recipient's domain has no ASCII form or `lettre` refuses the message.
pub fn render(work: &Work, sender: &Mailbox) -> Result<Mail, Unrenderable> {
    let to = work.to.to_wire().map_err(Unrenderable::new)?;
    let from = Mailbox::new(sender.name.clone(), to_wire(&sender.email).map_err(Unrenderable::new)?);
    // Else `lettre` would read it back from the headers, and it cannot read every address that it writes.
    let envelope = Envelope::new(Some(from.email.clone()), vec![to.clone()]).map_err(Unrenderable::new)?;
    let head = Message::builder()
        .envelope(envelope)
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .raw_header(subject(&work.subject)?)
        .message_id(Some(work.message_id.clone()))
        .date(date(work.created_at)?);
    let message = match (&work.text, &work.html) {
        (text, None) => head.singlepart(SinglePart::plain(lines(text.as_deref().unwrap_or_default()))),
        (None, Some(html)) => head.singlepart(SinglePart::html(lines(html))),
        (Some(text), Some(html)) => head.multipart(
            MultiPart::alternative()
                .boundary(format!("herald-{}", work.delivery))
                .singlepart(SinglePart::plain(lines(text)))
                .singlepart(SinglePart::html(lines(html))),
        ),
    };
    let bytes = message.map_err(Unrenderable::new)?.formatted();
    Ok(Mail { from: from.email, to, bytes })
}

/// The time in whole seconds, which is all that a Date header holds.
fn date(at: Timestamp) -> Result<SystemTime, Unrenderable> {
    let seconds = u64::try_from(at.as_second()).map_err(Unrenderable::new)?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

fn subject(text: &str) -> Result<HeaderValue, Unrenderable> {
    const NAME: HeaderName = HeaderName::new_from_ascii_str("Subject");
    if text.split(' ').all(is_plain_word) {
        return Ok(HeaderValue::new(NAME, text.to_owned()));
    }
    let mut encoded = String::new();
    rfc2047::encode(text, &mut EmailWriter::new(&mut encoded, "Subject: ".len(), 0, false))
        .map_err(Unrenderable::new)?;
    Ok(HeaderValue::dangerous_new_pre_encoded(NAME, text.to_owned(), encoded))
}

/// Whether a word of a subject may stand as it is: short, visible ASCII, and not to be mistaken for an encoded word.
fn is_plain_word(word: &str) -> bool {
    (1..=WORD_BYTES_MAX).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_graphic())
        && !word.contains("=?")
}

/// The text with CRLF for every line end. `lettre` would do it for LF, but in quadratic time, and let a lone CR through.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

#[cfg(test)]
mod tests;
