//! What a server gave, and what it says about asking again.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::source::Wait;

/// Of one validator; a longer one is not kept.
const VALIDATOR_BYTES_MAX: usize = 1_024;
/// A validator that may miss a change is trusted for so long; then everything is fetched once.
const WEAK_TRUST: SignedDuration = SignedDuration::from_hours(24);
/// What a server can wish for the next visit, at least to be worth mentioning, and at most.
const FRESH: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3_600));

/// A good answer.
#[derive(Debug)]
pub struct Answer {
    /// Where it came from, after all redirects.
    pub url: Url,
    /// The same, where every redirect on the way was for good.
    pub moved: Option<Url>,
    pub headers: HeaderMap,
    /// Unpacked. `None`: nothing has changed since the validators that were sent (304).
    pub body: Option<Vec<u8>>,
    /// What came over the network of the body.
    pub bytes: u64,
}

impl Answer {
    /// The server's wish about the next visit: its `Cache-Control: max-age`, less the time the answer has been on its way.
    pub fn wish(&self) -> Option<Wait> {
        let seconds = |text: &str| text.trim().trim_matches('"').parse().ok().map(Duration::from_secs);
        let control = self.text(&header::CACHE_CONTROL)?;
        let max_age = control.split(',').find_map(|part| seconds(part.trim().strip_prefix("max-age=")?))?;
        let age = self.text(&header::AGE).and_then(seconds).unwrap_or_default();
        let length = max_age.saturating_sub(age).min(FRESH.1);
        let why = format!("its Cache-Control says that it is fresh for {} s", length.as_secs());
        (length >= FRESH.0).then_some(Wait { length, why })
    }

    /// A header's text, where it is ASCII.
    pub fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// With what to ask "has it changed since?" (RFC 9110, 13.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// Whose they are. A redirect may lead elsewhere the next time, and there they mean nothing.
    url: Url,
    etag: Option<String>,
    last_modified: Option<String>,
    /// When the whole answer came that they stand for.
    at: Timestamp,
}

impl Validators {
    /// Those of a whole answer, if it has any.
    pub fn of(answer: &Answer, now: Timestamp) -> Option<Self> {
        let kept = |name| {
            let text = answer.text(&name)?;
            (!text.is_empty() && text.len() <= VALIDATOR_BYTES_MAX).then(|| text.to_owned())
        };
        let (etag, last_modified) = (kept(header::ETAG), kept(header::LAST_MODIFIED));
        let has_any = etag.is_some() || last_modified.is_some();
        has_any.then(|| Self { url: answer.url.clone(), etag, last_modified, at: now })
    }

    /// The headers to send to this address now. None where they would not be understood, or are too weak to be trusted
    /// any longer.
    pub(super) fn headers_for(&self, url: &Url, now: Timestamp) -> Vec<(HeaderName, &str)> {
        if self.url != *url || (self.is_weak() && !self.is_recent(now)) {
            return Vec::new();
        }
        let etag = self.etag.as_deref().map(|etag| (header::IF_NONE_MATCH, etag));
        let since = self.last_modified.as_deref().map(|date| (header::IF_MODIFIED_SINCE, date));
        etag.into_iter().chain(since).collect()
    }

    /// Whether there may be a change that they do not show: a weak tag stands for what is much the same, and a date for
    /// all that was written within its second.
    fn is_weak(&self) -> bool {
        self.etag.as_deref().is_none_or(|etag| etag.starts_with("W/"))
    }

    /// A clock that was set back makes them old, so that it costs one whole answer and hides nothing.
    fn is_recent(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        (SignedDuration::ZERO..WEAK_TRUST).contains(&age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(HeaderName, &'static str)]) -> Answer {
        let value = |(name, text): &(HeaderName, &'static str)| (name.clone(), text.parse().unwrap());
        Answer {
            url: "https://a.example/feed".parse().unwrap(),
            moved: None,
            headers: headers.iter().map(value).collect(),
            body: Some(Vec::new()),
            bytes: 0,
        }
    }

    fn sent(etag: &'static str, age: SignedDuration) -> usize {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1_000);
        let validators = Validators::of(&answer(&[(header::ETAG, etag)]), now - age).unwrap();
        validators.headers_for(&"https://a.example/feed".parse().unwrap(), now).len()
    }

    #[test]
    fn weak_validators_are_trusted_for_a_day_and_strong_ones_for_ever() {
        assert_eq!(sent("\"strong\"", SignedDuration::from_hours(1_000)), 1);
        assert_eq!(sent("W/\"weak\"", SignedDuration::from_hours(23)), 1);
        assert_eq!(sent("W/\"weak\"", SignedDuration::from_hours(25)), 0);
        assert_eq!(sent("W/\"weak\"", SignedDuration::from_hours(-1)), 0);
    }

    #[test]
    fn validators_are_told_only_to_the_address_that_gave_them() {
        let now = Timestamp::UNIX_EPOCH;
        let validators = Validators::of(&answer(&[(header::ETAG, "\"1\"")]), now).unwrap();
        assert!(validators.headers_for(&"https://a.example/other".parse().unwrap(), now).is_empty());
        assert_eq!(Validators::of(&answer(&[]), now), None);
    }

    #[test]
    fn a_wish_is_what_remains_of_the_freshness_within_bounds() {
        let wish = |headers: &[_]| answer(headers).wish().map(|wait| wait.length.as_secs());
        let control = header::CACHE_CONTROL;
        assert_eq!(wish(&[(control.clone(), "public, max-age=600")]), Some(600));
        assert_eq!(wish(&[(control.clone(), "max-age=600"), (header::AGE, "200")]), Some(400));
        assert_eq!(wish(&[(control.clone(), "max-age=99999999")]), Some(86_400));
        assert_eq!(wish(&[(control.clone(), "max-age=0")]), None);
        assert_eq!(wish(&[(control, "no-cache, max-age=x")]), None);
    }
}
