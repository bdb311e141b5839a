//! A feed's text to its entries, in whatever form of feed it is.

use std::time::Duration;

use feed_rs::{
    model::{Content, Entry, Feed, FeedType, Link, MediaObject, Text},
    parser::{Builder, ParseErrorKind, ParseFeedError},
};
use jiff::Timestamp;
use url::Url;

use super::{json, repair};
use crate::{
    item::Attachment,
    kinds::draft::{Draft, ITEMS_MAX, NAME_CHARS_MAX, URL_BYTES_MAX},
    text::{self, Cleaner},
};

/// Where a page says that it is one.
const PAGE_START_BYTES: usize = 4 << 10;

/// What a document holds.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// As they stand there.
    pub(super) drafts: Vec<Draft>,
    /// For how long it asks to be left alone after a visit.
    pub(super) ttl: Option<Duration>,
    /// The hours of the day, in UTC, in which it asks to be left alone.
    pub(super) skip_hours: Vec<u8>,
}

/// Why a document is no feed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the answer is empty")]
    Empty,
    #[error("this is a web page and no feed{}", named(.0))]
    Page(Vec<Url>),
    #[error("this is neither XML nor JSON")]
    Neither,
    #[error("this is XML, but no feed: its outermost element is <{0}>")]
    OtherXml(String),
    #[error("this is a feed that cannot be read: {0}")]
    Damaged(String),
    #[error("this is JSON, but no JSON Feed: {0}")]
    OtherJson(String),
}

fn named(feeds: &[Url]) -> String {
    match feeds {
        [] => ", and it names none".to_owned(),
        feeds => {
            let feeds: Vec<_> = feeds.iter().map(Url::as_str).collect();
            format!("; it names {}", feeds.join(", "))
        }
    }
}

/// Reads a feed that came from `base`.
pub(super) fn read(text: &str, base: &Url) -> Result<Document, Unreadable> {
    match text.trim_start().chars().next() {
        None => Err(Unreadable::Empty),
        Some('{' | '[') => json::read(text, base),
        Some('<') => read_xml(text, base),
        // Some put a line before it, such as a warning of their language's interpreter.
        Some(_) => match text.find("<?xml").or_else(|| text.find("<rss")) {
            Some(at) => read_xml(&text[at..], base),
            None => Err(Unreadable::Neither),
        },
    }
}

fn read_xml(text: &str, base: &Url) -> Result<Document, Unreadable> {
    let repaired = repair::repair(text, ITEMS_MAX);
    let parser = Builder::new()
        .base_uri(Some(base))
        .sanitize_content(false)
        // An entry's identity is made in `draft`, which knows more of it.
        .id_generator(|_, _, _| String::new())
        .build();
    let feed = parser.parse(repaired.xml.as_bytes()).map_err(|error| match error {
        ParseFeedError::ParseError(ParseErrorKind::NoFeedRoot) => match &repaired.damage {
            _ if is_page(text) => Unreadable::Page(text::feeds_named(text, base)),
            Some(damage) => Unreadable::Damaged(damage.clone()),
            None => Unreadable::OtherXml(repaired.root.clone()),
        },
        error => Unreadable::Damaged(error.to_string()),
    })?;
    if let Some(damage) = repaired.damage {
        if feed.entries.is_empty() {
            return Err(Unreadable::Damaged(damage));
        }
        tracing::debug!(%base, damage, "a feed breaks off; what came before is kept");
    }
    Ok(Document {
        ttl: feed.ttl.map(|minutes| Duration::from_secs(u64::from(minutes) * 60)),
        skip_hours: repaired.skip_hours,
        drafts: drafts(feed, base),
    })
}

/// Whether it says of itself that it is HTML, of which pages leave out even the outermost element.
fn is_page(text: &str) -> bool {
    let start = text::bounded(text, PAGE_START_BYTES).to_ascii_lowercase();
    start.contains("<!doctype html") || start.contains("<html")
}

fn drafts(feed: Feed, base: &Url) -> Vec<Draft> {
    let is_rss = feed.feed_type != FeedType::Atom;
    // Every entry without an author of its own gets a copy.
    let everybody = feed.authors.iter().find_map(|author| author.name.as_deref());
    let everybody = everybody.and_then(|name| text::line(&text::plain(name), NAME_CHARS_MAX));
    let cleaner = Cleaner::new(base);
    let draft = |entry| draft(entry, base, &cleaner, is_rss, everybody.as_ref());
    feed.entries.into_iter().map(draft).collect()
}

fn draft(entry: Entry, base: &Url, cleaner: &Cleaner, is_rss: bool, everybody: Option<&String>) -> Draft {
    let names: Vec<String> = entry.authors.iter().filter_map(|author| author.name.clone()).collect();
    let author = if names.is_empty() { everybody.cloned() } else { Some(text::plain(&names.join(", "))) };
    let inner = entry.base.as_deref().and_then(|inner| base.join(inner).ok());
    let inner = inner.filter(|inner| inner.as_str().len() <= URL_BYTES_MAX);
    let own_cleaner = inner.as_ref().map(Cleaner::new);
    let cleaner = own_cleaner.as_ref().unwrap_or(cleaner);
    let base = inner.as_ref().unwrap_or(base);
    let link = link(&entry.links, base).or_else(|| web_address(&entry.id));
    let tag = |category: feed_rs::model::Category| category.label.unwrap_or(category.term);
    let published = timestamp(entry.published.map(|date| date.timestamp_millis()));
    let updated = timestamp(entry.updated.map(|date| date.timestamp_millis()));
    let enclosures = entry.links.iter().filter_map(|link| enclosure(link, base));
    let title = entry.title.or_else(|| entry.media.iter().find_map(|media| media.title.clone()));
    let media = entry.media.into_iter().flat_map(media);
    Draft {
        key: Some(entry.id),
        title: title.map(|title| plain(&title, is_rss)),
        link,
        author,
        published: published.or(updated),
        updated,
        summary_html: entry
            .summary
            .and_then(|summary| html(&summary.content, &summary_type(&summary, is_rss), cleaner)),
        content_html: entry.content.and_then(|content| content_html(content, cleaner)),
        tags: entry.categories.into_iter().map(tag).collect(),
        attachments: enclosures.chain(media).collect(),
    }
}

/// A number of milliseconds since 1970, which is what both feed-rs's dates and ours can be made of.
fn timestamp(millis: Option<i64>) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis?).ok()
}

/// The page an entry is about.
fn link(links: &[Link], base: &Url) -> Option<Url> {
    let is_page = |link: &&Link| link.rel.as_deref().is_none_or(|rel| rel == "alternate");
    let found =
        links.iter().find(is_page).or_else(|| links.iter().find(|link| link.rel.as_deref() == Some("via")));
    web_address(base.join(found?.href.trim()).ok()?.as_str())
}

fn web_address(text: &str) -> Option<Url> {
    let url: Url = text.trim().parse().ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

fn enclosure(link: &Link, base: &Url) -> Option<Attachment> {
    let is_enclosure = link.rel.as_deref() == Some("enclosure");
    let url = base.join(link.href.trim()).ok().filter(|_| is_enclosure)?;
    Some(Attachment { url, media_type: link.media_type.clone(), bytes: link.length })
}

fn media(media: MediaObject) -> Vec<Attachment> {
    let attachment = |content: feed_rs::model::MediaContent| {
        let media_type = content.content_type.map(|media_type| media_type.to_string());
        Some(Attachment { url: content.url?, media_type, bytes: content.size })
    };
    media.content.into_iter().filter_map(attachment).collect()
}

/// A title as a line of text. RSS does not say whether its titles are HTML, so what looks like it is taken for it.
fn plain(title: &Text, is_rss: bool) -> String {
    if is_rss || title.content_type.as_str() != "text/plain" {
        return text::plain(&title.content);
    }
    title.content.clone()
}

/// RSS's descriptions are HTML, whatever feed-rs takes them for.
fn summary_type(summary: &Text, is_rss: bool) -> String {
    if is_rss { "text/html".to_owned() } else { summary.content_type.to_string() }
}

fn content_html(content: Content, cleaner: &Cleaner) -> Option<String> {
    html(&content.body?, content.content_type.as_str(), cleaner)
}

fn html(content: &str, media_type: &str, cleaner: &Cleaner) -> Option<String> {
    match media_type {
        "text/html" | "application/xhtml+xml" | "text/xml" => cleaner.clean(content),
        "text/plain" => text::clean(&text::escape(content)),
        // A picture in base64, or another thing that is no text.
        _ => None,
    }
}
