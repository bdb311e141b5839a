//! Reddit's listings: the new posts of a subreddit, or of any path that gives a listing.
//!
//! A listing is newest first. A visit reads backwards (`after`) until it meets what it knows. Reddit's own way forward
//! (`before` a post) gives nothing any more once that post is deleted, so ids are compared instead: they are numbers in
//! base 36 that grow.

use futures_util::{FutureExt, future::BoxFuture};
use http::HeaderValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::{
    api::{self, PAGES_MAX, text},
    draft::{self, Draft},
};
use crate::{
    fields::{Fields, Wrong},
    source::{Errand, Kind, Mark, Trouble, Visit, Visited},
    text as words,
};

const USUAL_BASE: &str = "https://www.reddit.com";
/// What Reddit gives at most.
const PAGE_ITEMS: &str = "100";
/// What is read of its answers.
const NAMES: &[&str] = &[
    "after",
    "author",
    "children",
    "created_utc",
    "data",
    "id",
    "is_self",
    "link_flair_text",
    "name",
    "permalink",
    "selftext_html",
    "stickied",
    "title",
    "url",
];
const NAME_CHARS_MAX: usize = 50;

/// The kind `reddit`.
#[derive(Debug)]
pub struct Reddit;

impl Kind for Reddit {
    fn name(&self) -> &'static str {
        "reddit"
    }

    fn about(&self) -> &'static str {
        "the new posts of a `subreddit`; with a `token`, give `base = \"https://oauth.reddit.com\"` as well"
    }

    fn read(&self, fields: &Fields<'_>) -> Result<Box<dyn Visit>, Wrong> {
        let name = fields
            .text("subreddit")?
            .ok_or_else(|| fields.missing("subreddit", "write its name, such as \"rust\""))?;
        if !is_name(name) {
            return Err(fields.wrong(
                "subreddit",
                "is a name without `r/`, such as \"rust\", or several as \"rust+learnrust\"",
            ));
        }
        let mut url = api::base(fields, USUAL_BASE)?;
        url.set_path(&format!("/r/{name}/new.json"));
        url.set_query(None);
        Ok(Box::new(Source { url, authorization: api::token(fields)? }))
    }

    fn settings_for(&self, address: &Url) -> Option<Vec<(&'static str, String)>> {
        let mut path = api::host_of(address, &["reddit.com"])?.path_segments()?;
        let is_subreddit = path.next() == Some("r");
        let name = path.next().filter(|name| is_subreddit && is_name(name))?;
        let feed = [".rss", ".xml"].iter().any(|end| address.path().ends_with(end));
        (!feed).then(|| vec![("subreddit", name.to_owned())])
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+".contains(&byte))
}

#[derive(Debug)]
struct Source {
    url: Url,
    authorization: Option<HeaderValue>,
}

/// What is known from the last visit.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Known {
    newest: Option<u64>,
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
        let known: Known = errand.mark.and_then(Mark::read).unwrap_or_default();
        let mut newest = known.newest;
        let (mut drafts, mut bytes, mut after) = (Vec::new(), 0, None);
        for number in 0..PAGES_MAX {
            let url = self.page(after.as_deref());
            let page = match api::page(errand, &url, self.authorization.as_ref(), NAMES).await {
                Ok(page) => page,
                Err(_) if number > 0 => {
                    // There is a gap behind what came, so the next visit walks the same way again.
                    newest = known.newest;
                    break;
                }
                Err(trouble) => return Err(trouble),
            };
            bytes += page.bytes;
            let data = page.json.get("data");
            let posts = api::list(data.and_then(|data| data.get("children")), &url)?;
            let posts: Vec<_> = posts.iter().filter_map(|child| child.get("data")).collect();
            let met = |post: &Value| is_known(post, known.newest);
            let fresh = posts.iter().copied().filter(|post| !met(post));
            newest = newest.max(posts.iter().filter_map(|post| number_of(post)).max());
            drafts.extend(fresh.map(draft));
            after = data.and_then(|data| text(data, "after")).map(str::to_owned);
            if known.newest.is_none() || posts.iter().any(|post| met(post)) || after.is_none() {
                break;
            }
            if number + 1 == PAGES_MAX {
                api::warn_of_gap(errand);
            }
        }
        Ok(Visited {
            is_unchanged: drafts.is_empty(),
            items: draft::items(errand.source, drafts),
            mark: Mark::of(&Known { newest }),
            moved: None,
            wait: None,
            bytes,
        })
    }

    fn page(&self, after: Option<&str>) -> Url {
        let mut url = self.url.clone();
        let mut query = url.query_pairs_mut();
        // Without `raw_json`, text is escaped as for HTML of 2010.
        query.append_pair("raw_json", "1").append_pair("limit", PAGE_ITEMS);
        if let Some(after) = after {
            query.append_pair("after", after);
        }
        drop(query);
        url
    }
}

fn number_of(post: &Value) -> Option<u64> {
    u64::from_str_radix(text(post, "id")?, 36).ok()
}

fn is_known(post: &Value, newest: Option<u64>) -> bool {
    // A post that a moderator has pinned stands before newer ones.
    let is_pinned = post.get("stickied").and_then(Value::as_bool) == Some(true);
    newest.is_some_and(|newest| number_of(post).is_some_and(|number| number <= newest)) && !is_pinned
}

fn draft(post: &Value) -> Draft {
    let base: Url = USUAL_BASE.parse().expect("an address");
    let target = text(post, "url").and_then(|url| base.join(url).ok());
    let target = target.filter(|url| matches!(url.scheme(), "http" | "https"));
    let link = text(post, "permalink").and_then(|path| base.join(path).ok());
    let is_own = post.get("is_self").and_then(Value::as_bool) == Some(true);
    let own = text(post, "selftext_html").and_then(|html| words::Cleaner::new(&base).clean(html));
    let pointer = target.as_ref().filter(|_| !is_own).and_then(|target| {
        let address = words::escape(target.as_str());
        words::clean(&format!("<a href=\"{address}\">{address}</a>"))
    });
    let created = post.get("created_utc").and_then(Value::as_f64);
    Draft {
        key: text(post, "name").or_else(|| text(post, "id")).map(str::to_owned),
        title: text(post, "title").map(str::to_owned),
        link: link.or(target),
        author: text(post, "author").map(str::to_owned),
        // Whole seconds; what is no number of them is no date.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast saturates, and the calendar refuses what is far off"
        )]
        published: created.and_then(|seconds| Timestamp::from_second(seconds as i64).ok()),
        updated: None,
        summary_html: None,
        content_html: own.or(pointer),
        tags: text(post, "link_flair_text").map(str::to_owned).into_iter().collect(),
        attachments: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pinned_post_is_no_sign_that_the_rest_is_known() {
        let post = |id: &str, stickied: bool| json!({ "id": id, "stickied": stickied });
        let newest = u64::from_str_radix("1abc", 36).ok();
        assert!(is_known(&post("1abc", false), newest));
        assert!(is_known(&post("1abb", false), newest));
        assert!(!is_known(&post("1abd", false), newest));
        assert!(!is_known(&post("1abb", true), newest));
        assert!(!is_known(&post("not base 36", false), newest));
        assert!(!is_known(&post("1abb", false), None));
    }
}
