//! A stream of NATS JetStream, one message an item.
//!
//! The server acknowledges each message, and knows those that come again by `Nats-Msg-Id`, within its window. Plain NATS has
//! no acknowledgement, so nobody could say when an item may be forgotten; that is why there has to be a stream.

use std::{error::Error, fmt, path::Path, time::Duration};

use async_nats::{
    ConnectOptions, HeaderMap,
    jetstream::{
        self,
        context::{PublishError, PublishErrorKind},
        stream,
    },
};
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::{Answer, Delivery, Failure, Target, one_by_one};
use crate::{
    fields::{Fields, Wrong},
    item::Item,
    store::Entry,
};

const CONNECT_MAX: Duration = Duration::from_secs(10);
const ACKNOWLEDGE_MAX: Duration = Duration::from_secs(10);
/// How long the server of a stream that we make knows ids.
const DUPLICATES_KNOWN: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Clone)]
pub struct Settings {
    server: String,
    stream: String,
    /// The first words of the subject; the source's name is the last.
    subject: String,
    token: Option<SecretString>,
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}.*)", self.stream, self.subject)
    }
}

pub(super) fn read(fields: &Fields<'_>, _: &Path) -> Result<Target, Wrong> {
    let server = fields.text("server")?;
    let server = server
        .ok_or_else(|| fields.missing("server", "write its address, such as \"nats://127.0.0.1:4222\""))?;
    let word = |key, default: &str| -> Result<String, Wrong> {
        let text = fields.text(key)?.unwrap_or(default);
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if text.is_empty() || !text.chars().all(is_plain) || text.split('.').any(str::is_empty) {
            return Err(
                fields.wrong(key, "expected letters, digits, `-` and `_`, in words with dots between them")
            );
        }
        Ok(text.to_owned())
    };
    let (stream, subject) = (word("stream", "TRIBUTARY")?, word("subject", "tributary")?);
    if stream.contains('.') {
        return Err(fields.wrong("stream", "the name of a stream has no dots"));
    }
    let token = fields.secret("token", "token_env")?;
    Ok(Target::Nats(Settings { server: server.to_owned(), stream, subject, token }))
}

pub(super) struct Outlet {
    context: jetstream::Context,
    subject: String,
}

impl Outlet {
    pub(super) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let failed = |error: &dyn fmt::Display| Failure::new(format!("NATS: {error}"));
        let options = ConnectOptions::new().name("tributary").connection_timeout(CONNECT_MAX);
        let options = match &settings.token {
            Some(token) => options.token(token.expose_secret().to_owned()),
            None => options,
        };
        let client = options.connect(&settings.server).await.map_err(|error| failed(&error))?;
        let mut context = jetstream::new(client);
        context.set_timeout(ACKNOWLEDGE_MAX);
        let config = stream::Config {
            name: settings.stream.clone(),
            subjects: vec![format!("{}.>", settings.subject)],
            duplicate_window: DUPLICATES_KNOWN,
            ..stream::Config::default()
        };
        context.get_or_create_stream(config).await.map_err(|error| failed(&error))?;
        Ok(Self { context, subject: settings.subject.clone() })
    }

    async fn hand_over(&self, item: &Item) -> Answer {
        match self.publish(item).await {
            Ok(()) => Answer::Taken,
            // The next time it will be as large.
            Err(error) if is_too_large(&error) => Answer::Refused(format!("NATS: {error}")),
            Err(error) => Answer::Failed(Failure::new(format!("NATS: {error}"))),
        }
    }

    async fn publish(&self, item: &Item) -> Result<(), PublishError> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", item.id.to_string());
        headers.insert("Content-Type", "application/json");
        let subject = format!("{}.{}", self.subject, item.source);
        let body = serde_json::to_vec(item)
            .map_err(|error| PublishError::with_source(PublishErrorKind::Other, error))?;
        self.context.publish_with_headers(subject, headers, body.into()).await?.await.map(drop)
    }
}

/// For the server, which has a `max_payload`, or for the stream, which may have a `max_msg_size`.
fn is_too_large(error: &PublishError) -> bool {
    let code = error.source().and_then(|cause| cause.downcast_ref()).map(jetstream::Error::error_code);
    error.kind() == PublishErrorKind::MaxPayloadExceeded
        || code == Some(jetstream::ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}

impl super::Outlet for Outlet {
    fn deliver<'a>(&'a mut self, entries: &'a [Entry]) -> BoxFuture<'a, Delivery> {
        Box::pin(one_by_one(entries, |item| self.hand_over(item)))
    }
}
