//! JSON Feed (jsonfeed.org, versions 1 and 1.1), read for what is there.
//!
//! feed-rs refuses a whole feed for one `null`, a missing title or an id that is a number. So this takes each field where
//! it has a form that means something, and takes it for absent where it has not.

use std::{cell::Cell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use url::Url;

use super::read::{Document, Unreadable};
use crate::{
    item::Attachment,
    kinds::{
        draft::{Draft, ITEMS_MAX, NAME_CHARS_MAX},
        pruned::Pruned,
    },
    text::{self, Cleaner},
};

/// Of one item, in what is read of it.
const VALUES_MAX: usize = 10_000;
/// What is read of an item, and of the feed.
const NAMES: &[&str] = &[
    "attachments",
    "author",
    "authors",
    "content_html",
    "content_text",
    "date_modified",
    "date_published",
    "external_url",
    "id",
    "mime_type",
    "name",
    "size_in_bytes",
    "summary",
    "tags",
    "title",
    "url",
];

/// Reads a JSON Feed.
pub(super) fn read(text: &str, base: &Url) -> Result<Document, Unreadable> {
    let other = |error: serde_json::Error| Unreadable::OtherJson(error.to_string());
    let mut json = serde_json::Deserializer::from_str(text);
    let drafts = json.deserialize_any(Feed { base, cleaner: &Cleaner::new(base) }).map_err(other)?;
    json.end().map_err(other)?;
    Ok(Document { drafts, ..Document::default() })
}

/// Makes drafts of a feed while it is read, so that never more than one item of it is a tree.
struct Feed<'a> {
    base: &'a Url,
    cleaner: &'a Cleaner,
}

/// The same for its list of items.
struct Items<'a>(&'a Feed<'a>);

impl<'de> Visitor<'de> for Feed<'_> {
    type Value = Vec<Draft>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list `items`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut feed: A) -> Result<Vec<Draft>, A::Error> {
        let (mut drafts, mut head) = (None, serde_json::Map::new());
        while let Some(name) = feed.next_key::<String>()? {
            match name.as_str() {
                "items" => drafts = Some(feed.next_value_seed(Items(&self))?),
                "author" | "authors" => {
                    head.insert(name, feed.next_value_seed(pruned(&Cell::new(VALUES_MAX)))?);
                }
                _ => drop(feed.next_value::<IgnoredAny>()?),
            }
        }
        let mut drafts = drafts.ok_or_else(|| serde::de::Error::custom("there is no list `items`"))?;
        // Every item without an author of its own gets a copy.
        let everybody = authors(&head.into()).and_then(|names| text::line(&names, NAME_CHARS_MAX));
        for draft in drafts.iter_mut().filter(|draft: &&mut Draft| draft.author.is_none()) {
            draft.author.clone_from(&everybody);
        }
        Ok(drafts)
    }
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Vec<Draft>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<Draft>, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<Draft>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list `items`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Draft>, A::Error> {
        let Feed { base, cleaner } = self.0;
        let mut drafts = Vec::new();
        for _ in 0..ITEMS_MAX {
            let Some(item) = items.next_element_seed(pruned(&Cell::new(VALUES_MAX)))? else { break };
            if item.is_object() {
                drafts.push(draft(&item, base, cleaner));
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(drafts)
    }
}

fn pruned(left: &Cell<usize>) -> Pruned<'_> {
    Pruned::new(NAMES, VALUES_MAX, left)
}

fn draft(item: &Value, base: &Url, cleaner: &Cleaner) -> Draft {
    let text = |key| item.get(key).and_then(Value::as_str);
    let date = |key| text(key).and_then(|date| date.trim().parse().ok());
    let url = |key| text(key).and_then(|url| base.join(url.trim()).ok());
    let (published, updated) = (date("date_published"), date("date_modified"));
    let html = text("content_html").and_then(|html| cleaner.clean(html));
    let plain = |text: &str| text::clean(&text::escape(text));
    Draft {
        key: key(item),
        title: text("title").map(str::to_owned),
        link: url("url")
            .or_else(|| url("external_url"))
            .filter(|url| matches!(url.scheme(), "http" | "https")),
        author: authors(item),
        published: published.or(updated),
        updated,
        summary_html: text("summary").and_then(plain),
        content_html: html.or_else(|| text("content_text").and_then(plain)),
        tags: list(item, "tags").filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
        attachments: list(item, "attachments")
            .filter_map(|attachment| self::attachment(attachment, base))
            .collect(),
    }
}

/// The standard wants text, and wants numbers to be read as text.
fn key(item: &Value) -> Option<String> {
    match item.get("id")? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// The names of `authors`, or of version 1's `author`.
fn authors(of: &Value) -> Option<String> {
    let name = |author: &Value| author.get("name")?.as_str().map(str::to_owned);
    let names: Vec<_> = list(of, "authors").chain(of.get("author")).filter_map(name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn attachment(attachment: &Value, base: &Url) -> Option<Attachment> {
    let text = |key| attachment.get(key).and_then(Value::as_str);
    let url = base.join(text("url")?).ok()?;
    let bytes = attachment.get("size_in_bytes").and_then(Value::as_u64);
    Some(Attachment { url, media_type: text("mime_type").map(str::to_owned), bytes })
}

fn list<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of.get(key).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drafts(json: &str) -> Vec<Draft> {
        read(json, &"https://a.example/feed.json".parse().unwrap()).unwrap().drafts
    }

    #[test]
    fn a_whole_item_is_read() {
        let drafts = drafts(
            r#"{"version": "https://jsonfeed.org/version/1.1", "title": "x", "items": [{
                "id": "1", "url": "/post", "title": "T", "content_html": "<p>x<script>1</script></p>",
                "summary": "a < b", "date_published": "2026-11-26T21:00:00+01:00", "authors": [{"name": "A"}, {"name": "B"}],
                "tags": ["t", null], "attachments": [{"url": "/a.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 3}]}]}"#,
        );
        let draft = &drafts[0];
        assert_eq!(draft.link.as_ref().unwrap().as_str(), "https://a.example/post");
        assert_eq!(draft.content_html.as_deref(), Some("<p>x</p>"));
        assert_eq!(draft.summary_html.as_deref(), Some("a &lt; b"));
        assert_eq!(draft.published, "2026-11-26T20:00:00Z".parse().ok());
        assert_eq!((draft.author.as_deref(), draft.tags.len()), (Some("A, B"), 1));
        assert_eq!(draft.attachments[0].bytes, Some(3));
    }

    #[test]
    fn null_and_what_is_missing_are_the_same_and_numbers_are_ids() {
        let drafts = drafts(
            r#"{"title": null, "authors": null, "items": [null, 3, {}, {"id": null, "title": null, "url": null,
                "content_html": null, "date_published": null, "tags": null, "attachments": null, "authors": [null]},
                {"id": 42, "date_published": "yesterday", "content_text": "x"}]}"#,
        );
        assert_eq!(drafts.len(), 3);
        assert_eq!(drafts[2].key.as_deref(), Some("42"));
        assert_eq!(drafts[2].content_html.as_deref(), Some("x"));
    }

    #[test]
    fn no_more_items_are_drafted_than_may_be_and_their_common_author_is_short() {
        let items = vec!["{}"; ITEMS_MAX + 1].join(",");
        let author = "x".repeat(1_000);
        let json = format!(r#"{{"authors": [{{"name": "{author}"}}], "items": [{items}]}}"#);
        let drafts = drafts(&json);
        assert_eq!(drafts.len(), ITEMS_MAX);
        assert_eq!(drafts[0].author.as_ref().unwrap().chars().count(), NAME_CHARS_MAX);
    }

    #[test]
    fn other_json_is_no_feed() {
        let base = "https://a.example/".parse().unwrap();
        for json in ["{", "[]", "{}", r#"{"items": {}}"#, r#"{"items": null}"#] {
            assert!(matches!(read(json, &base), Err(Unreadable::OtherJson(_))), "{json}");
        }
        assert_eq!(drafts(r#"{"items": []}"#).len(), 0);
    }
}
