//! X's API v2, and those that speak like it: the posts of a search or of a user.
//!
//! A visit asks for what is newer than the newest post it knows (`since_id`), newest first, page by page along
//! `next_token`.

use futures_util::{FutureExt, future::BoxFuture};
use http::HeaderValue;
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

const USUAL_BASE: &str = "https://api.x.com";
/// What X gives at most.
const PAGE_ITEMS: &str = "100";
/// What is read of its answers.
const NAMES: &[&str] = &[
    "author_id",
    "created_at",
    "data",
    "detail",
    "errors",
    "id",
    "includes",
    "message",
    "meta",
    "next_token",
    "text",
    "title",
    "username",
    "users",
];
const NAME_CHARS_MAX: usize = 15;

/// The kind `x`.
#[derive(Debug)]
pub struct X;

impl Kind for X {
    fn name(&self) -> &'static str {
        "x"
    }

    fn about(&self) -> &'static str {
        "the posts that a `query` finds on X, or those of a `user` (its id); needs a `token`"
    }

    fn read(&self, fields: &Fields<'_>) -> Result<Box<dyn Visit>, Wrong> {
        let mut url = api::base(fields, USUAL_BASE)?;
        let token_parameter = match (fields.text("query")?, fields.text("user")?) {
            (Some(query), None) => {
                url.set_path("/2/tweets/search/recent");
                url.query_pairs_mut().clear().append_pair("query", query);
                "next_token"
            }
            (None, Some(id)) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => {
                url.set_path(&format!("/2/users/{id}/tweets"));
                url.set_query(None);
                "pagination_token"
            }
            (None, Some(_)) => return Err(fields.wrong("user", "is the user's number")),
            _ => return Err(fields.missing("query", "give either a `query` or a `user`")),
        };
        let authorization = api::token(fields)?;
        let authorization =
            authorization.ok_or_else(|| fields.missing("token_env", "X answers nobody without a token"))?;
        Ok(Box::new(Source { url, authorization, token_parameter }))
    }

    fn settings_for(&self, address: &Url) -> Option<Vec<(&'static str, String)>> {
        let address = api::host_of(address, &["x.com", "twitter.com"])?;
        let query = match &address.path_segments()?.collect::<Vec<_>>()[..] {
            ["search"] => address.query_pairs().find(|(name, _)| name == "q")?.1.into_owned(),
            [user] if is_user(user) => format!("from:{user}"),
            _ => return None,
        };
        Some(vec![("query", query), ("token_env", "X_TOKEN".to_owned())])
    }
}

/// Whether it is a name of X's, and no page of its own.
fn is_user(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !matches!(name, "home" | "explore" | "i" | "login" | "search" | "settings")
}

#[derive(Debug)]
struct Source {
    url: Url,
    authorization: HeaderValue,
    /// What the next page's token is called when it is asked for.
    token_parameter: &'static str,
}

/// What is known from the last visit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
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
        let (mut since, mut newest) = (known.newest, known.newest);
        let (mut drafts, mut bytes, mut next) = (Vec::new(), 0, None);
        for number in 0..PAGES_MAX {
            let url = self.page(since, next.as_deref());
            let page = match api::page(errand, &url, Some(&self.authorization), NAMES).await {
                Ok(page) => page,
                // A search knows no post that is older than a week, and refuses to be asked since then.
                Err(Trouble::Refused { .. }) if drafts.is_empty() && since.take().is_some() => continue,
                Err(_) if !drafts.is_empty() => {
                    // There is a gap behind what came, so the next visit walks the same way again.
                    newest = known.newest;
                    break;
                }
                Err(trouble) => return Err(trouble),
            };
            bytes += page.bytes;
            if page.json.get("meta").is_none() {
                let why = format!("{url}: {}", complaint(&page.json));
                return Err(Trouble::Broken { why });
            }
            // Without any post there is no list of them.
            let posts = match page.json.get("data").filter(|posts| posts.is_array()) {
                None => &[],
                posts => api::list(posts, &url)?,
            };
            newest = newest.max(posts.iter().filter_map(|post| text(post, "id")?.parse().ok()).max());
            drafts.extend(posts.iter().map(|post| draft(post, &page.json)));
            next = page.json.pointer("/meta/next_token").and_then(Value::as_str).map(str::to_owned);
            if since.is_none() || next.is_none() {
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

    fn page(&self, newest: Option<u64>, next: Option<&str>) -> Url {
        let mut url = self.url.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("max_results", PAGE_ITEMS);
        query.append_pair("tweet.fields", "created_at,author_id").append_pair("expansions", "author_id");
        if let Some(newest) = newest {
            query.append_pair("since_id", &newest.to_string());
        }
        if let Some(next) = next {
            query.append_pair(self.token_parameter, next);
        }
        drop(query);
        url
    }
}

/// What X says instead of a listing.
fn complaint(json: &Value) -> &str {
    let said = json.pointer("/errors/0/message").or_else(|| json.get("detail")).or_else(|| json.get("title"));
    said.and_then(Value::as_str).unwrap_or("the answer is not the listing that was asked for")
}

fn draft(post: &Value, page: &Value) -> Draft {
    let id = text(post, "id");
    let users = page.pointer("/includes/users").and_then(Value::as_array).into_iter().flatten();
    let mut users = users.filter(|user| text(user, "id") == text(post, "author_id"));
    let link = id.and_then(|id| Url::parse(&format!("https://x.com/i/web/status/{id}")).ok());
    Draft {
        key: id.map(str::to_owned),
        link,
        author: users.next().and_then(|user| text(user, "username")).map(str::to_owned),
        published: text(post, "created_at").and_then(|date| date.parse().ok()),
        content_html: text(post, "text").and_then(|text| words::clean(&words::escape(&words::plain(text)))),
        ..Draft::default()
    }
}
