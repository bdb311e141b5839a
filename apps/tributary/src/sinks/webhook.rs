//! A webhook, by the rules of Standard Webhooks (<https://www.standardwebhooks.com>): one item a request, with an id that
//! stays the same however often it is sent, and a signature where there is a secret.

use std::{fmt, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::Sha256;
use url::Url;

use super::{Answer, Delivery, Failure, Target, one_by_one, post};
use crate::{
    fields::{Fields, Wrong},
    item::Item,
    store::Entry,
};

/// What to do about a secret that is none.
const NO_SECRET: &str = "expected \"whsec_\" and base64, as Standard Webhooks have it; \
    make one with `echo \"whsec_$(openssl rand -base64 32)\"`";

#[derive(Debug, Clone)]
pub struct Settings {
    url: Url,
    /// The key that bodies are signed with.
    key: Option<SecretKey>,
}

#[derive(Clone)]
struct SecretKey(Vec<u8>);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What follows the path may be a secret.
        write!(f, "{}{}", self.url.origin().ascii_serialization(), self.url.path())
    }
}

pub(super) fn read(fields: &Fields<'_>, _: &Path) -> Result<Target, Wrong> {
    let url = fields.url("url")?;
    let key = fields
        .secret("secret", "secret_env")?
        .map(|secret| key(&secret).ok_or_else(|| fields.wrong("secret", NO_SECRET)));
    Ok(Target::Webhook(Settings { url, key: key.transpose()? }))
}

fn key(secret: &SecretString) -> Option<SecretKey> {
    let text = secret.expose_secret();
    let text = text.strip_prefix("whsec_").unwrap_or(text);
    BASE64_STANDARD.decode(text).ok().filter(|key| !key.is_empty()).map(SecretKey)
}

pub(super) struct Outlet {
    client: Client,
    settings: Settings,
}

impl Outlet {
    pub(super) fn new(settings: &Settings) -> Result<Self, Failure> {
        Ok(Self { client: post::client()?, settings: settings.clone() })
    }

    async fn send(&self, item: &Item) -> Answer {
        let (id, now) = (item.id.to_string(), Timestamp::now());
        let body = json!({ "type": "item", "timestamp": now, "data": item }).to_string();
        let mut request = self
            .client
            .post(self.settings.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now.as_second());
        if let Some(key) = &self.settings.key {
            request = request.header("webhook-signature", signature(key, &id, now.as_second(), &body));
        }
        post::send(request.body(body)).await
    }
}

impl super::Outlet for Outlet {
    fn deliver<'a>(&'a mut self, entries: &'a [Entry]) -> BoxFuture<'a, Delivery> {
        Box::pin(one_by_one(entries, |item| self.send(item)))
    }
}

fn signature(key: &SecretKey, id: &str, seconds: i64, body: &str) -> String {
    // HMAC takes keys of any length.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&key.0).unwrap_or_else(|_| unreachable!("a key of any length is one"));
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_the_one_that_others_make() {
        let key = key(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        let signature =
            signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
