//! Each dialect as it is documented, then what no server should send.

use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

const DATE: (&str, &str) = ("date", "Thu, 26 Nov 2026 21:00:00 GMT");
/// What `DATE` is in seconds since 1970.
const DATE_EPOCH: i64 = 1_795_726_800;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

/// Our clock, an hour behind the server's.
fn here() -> Timestamp {
    Timestamp::from_second(DATE_EPOCH - 3_600).unwrap()
}

fn seconds(status: u16, pairs: &[(&str, &str)]) -> Option<(u64, bool)> {
    let word = word(StatusCode::from_u16(status).unwrap(), &headers(pairs), here())?;
    Some((word.wait.as_secs(), word.is_stop))
}

#[test]
fn the_date_of_these_tests_is_what_it_says() {
    assert_eq!(date(&headers(&[DATE]), "date"), Timestamp::from_second(DATE_EPOCH).ok());
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    assert_eq!(seconds(429, &[("retry-after", "120")]), Some((120, true)));
    assert_eq!(seconds(503, &[DATE, ("retry-after", "Thu, 26 Nov 2026 21:02:00 GMT")]), Some((120, true)));
    // The server's clock is an hour ahead of ours, and its date is taken by its own clock.
    assert_eq!(seconds(503, &[("retry-after", "Thu, 26 Nov 2026 20:02:00 GMT")]), Some((120, true)));
    assert_eq!(seconds(429, &[DATE, ("retry-after", "Thu, 26 Nov 2026 20:00:00 GMT")]), Some((0, true)));
    assert_eq!(seconds(200, &[("retry-after", "120")]), None);
}

#[test]
fn mastodon_resets_at_a_time_of_day() {
    let limits = |remaining| {
        [
            DATE,
            ("x-ratelimit-limit", "300"),
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset", "2026-11-26T21:05:00.123456Z"),
        ]
    };
    assert_eq!(seconds(429, &limits("0")), Some((300, true)));
    assert_eq!(seconds(200, &limits("0")), Some((300, true)));
    assert_eq!(seconds(200, &limits("100")), Some((3, false)));
}

#[test]
fn x_resets_at_a_second_since_1970() {
    let reset = (DATE_EPOCH + 900).to_string();
    let limits =
        |remaining| [DATE, ("x-rate-limit-remaining", remaining), ("x-rate-limit-reset", reset.as_str())];
    assert_eq!(seconds(429, &limits("0")), Some((900, true)));
    assert_eq!(seconds(200, &limits("450")), Some((2, false)));
}

#[test]
fn reddit_resets_in_seconds_and_counts_in_fractions() {
    let limits = |remaining| {
        [("x-ratelimit-used", "4"), ("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", "417")]
    };
    assert_eq!(seconds(200, &limits("96.0")), Some((4, false)));
    assert_eq!(seconds(429, &limits("0.4")), Some((417, true)));
}

#[test]
fn the_draft_of_a_standard_resets_in_seconds() {
    assert_eq!(seconds(200, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "10")]), Some((10, true)));
}

#[test]
fn a_clock_that_is_wrong_by_an_hour_does_no_harm() {
    // Both servers are wrong, the one by an hour too little and the other by an hour too much; both say 900 seconds.
    for skew in [-3_600, 3_600] {
        let there = Timestamp::from_second(DATE_EPOCH + skew).unwrap();
        let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&there).unwrap();
        let reset = (DATE_EPOCH + skew + 900).to_string();
        let limits =
            [("date", date.as_str()), ("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", &reset)];
        assert_eq!(seconds(429, &limits), Some((900, true)), "{skew}");
    }
}

#[test]
fn resets_in_the_past_or_far_off_are_bounded() {
    let limits = |reset| [DATE, ("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", reset)];
    let past = (DATE_EPOCH - 3_600).to_string();
    assert_eq!(seconds(429, &limits(&past)), Some((UNSAID.as_secs(), true)));
    for far in ["4102444800", "99999999999999", "9e99", "1e400", "3000-01-01T00:00:00Z"] {
        let (wait, _) = seconds(429, &limits(far)).unwrap();
        assert!(wait <= RESET_MAX.as_secs(), "{far}: {wait}");
    }
    assert_eq!(seconds(429, &[("retry-after", "999999999999")]), Some((RETRY_AFTER_MAX.as_secs(), true)));
}

#[test]
fn a_429_without_a_word_still_has_a_pause_and_a_200_without_one_has_none() {
    assert_eq!(seconds(429, &[]), Some((UNSAID.as_secs(), true)));
    assert_eq!(seconds(429, &[("retry-after", "soon")]), Some((UNSAID.as_secs(), true)));
    assert_eq!(seconds(200, &[DATE]), None);
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "date",
        "retry-after",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-rate-limit-remaining",
        "x-rate-limit-reset",
        "ratelimit-remaining",
        "ratelimit-reset",
    ])
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i32>().prop_map(|second| Timestamp::from_second(second.into()).unwrap().to_string()),
        Just(DATE.1.to_owned()),
    ]
}

proptest! {
    #[test]
    fn whatever_is_said_no_wait_is_longer_than_its_bound(
        status in 100_u16..600,
        pairs in prop::collection::vec((name(), value()), 0..8),
        here in -60_000_000_000_i64..200_000_000_000,
    ) {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let here = Timestamp::from_second(here).unwrap();
        if let Some(word) = word(StatusCode::from_u16(status).unwrap(), &headers(&pairs), here) {
            prop_assert!(word.wait <= RETRY_AFTER_MAX);
            prop_assert!(word.is_stop || word.wait <= PACE_MAX);
        }
    }
}
