//! Herald, which turns each item into a notification: one mail to one address.
//!
//! The idempotency key is made of the recipient and the item's id, so an item that comes again is one notification.

use std::{fmt, path::Path};

use futures_util::future::BoxFuture;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use super::{Answer, Delivery, Failure, Target, one_by_one, post};
use crate::{
    digest::digest,
    fields::{Fields, Wrong},
    item::Item,
    store::Entry,
};

const SUBJECT_CHARS_MAX: usize = 200;
/// Herald takes bodies up to 256 KiB, text and HTML together with all else.
const HTML_BYTES_MAX: usize = 128 * 1024;

#[derive(Debug, Clone)]
pub struct Settings {
    /// Where notifications are posted.
    url: Url,
    key: SecretString,
    email: String,
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.url.origin().ascii_serialization(), self.email)
    }
}

pub(super) fn read(fields: &Fields<'_>, _: &Path) -> Result<Target, Wrong> {
    let base = fields.url("url")?;
    let url = base.join("/v1/notifications").map_err(|error| fields.wrong("url", error.to_string()))?;
    let key = fields.secret("key", "key_env")?;
    let key = key.ok_or_else(|| {
        fields.missing("key", "name the variable that holds Herald's API key as `key_env`, or write the key")
    })?;
    let email = fields.text("email")?;
    let email = email
        .ok_or_else(|| fields.missing("email", "say who is to be notified, such as \"ada@example.org\""))?;
    Ok(Target::Herald(Settings { url, key, email: email.to_owned() }))
}

pub(super) struct Outlet {
    client: Client,
    settings: Settings,
}

impl Outlet {
    pub(super) fn new(settings: &Settings) -> Result<Self, Failure> {
        Ok(Self { client: post::client()?, settings: settings.clone() })
    }

    async fn notify(&self, item: &Item) -> Answer {
        let request = self
            .client
            .post(self.settings.url.clone())
            .bearer_auth(self.settings.key.expose_secret())
            .header("Idempotency-Key", key(&self.settings.email, item))
            .json(&notification(&self.settings.email, item));
        post::send(request).await
    }
}

impl super::Outlet for Outlet {
    fn deliver<'a>(&'a mut self, entries: &'a [Entry]) -> BoxFuture<'a, Delivery> {
        Box::pin(one_by_one(entries, |item| self.notify(item)))
    }
}

/// Herald knows a key for all that one API key sends, and two sinks may differ in nothing but whom they write to.
fn key(email: &str, item: &Item) -> String {
    digest(&format!("{email}\0{}", item.id))
}

/// The same for the same item, since a key that comes with another body is refused.
fn notification(email: &str, item: &Item) -> serde_json::Value {
    let title = item.title.as_deref().unwrap_or_default();
    let title: String = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let title: String = title.chars().filter(|letter| !letter.is_control()).take(SUBJECT_CHARS_MAX).collect();
    let subject = if title.is_empty() { format!("New at {}", item.source) } else { title };
    let link = item.link.as_ref().map_or(item.source.as_str(), Url::as_str);
    let mut body = json!({
        "to": { "email": email },
        "subject": subject,
        "text": format!("{subject}\n\n{link}\n"),
        "category": item.source,
    });
    let html = item.content_html.as_ref().or(item.summary_html.as_ref());
    if let Some(html) = html.filter(|html| html.len() <= HTML_BYTES_MAX) {
        let link = escape(link);
        // A mail reader is to open pages and nothing else.
        let is_page = item.link.as_ref().is_some_and(|link| matches!(link.scheme(), "http" | "https"));
        let link = if is_page { format!("<a href=\"{link}\">{link}</a>") } else { link };
        body["html"] = json!(format!("{html}\n<p>{link}</p>"));
    }
    body
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::ItemId;

    fn item() -> Item {
        let source = "news".parse().unwrap();
        Item {
            id: ItemId::of(&source, "1"),
            source,
            title: Some("one\r\n two".to_owned()),
            link: None,
            author: None,
            published: None,
            updated: None,
            summary_html: Some("<p>sum</p>".to_owned()),
            content_html: None,
            tags: Vec::new(),
            attachments: Vec::new(),
        }
    }

    #[test]
    fn an_item_for_two_recipients_is_two_notifications() {
        let of = |email| key(email, &item());
        assert_eq!(of("ada@example.org"), of("ada@example.org"));
        assert_ne!(of("ada@example.org"), of("bob@example.org"));
        assert_eq!(of("ada@example.org").len(), 64);
    }

    #[test]
    fn the_link_of_an_item_can_be_followed_where_it_is_a_page() {
        let end = |link: &str| {
            let item = Item { link: Some(link.parse().unwrap()), ..item() };
            let body = notification("ada@example.org", &item);
            body["html"].as_str().unwrap().rsplit_once('\n').unwrap().1.to_owned()
        };
        assert_eq!(
            end("https://a.example/?b=1&c='\""),
            "<p><a href=\"https://a.example/?b=1&amp;c=%27%22\">https://a.example/?b=1&amp;c=%27%22</a></p>"
        );
        assert_eq!(end("javascript:alert(1)"), "<p>javascript:alert(1)</p>");
    }

    #[test]
    fn a_notification_has_a_subject_on_one_line_whatever_the_title_is() {
        let mut item = item();
        let body = notification("ada@example.org", &item);
        assert_eq!(body["subject"], "one two");
        assert!(body["html"].as_str().unwrap().starts_with("<p>sum</p>"));
        item.title = None;
        assert_eq!(notification("ada@example.org", &item)["subject"], "New at news");
    }
}
