//! What servers say about how often they want to be asked.
//!
//! Four ways of saying it are understood: `Retry-After` (RFC 9110), Mastodon's and GitHub's `X-RateLimit-*`, X's
//! `x-rate-limit-*`, and the drafted standard's `RateLimit-*`; Reddit shares Mastodon's names. They differ in what they
//! mean by *reset*: a time of day, seconds since 1970, or seconds from now. Which one is meant is told by its form, so
//! nothing has to be configured.
//!
//! Times of day are taken relative to the answer's own `Date`, so that a wrong clock on either side does no harm. What
//! lies in the past says nothing, and no wait is longer than its bound, however far off a reset claims to be.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use jiff::{Timestamp, fmt::rfc2822};

/// The longest wait that a server can ask a source for.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);
/// The longest wait for a quota: the windows of the services we know have 5 to 60 minutes.
pub(super) const RESET_MAX: Duration = Duration::from_secs(3_600);
/// After a 429 that says nothing else.
pub(super) const UNSAID: Duration = Duration::from_secs(60);
/// The longest pause between two requests that is made so that a quota lasts until its reset.
pub(super) const PACE_MAX: Duration = Duration::from_secs(60);

/// Seconds beyond which a number is no length of time any more but a time since 1970.
const EPOCH_SECONDS_MIN: f64 = 1e8;
/// And beyond which it is one in milliseconds.
const EPOCH_MILLIS_MIN: f64 = 1e11;

/// What a quota's three headers begin with.
const FAMILIES: [&str; 3] = ["x-ratelimit", "x-rate-limit", "ratelimit"];

/// What an answer says about the next request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Not before.
    pub(super) wait: Duration,
    /// In which of its words it was said.
    pub(super) why: String,
    /// Nothing at all is let through any more; otherwise it is only the pace.
    pub(super) is_stop: bool,
}

/// Reads an answer's word, if it says any. `here` is our own clock, for answers without a date.
pub(super) fn word(status: StatusCode, headers: &HeaderMap, here: Timestamp) -> Option<Word> {
    let there = date(headers, header::DATE.as_str()).unwrap_or(here);
    let code = status.as_u16();
    let stop = |wait, why| Some(Word { wait, why, is_stop: true });
    if !status.is_success()
        && !status.is_redirection()
        && let Some(wait) = retry_after(headers, here)
    {
        return stop(wait, format!("it answered {code} with Retry-After, {} s", wait.as_secs()));
    }
    let quota = quota(headers, there);
    if let Some(quota) = &quota
        && quota.remaining < 1.0
    {
        let wait = quota.reset.unwrap_or(UNSAID);
        return stop(wait, format!("its quota ({}) is used up for {} s", quota.family, wait.as_secs()));
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return stop(UNSAID, "it answered 429 and did not say until when".to_owned());
    }
    let quota = quota?;
    let wait = Duration::try_from_secs_f64(quota.reset?.as_secs_f64() / quota.remaining).ok()?.min(PACE_MAX);
    let why = format!("its quota ({}) allows {} more requests", quota.family, quota.remaining.floor());
    Some(Word { wait, why, is_stop: false })
}

/// A quota that a server keeps for us.
#[derive(Debug)]
struct Quota {
    family: &'static str,
    /// Reddit counts in fractions.
    remaining: f64,
    reset: Option<Duration>,
}

fn quota(headers: &HeaderMap, there: Timestamp) -> Option<Quota> {
    FAMILIES.into_iter().find_map(|family| {
        let remaining = number(text(headers, &format!("{family}-remaining"))?)?;
        let reset = text(headers, &format!("{family}-reset")).and_then(|reset| until(reset, there));
        Some(Quota { family, remaining, reset })
    })
}

/// What `Retry-After` says: seconds, or a date by the clock of who answers. `here` is our own, for answers without a date.
pub(crate) fn retry_after(headers: &HeaderMap, here: Timestamp) -> Option<Duration> {
    let there = date(headers, header::DATE.as_str()).unwrap_or(here);
    let wait = match text(headers, header::RETRY_AFTER.as_str()).and_then(number) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(RETRY_AFTER_MAX),
        None => from_to(there, date(headers, header::RETRY_AFTER.as_str())?),
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// How long it is until a reset; none where it has passed.
fn until(reset: &str, there: Timestamp) -> Option<Duration> {
    let length = match number(reset) {
        Some(seconds) if seconds < EPOCH_SECONDS_MIN => Duration::try_from_secs_f64(seconds).ok()?,
        Some(since_1970) => {
            let seconds = if since_1970 < EPOCH_MILLIS_MIN { since_1970 } else { since_1970 / 1e3 };
            let since_1970 = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
            // Beyond what a calendar holds is as far off as anything.
            Timestamp::from_duration(since_1970).map_or(RESET_MAX, |reset| from_to(there, reset))
        }
        None => {
            from_to(there, reset.parse().ok().or_else(|| rfc2822::parse(reset).ok()?.timestamp().into())?)
        }
    };
    (!length.is_zero()).then(|| length.min(RESET_MAX))
}

/// The time from one to the other; zero where the other is not later.
fn from_to(there: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(there)).unwrap_or(Duration::ZERO)
}

/// A header's date (RFC 9110, `IMF-fixdate`; the two forms of old are no longer sent by anybody).
pub(super) fn date(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    Some(rfc2822::parse(text(headers, name)?).ok()?.timestamp())
}

/// A number that can be counted with: finite and not negative.
fn number(text: &str) -> Option<f64> {
    // Rust reads words such as `inf` as numbers, which no server means.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|number: &f64| is_plain && number.is_finite())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests;
