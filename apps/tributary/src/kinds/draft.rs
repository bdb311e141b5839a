//! An entry as its source has it, on its way to be an [`Item`]: identity, bounds, order.
//!
//! An item's identity has to survive restarts, edits and a feed's move to another address. So it is made of what the
//! source itself calls the entry; where it calls it nothing, of its link; and where there is none, of its content.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use url::Url;

use crate::{
    item::{Attachment, Item, ItemId},
    source::SourceName,
    text,
};

/// Of one visit; of more, those that stand last are left out.
pub(super) const ITEMS_MAX: usize = 10_000;
const TITLE_CHARS_MAX: usize = 1_000;
pub(super) const NAME_CHARS_MAX: usize = 200;
const TAGS_MAX: usize = 64;
const ATTACHMENTS_MAX: usize = 64;
/// Also of an address that others are relative to, since it is repeated in each of them.
pub(super) const URL_BYTES_MAX: usize = 4_096;

/// What a kind has read of one entry. Texts are plain, HTML is clean.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// What the source calls it: a guid, an id.
    pub(super) key: Option<String>,
    pub(super) title: Option<String>,
    pub(super) link: Option<Url>,
    pub(super) author: Option<String>,
    pub(super) published: Option<Timestamp>,
    pub(super) updated: Option<Timestamp>,
    pub(super) summary_html: Option<String>,
    pub(super) content_html: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) attachments: Vec<Attachment>,
}

/// The items of a source that lists its newest first, oldest first.
pub(super) fn items(source: &SourceName, mut drafts: Vec<Draft>) -> Vec<Item> {
    drafts.truncate(ITEMS_MAX);
    let shared = shared_keys(&drafts);
    let mut seen = HashSet::new();
    let items = drafts.into_iter().map(|draft| draft.finish(source, &shared));
    let mut items: Vec<_> = items.filter(|item| seen.insert(item.id)).collect();
    items.reverse();
    // A listing without all dates has no better order than its own.
    if items.iter().all(|item| item.published.is_some()) {
        items.sort_by_key(|item| item.published);
    }
    items
}

/// Keys that stand for several links at once. Some feeds give all their entries the same guid.
fn shared_keys(drafts: &[Draft]) -> HashSet<String> {
    let mut links: HashMap<&str, Option<&Url>> = HashMap::new();
    let mut shared = HashSet::new();
    for draft in drafts {
        let Some(key) = draft.key() else { continue };
        let link = draft.link.as_ref();
        if *links.entry(key).or_insert(link) != link {
            shared.insert(key.to_owned());
        }
    }
    shared
}

impl Draft {
    fn key(&self) -> Option<&str> {
        self.key.as_deref().map(str::trim).filter(|key| !key.is_empty())
    }

    fn finish(self, source: &SourceName, shared: &HashSet<String>) -> Item {
        let id = ItemId::of(source, &self.identity(shared));
        let line = |text: Option<String>, chars_max| text.and_then(|text| text::line(&text, chars_max));
        let tags = self.tags.iter().filter_map(|tag| text::line(tag, NAME_CHARS_MAX));
        let has_bounds = |url: &Url| url.as_str().len() <= URL_BYTES_MAX;
        let attachments = self.attachments.into_iter().filter(|attachment| has_bounds(&attachment.url));
        Item {
            id,
            source: source.clone(),
            title: line(self.title, TITLE_CHARS_MAX),
            link: self.link.filter(has_bounds),
            author: line(self.author, NAME_CHARS_MAX),
            published: self.published,
            updated: self.updated,
            summary_html: self.summary_html,
            content_html: self.content_html,
            tags: tags.take(TAGS_MAX).collect(),
            attachments: attachments.take(ATTACHMENTS_MAX).collect(),
        }
    }

    /// Each with a letter in front, so that a guid never means the same as another entry's link.
    fn identity(&self, shared: &HashSet<String>) -> String {
        let link = self.link.as_ref().map(lasting);
        match (self.key(), link) {
            (Some(key), Some(link)) if shared.contains(key) => format!("b {key} {link}"),
            (Some(key), _) => format!("k {key}"),
            (None, Some(link)) => format!("l {link}"),
            (None, None) => {
                let title = self.title.as_deref().unwrap_or_default().trim();
                let text = self.content_html.as_deref().or(self.summary_html.as_deref()).unwrap_or_default();
                let published = self.published.map(|published| published.to_string()).unwrap_or_default();
                format!("c {title}\n{published}\n{text}")
            }
        }
    }
}

/// A link without what changes from visit to visit: the scheme, and marks of whoever counts visitors.
fn lasting(link: &Url) -> String {
    let is_mark = |name: &str| name.starts_with("utm_") || matches!(name, "fbclid" | "gclid");
    let mut link = link.clone();
    if link.query_pairs().any(|(name, _)| is_mark(&name)) {
        let kept: Vec<_> = link
            .query_pairs()
            .filter(|(name, _)| !is_mark(name))
            .map(|(n, v)| (n.into_owned(), v.into_owned()))
            .collect();
        link.set_query(None);
        if !kept.is_empty() {
            link.query_pairs_mut().extend_pairs(kept);
        }
    }
    let text = link.as_str();
    text.split_once("://").map_or(text, |(_scheme, rest)| rest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> SourceName {
        "blog".parse().unwrap()
    }

    fn draft(key: &str, link: &str) -> Draft {
        Draft { key: Some(key.to_owned()), link: link.parse().ok(), ..Draft::default() }
    }

    fn id(draft: Draft) -> ItemId {
        items(&source(), vec![draft])[0].id
    }

    #[test]
    fn a_guid_outlives_every_other_change() {
        let edited = Draft { title: Some("New title".to_owned()), ..draft(" guid\n", "https://b.example/2") };
        assert_eq!(id(draft("guid", "https://a.example/1")), id(edited));
        assert_ne!(id(draft("guid", "")), id(draft("other", "")));
    }

    #[test]
    fn a_link_stands_in_for_a_guid_whatever_its_scheme_and_its_marks() {
        let first = id(draft("", "http://a.example/1?p=3"));
        assert_eq!(first, id(draft("", "https://a.example/1?utm_source=rss&p=3&utm_medium=x")));
        assert_ne!(first, id(draft("", "https://a.example/1?p=4")));
        assert_ne!(id(draft("", "https://a.example/#1")), id(draft("", "https://a.example/#2")));
        assert_ne!(id(draft("a.example/1", "")), id(draft("", "https://a.example/1")));
    }

    #[test]
    fn entries_that_share_a_guid_are_told_apart_by_their_links() {
        let shared = vec![draft("same", "https://a.example/2"), draft("same", "https://a.example/1")];
        assert_eq!(items(&source(), shared).len(), 2);
        let twice = vec![draft("same", "https://a.example/1"), draft("same", "https://a.example/1")];
        assert_eq!(items(&source(), twice).len(), 1);
    }

    #[test]
    fn entries_without_anything_are_told_apart_by_their_content() {
        let only = |title: &str| Draft { title: Some(title.to_owned()), ..Draft::default() };
        assert_eq!(items(&source(), vec![only("one"), only("two"), only("one")]).len(), 2);
        assert_eq!(items(&source(), vec![Draft::default()]).len(), 1);
    }

    #[test]
    fn the_oldest_comes_first() {
        let at = |key, second| Draft { published: Timestamp::from_second(second).ok(), ..draft(key, "") };
        let order = |drafts| items(&source(), drafts).into_iter().map(|item| item.id).collect::<Vec<_>>();
        let wanted = [id(draft("1", "")), id(draft("2", "")), id(draft("3", ""))];
        assert_eq!(order(vec![at("3", 3), at("2", 2), at("1", 1)]), wanted);
        assert_eq!(order(vec![at("1", 1), at("3", 3), at("2", 2)]), wanted);
        assert_eq!(order(vec![at("3", 1), draft("2", ""), at("1", 3)]), wanted);
    }
}
