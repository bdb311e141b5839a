//! RSS, Atom and JSON feeds.
//!
//! A visit asks only for what has changed (`web::Validators`), and where a server has never heard of that, sees for itself
//! that it got the same again. Then: bytes to text (`charset`), text to a document that can be read (`repair`), document to
//! entries (`read`, `json`), entries to items (`draft`).

mod json;
mod read;
mod repair;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderValue, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use self::read::{Document, Unreadable};
use super::draft;
use crate::{
    charset,
    fields::{Fields, Wrong},
    item::Item,
    source::{Doing, Errand, Kind, Mark, SourceName, Trouble, Visit, Visited, Wait},
    web::{Answer, Request, Validators, compute},
};

const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
    application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1";
/// The longest time for which a feed can ask to be left alone.
const TTL_MAX: Duration = Duration::from_secs(24 * 3_600);
const HOUR_SECONDS: i64 = 3_600;

/// The kind `feed`.
#[derive(Debug)]
pub struct Feed;

impl Kind for Feed {
    fn name(&self) -> &'static str {
        "feed"
    }

    fn about(&self) -> &'static str {
        "an RSS, Atom or JSON feed at `url`, which may hold a user's name and password"
    }

    fn read(&self, fields: &Fields<'_>) -> Result<Box<dyn Visit>, Wrong> {
        let (url, authorization) = without_password(fields.url("url")?);
        Ok(Box::new(Source { url, authorization }))
    }
}

/// The address by itself, and what it said about who asks.
fn without_password(mut url: Url) -> (Url, Option<HeaderValue>) {
    let decoded = |text: &str| percent_decoded(text);
    let user = decoded(url.username());
    let password = url.password().map(decoded).unwrap_or_default();
    if user.is_empty() && password.is_empty() {
        return (url, None);
    }
    let basic = BASE64_STANDARD.encode(format!("{user}:{password}"));
    let mut header = HeaderValue::from_str(&format!("Basic {basic}")).expect("base64 is ASCII");
    header.set_sensitive(true);
    // Both are refused only by addresses without a host, and this has one.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    (url, Some(header))
}

fn percent_decoded(text: &str) -> String {
    // A form's decoding takes `+` for a space, which it is not here.
    let pair = format!("x={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// A configured feed.
#[derive(Debug)]
struct Source {
    url: Url,
    authorization: Option<HeaderValue>,
}

/// What is known of a feed from the last visit.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    validators: Option<Validators>,
    /// Of the body, to know the same one again where the server does not.
    digest: Option<String>,
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
        let is_home = errand.at.origin() == self.url.origin();
        let mut answer = errand
            .web
            .get(Request {
                url: errand.at,
                accept: ACCEPT,
                authorization: self.authorization.clone().filter(|_| is_home),
                known: known.validators.as_ref(),
                progress: errand.progress,
            })
            .await?;
        let Some(body) = answer.body.take() else { return Ok(unchanged(&answer, &known)) };
        let digest = digest(&body);
        let validators = Validators::of(&answer, errand.clock.now());
        let is_same = known.digest.as_ref() == Some(&digest);
        let known = Known { validators, digest: Some(digest) };
        if is_same {
            return Ok(unchanged(&answer, &known));
        }
        errand.progress.set(Doing::Parses);
        let parsed = parse(errand.source, &answer, &self.url, body).await?;
        let parsed = parsed.map_err(|error| Trouble::Broken { why: format!("{}: {error}", answer.url) })?;
        Ok(Visited {
            items: parsed.items,
            mark: Mark::of(&known),
            wait: longest([answer.wish(), ttl(parsed.ttl), skip(&parsed.skip_hours, errand.clock.now())]),
            moved: answer.moved,
            is_unchanged: false,
            bytes: answer.bytes,
        })
    }
}

fn unchanged(answer: &Answer, known: &Known) -> Visited {
    Visited {
        items: Vec::new(),
        mark: Mark::of(known),
        moved: answer.moved.clone(),
        wait: answer.wish(),
        is_unchanged: true,
        bytes: answer.bytes,
    }
}

fn digest(body: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(body))
}

struct Parsed {
    items: Vec<Item>,
    ttl: Option<Duration>,
    skip_hours: Vec<u8>,
}

/// Reads what came. A redirect may lead to an address that is too long for others to be relative to; then the configured one,
/// `home`, stands in.
async fn parse(
    source: &SourceName,
    answer: &Answer,
    home: &Url,
    body: Vec<u8>,
) -> Result<Result<Parsed, Unreadable>, Trouble> {
    let content_type = answer.text(&header::CONTENT_TYPE).map(str::to_owned);
    let has_bounds = answer.url.as_str().len() <= draft::URL_BYTES_MAX;
    let (source, base) = (source.clone(), if has_bounds { &answer.url } else { home }.clone());
    compute(move || {
        let text = charset::decode(&body, content_type.as_deref());
        let Document { drafts, ttl, skip_hours } = read::read(&text, &base)?;
        Ok(Parsed { items: draft::items(&source, drafts), ttl, skip_hours })
    })
    .await
}

/// The items of a feed's bytes, for tests that measure how feeds are read.
///
/// # Errors
///
/// Why it is no feed.
pub fn items(
    source: &SourceName,
    body: &[u8],
    content_type: Option<&str>,
    base: &Url,
) -> Result<Vec<Item>, String> {
    let text = charset::decode(body, content_type);
    let document = read::read(&text, base).map_err(|error| error.to_string())?;
    Ok(draft::items(source, document.drafts))
}

fn longest<const N: usize>(wishes: [Option<Wait>; N]) -> Option<Wait> {
    wishes.into_iter().flatten().max_by_key(|wait| wait.length)
}

fn ttl(ttl: Option<Duration>) -> Option<Wait> {
    let length = ttl?.min(TTL_MAX);
    let why = format!("its ttl is {} minutes", length.as_secs() / 60);
    (!length.is_zero()).then_some(Wait { length, why })
}

/// The time until the next hour in which it may be asked. A feed that wants to be skipped all day means something else.
fn skip(hours: &[u8], now: Timestamp) -> Option<Wait> {
    let now = now.as_second();
    let is_skipped = |hour: i64| hours.iter().any(|skipped| i64::from(skipped % 24) == hour.rem_euclid(24));
    let hour = now.div_euclid(HOUR_SECONDS);
    let open = (hour..hour + 24).find(|hour| !is_skipped(*hour))?;
    let length = Duration::from_secs(u64::try_from(open * HOUR_SECONDS - now).unwrap_or_default());
    (!length.is_zero()).then(|| Wait { length, why: "its skipHours name this hour".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_address_becomes_a_header_and_is_shown_nowhere() {
        let (url, header) = without_password("https://me%40x:p%3Aw+d@a.example/feed".parse().unwrap());
        let header = header.unwrap();
        assert_eq!(url.as_str(), "https://a.example/feed");
        assert_eq!(header, format!("Basic {}", BASE64_STANDARD.encode("me@x:p:w+d")));
        assert!(!format!("{header:?}").contains("Basic"));
        assert_eq!(without_password("https://a.example/".parse().unwrap()).1, None);
    }

    #[test]
    fn hours_to_skip_are_waited_out_to_their_end() {
        let at = |time: &str| format!("2026-11-26T{time}Z").parse::<Timestamp>().unwrap();
        let wait = |hours: &[u8], time| skip(hours, at(time)).map(|wait| wait.length.as_secs());
        assert_eq!(wait(&[23, 0, 1], "23:30:00"), Some(2 * 3_600 + 1_800));
        assert_eq!(wait(&[24], "00:59:59"), Some(1));
        assert_eq!(wait(&[1], "00:30:00"), None);
        assert_eq!(wait(&(0..24).collect::<Vec<_>>(), "00:30:00"), None);
    }

    #[test]
    fn the_longest_wish_counts() {
        let wish = |seconds| Some(Wait { length: Duration::from_secs(seconds), why: String::new() });
        assert_eq!(longest([wish(1), None, wish(3), wish(2)]), wish(3));
        assert_eq!(ttl(Some(Duration::from_secs(600))).unwrap().why, "its ttl is 10 minutes");
        assert_eq!(ttl(Some(Duration::ZERO)), None);
        assert_eq!(ttl(Some(Duration::from_secs(u64::MAX))).unwrap().length, TTL_MAX);
    }
}
