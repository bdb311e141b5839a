//! What the kinds that read JSON APIs share: the token, the request, the page.

use http::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use super::pruned;
use crate::{
    fields::{Fields, Wrong},
    source::{Doing, Errand, Trouble},
    web::{Request, compute},
};

/// Pages of one visit; where there are more, the visit says so in the log.
pub(super) const PAGES_MAX: usize = 10;

/// Of one page. They give 100 at most, with at most 40 kB of text in each.
const POSTS_MAX: usize = 1_000;
const BYTES_MAX: usize = 8 << 20;
/// Of what is kept of one page; a post has 20 or so.
const VALUES_MAX: usize = 100_000;

/// One page of an API's answer.
pub(super) struct Page {
    pub(super) json: Value,
    pub(super) headers: HeaderMap,
    pub(super) bytes: u64,
}

/// Asks for a page, of whose JSON members with these names are kept. One that is far larger than any that was ever asked for
/// is no good as a whole: whoever took a part of it would not know where to go on.
pub(super) async fn page(
    errand: &Errand<'_>,
    url: &Url,
    authorization: Option<&HeaderValue>,
    names: &'static [&'static str],
) -> Result<Page, Trouble> {
    let request = Request {
        url,
        accept: "application/json",
        authorization: authorization.cloned(),
        known: None,
        progress: errand.progress,
    };
    let answer = errand.web.get(request).await?;
    errand.progress.set(Doing::Parses);
    let body = answer.body.unwrap_or_default();
    if body.len() > BYTES_MAX {
        let why = format!("{}: the answer is larger than {BYTES_MAX} bytes", answer.url);
        return Err(Trouble::Broken { why });
    }
    let json = compute(move || pruned::read(&body, names, VALUES_MAX)).await?;
    let json = json.map_err(|error| {
        let came = if error.is_data() { "the answer is too large" } else { "no JSON came" };
        Trouble::Broken { why: format!("{}: {came}: {error}", answer.url) }
    })?;
    Ok(Page { json, headers: answer.headers, bytes: answer.bytes })
}

/// The header of the token that is configured as `token` or, better, in the variable that `token_env` names.
pub(super) fn token(fields: &Fields<'_>) -> Result<Option<HeaderValue>, Wrong> {
    let Some(token) = fields.secret("token", "token_env")? else { return Ok(None) };
    let header = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
    let mut header = header.map_err(|_| fields.wrong("token", "has characters that no header can carry"))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

/// The server of the API: where `base` is not given, the usual one.
pub(super) fn base(fields: &Fields<'_>, usual: &str) -> Result<Url, Wrong> {
    let base = fields.optional_url("base")?;
    Ok(base.unwrap_or_else(|| usual.parse().expect("the usual server's address is one")))
}

/// An address of one of these domains, or below one.
pub(super) fn host_of<'a>(address: &'a Url, domains: &[&str]) -> Option<&'a Url> {
    let host = address.domain()?;
    let is_below =
        |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    domains.iter().any(is_below).then_some(address)
}

/// A list of posts, or an error that shows what came instead.
pub(super) fn list<'a>(of: Option<&'a Value>, url: &Url) -> Result<&'a [Value], Trouble> {
    let broken = |why| Trouble::Broken { why: format!("{url}: {why}") };
    let posts = of.and_then(Value::as_array);
    let posts = posts.ok_or_else(|| broken("the answer is not the listing that was asked for".to_owned()))?;
    if posts.len() > POSTS_MAX {
        return Err(broken(format!("the page has more than {POSTS_MAX} posts")));
    }
    Ok(posts)
}

/// A text that stands under a key.
pub(super) fn text<'a>(of: &'a Value, key: &str) -> Option<&'a str> {
    of.get(key)?.as_str()
}

/// Tells in the log that a visit stopped before it had everything.
pub(super) fn warn_of_gap(errand: &Errand<'_>) {
    tracing::warn!(source = %errand.source, "there is more since the last visit than {PAGES_MAX} pages; what is older is left out");
}
