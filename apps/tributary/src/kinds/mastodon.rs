//! Mastodon's timelines, and those of all who speak its API: a tag's or an account's posts.
//!
//! A visit reads forward from the newest post it knows (`min_id`), page by page along the `Link` header, so what does not
//! fit into one visit is the beginning of the next and nothing is left out.

use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{
    api::{self, PAGES_MAX, text},
    draft::{self, Draft},
};
use crate::{
    fields::{Fields, Wrong},
    item::Attachment,
    source::{Errand, Kind, Mark, Trouble, Visit, Visited},
    text as words,
};

/// What an instance gives at most.
const PAGE_ITEMS: &str = "40";

/// What is read of its answers.
const NAMES: &[&str] = &[
    "account",
    "acct",
    "content",
    "created_at",
    "edited_at",
    "id",
    "media_attachments",
    "name",
    "reblog",
    "remote_url",
    "spoiler_text",
    "tags",
    "type",
    "uri",
    "url",
];

/// What to do about a source that names no server.
const NO_BASE: &str = "name the server, such as `https://mastodon.social`, and a `tag` or an `account`; `tributary add` makes \
    them of an address such as https://mastodon.social/tags/rust";

/// The kind `mastodon`.
#[derive(Debug)]
pub struct Mastodon;

impl Kind for Mastodon {
    fn name(&self) -> &'static str {
        "mastodon"
    }

    fn about(&self) -> &'static str {
        "the posts under a `tag`, or of an `account` (its id), at the Mastodon server `base`"
    }

    fn read(&self, fields: &Fields<'_>) -> Result<Box<dyn Visit>, Wrong> {
        let base = fields.optional_url("base")?.ok_or_else(|| fields.missing("base", NO_BASE))?;
        let (tag, account) = (fields.text("tag")?, fields.text("account")?);
        let segments = match (tag, account) {
            (Some(tag), None) => ["timelines", "tag", tag.trim_start_matches('#')],
            (None, Some(id)) if id.bytes().all(|byte| byte.is_ascii_digit()) && !id.is_empty() => {
                ["accounts", id, "statuses"]
            }
            (None, Some(_)) => {
                return Err(fields.wrong(
                    "account",
                    "is the account's number; GET /api/v1/accounts/lookup?acct=NAME tells it",
                ));
            }
            _ => return Err(fields.missing("tag", "give either a `tag` or an `account`")),
        };
        let mut url = base;
        url.set_query(None);
        let unfit = |()| Wrong { ..fields.wrong("base", "cannot have a path behind it") };
        url.path_segments_mut().map_err(unfit)?.clear().extend(["api", "v1"]).extend(segments);
        Ok(Box::new(Source { url, authorization: api::token(fields)? }))
    }

    fn settings_for(&self, address: &Url) -> Option<Vec<(&'static str, String)>> {
        // Other sites have pages for tags too; but with a slash behind them, or as files.
        let path: Vec<_> = address.path_segments()?.collect();
        let ["tags", tag] = path[..] else { return None };
        let is_plain = !tag.is_empty() && !tag.contains('.');
        let base = address.origin().ascii_serialization();
        is_plain.then(|| vec![("base", base), ("tag", tag.to_owned())])
    }
}

#[derive(Debug)]
struct Source {
    url: Url,
    authorization: Option<HeaderValue>,
}

/// What is known from the last visit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Known {
    newest: Option<String>,
}

impl Visit for Source {
    fn address(&self) -> &Url {
        &self.url
    }

    fn visit<'a>(&'a self, errand: &'a Errand<'a>) -> BoxFuture<'a, Result<Visited, Trouble>> {
        self.fetch(errand).boxed()
    }
}

impl Source {
    async fn fetch(&self, errand: &Errand<'_>) -> Result<Visited, Trouble> {
        let mut known: Known = errand.mark.and_then(Mark::read).unwrap_or_default();
        let is_first = known.newest.is_none();
        let mut next = Some(self.first_page(known.newest.as_deref()));
        let (mut drafts, mut bytes) = (Vec::new(), 0);
        for number in 0..PAGES_MAX {
            let Some(url) = next.take() else { break };
            let page = match api::page(errand, &url, self.authorization.as_ref(), NAMES).await {
                Ok(page) => page,
                // What came before is whole, and the next visit goes on behind it.
                Err(_) if number > 0 => break,
                Err(trouble) => return Err(trouble),
            };
            bytes += page.bytes;
            let posts = api::list(Some(&page.json), &url)?;
            for id in posts.iter().filter_map(|post| text(post, "id")) {
                known.newest = newer(known.newest.take(), id);
            }
            // Each page is newest first, and the pages are oldest first.
            drafts.splice(0..0, posts.iter().map(draft));
            let has_more = !posts.is_empty() && !is_first;
            next = later(&page.headers, &url).filter(|_| has_more);
        }
        Ok(Visited {
            is_unchanged: drafts.is_empty(),
            items: draft::items(errand.source, drafts),
            mark: Mark::of(&known),
            moved: None,
            wait: None,
            bytes,
        })
    }

    fn first_page(&self, newest: Option<&str>) -> Url {
        let mut url = self.url.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("limit", PAGE_ITEMS);
        if let Some(newest) = newest {
            query.append_pair("min_id", newest);
        }
        drop(query);
        url
    }
}

/// The later of two ids. They are numbers that outgrow any type of ours, so the longer one is the later one.
fn newer(known: Option<String>, id: &str) -> Option<String> {
    match known {
        Some(known) if (known.len(), known.as_str()) >= (id.len(), id) => Some(known),
        _ => Some(id.to_owned()),
    }
}

/// The page with later posts (RFC 8288, `rel="prev"`), where it is on the same server: the token is for no other.
fn later(headers: &HeaderMap, from: &Url) -> Option<Url> {
    let links = headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
    let url = links.flat_map(|links| links.split(',')).find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_later = parameters.split(';').any(|part| matches!(part.trim(), "rel=\"prev\"" | "rel=prev"));
        from.join(target).ok().filter(|_| is_later)
    })?;
    (url.origin() == from.origin() && url != *from).then_some(url)
}

fn draft(post: &Value) -> Draft {
    // A boost is a post around another one, and has no content of its own.
    let told = post.get("reblog").filter(|told| told.is_object()).unwrap_or(post);
    let date = |key| text(post, key).and_then(|date| date.parse().ok());
    let link = text(told, "url").or_else(|| text(told, "uri")).and_then(|url| Url::parse(url).ok());
    let account = told.get("account");
    let tags = told.get("tags").and_then(Value::as_array).into_iter().flatten();
    let media = told.get("media_attachments").and_then(Value::as_array).into_iter().flatten();
    Draft {
        key: text(post, "id").map(str::to_owned),
        title: text(told, "spoiler_text").map(str::to_owned),
        link: link.filter(|url| matches!(url.scheme(), "http" | "https")),
        author: account.and_then(|account| text(account, "acct")).map(str::to_owned),
        published: date("created_at"),
        updated: date("edited_at"),
        summary_html: None,
        content_html: text(told, "content").and_then(words::clean),
        tags: tags.filter_map(|tag| text(tag, "name").map(str::to_owned)).collect(),
        attachments: media.filter_map(attachment).collect(),
    }
}

fn attachment(media: &Value) -> Option<Attachment> {
    let url = text(media, "url").or_else(|| text(media, "remote_url"))?.parse().ok()?;
    let media_type = match text(media, "type")? {
        kind @ ("image" | "video" | "audio") => Some(format!("{kind}/*")),
        "gifv" => Some("video/*".to_owned()),
        _ => None,
    };
    Some(Attachment { url, media_type, bytes: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_ids_are_later() {
        assert_eq!(newer(Some("99".to_owned()), "100").as_deref(), Some("100"));
        assert_eq!(newer(Some("101".to_owned()), "100").as_deref(), Some("101"));
        assert_eq!(newer(None, "1").as_deref(), Some("1"));
    }

    #[test]
    fn the_later_page_is_followed_on_the_same_server_only() {
        let from: Url = "https://a.example/api/v1/timelines/tag/x?min_id=1".parse().unwrap();
        let link = |text: &str| later(&[(header::LINK, text.parse().unwrap())].into_iter().collect(), &from);
        let both =
            "<https://a.example/t?max_id=5>; rel=\"next\", <https://a.example/t?min_id=9>; rel=\"prev\"";
        assert_eq!(link(both).unwrap().as_str(), "https://a.example/t?min_id=9");
        assert_eq!(link("<https://evil.example/t?min_id=9>; rel=\"prev\""), None);
        assert_eq!(link("<>; rel=\"prev\""), None);
        assert_eq!(link("nonsense"), None);
    }
}
