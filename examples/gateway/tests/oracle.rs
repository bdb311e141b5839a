//! What the answer must be, told from the description and not from the code.
//!
//! It knows words on the wire and nothing of the gateway's types. Where a required part fails, the page is answered at
//! once, so the other parts may or may not have been waited for: the oracle allows both, and nothing else.

use serde_json::{Value, json};

use crate::support::{Answer, NAMES};

/// One question: what the parts are to the page, how their upstreams feel, and whether there was a good page before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) needs: [&'static str; 3],
    pub(crate) states: [&'static str; 3],
    pub(crate) is_warm: bool,
}

/// The value of each part when its upstream is well.
const VALUES: [&str; 3] =
    [r#"{"name":"Anna","since":2019}"#, r#"{"in_stock":3}"#, r#"["violin","music stand"]"#];

/// The code under which a state is reported, and how often the upstream is asked in it.
const FAULTS: [(&str, &str, u64); 7] = [
    ("ok", "", 1),
    ("slow", "timeout", 1),
    ("5xx", "server_error", 2),
    ("hang", "timeout", 1),
    ("garbage", "malformed", 1),
    ("huge", "too_large", 1),
    ("panic", "panicked", 1),
];

fn fault(state: &str) -> (&'static str, u64) {
    let row = FAULTS.iter().find(|(name, ..)| *name == state);
    row.map_or_else(|| panic!("the oracle knows no state {state}"), |(_, code, asks)| (*code, *asks))
}

impl Question {
    /// What stands in for a part without a fresh value.
    fn stand_in(&self, index: usize) -> &'static str {
        match (self.is_warm, self.needs[index]) {
            (true, _) => "stale",
            (false, "fallback") => "fallback",
            (false, _) => "missing",
        }
    }

    fn is_well(&self, index: usize) -> bool {
        self.states[index] == "ok"
    }

    /// Whether the page cannot be, because of this part.
    fn is_fatal(&self, index: usize) -> bool {
        self.needs[index] == "required" && !self.is_well(index) && self.stand_in(index) == "missing"
    }

    /// Holds an answer, and how often each upstream was asked for it, against what must be.
    pub(crate) fn judge(&self, answer: &Answer, asked: [u64; 3]) {
        let parts = answer.parts();
        assert_eq!(parts.len(), 3, "{self:?}: {answer:?}");
        let is_failed = (0..3).any(|index| self.is_fatal(index));
        let is_complete = (0..3).all(|index| self.is_well(index));
        assert_eq!(answer.status, if is_failed { 502 } else { 200 }, "{self:?}: {answer:?}");
        assert_eq!(answer.header("x-gateway-completed"), is_complete.to_string(), "{self:?}: {answer:?}");
        assert_eq!(answer.body["meta"]["completed"], json!(is_complete), "{self:?}: {answer:?}");
        let kept = if is_complete { "private, max-age=60" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), kept, "{self:?}: {answer:?}");
        let mut is_explained = !is_failed;
        for index in 0..3 {
            let (code, asks) = fault(self.states[index]);
            let natural = if self.is_well(index) { ("ok", None) } else { (self.stand_in(index), Some(code)) };
            let unneeded = (self.stand_in(index), Some("not_needed"));
            let is_natural = parts[index] == natural;
            assert!(
                is_natural || is_failed && parts[index] == unneeded,
                "part {index} of {self:?}: {answer:?}"
            );
            assert!(
                asked[index] == asks || is_failed && asked[index] <= asks,
                "{asked:?} for {self:?}: {answer:?}"
            );
            is_explained |= is_natural && self.is_fatal(index);
            self.judge_value(index, parts[index].0, answer);
        }
        assert!(is_explained, "nobody is named as the reason of the 502: {self:?}: {answer:?}");
    }

    fn judge_value(&self, index: usize, status: &str, answer: &Answer) {
        let part = &answer.body["meta"]["parts"][index];
        assert_eq!(part["name"], NAMES[index], "{self:?}: {answer:?}");
        let age = part["age"].as_f64();
        match status {
            "ok" => assert_eq!(age, Some(0.0), "{self:?}: {answer:?}"),
            "stale" => assert!(age.is_some_and(|age| (0.0..60.0).contains(&age)), "{self:?}: {answer:?}"),
            _ => assert_eq!(age, None, "{self:?}: {answer:?}"),
        }
        if answer.status != 200 {
            assert_eq!(answer.body["data"], Value::Null, "{self:?}: {answer:?}");
            return;
        }
        let value = match status {
            "ok" | "stale" => serde_json::from_str(VALUES[index]).unwrap_or_default(),
            "fallback" => json!([]),
            _ => Value::Null,
        };
        assert_eq!(answer.body["data"][NAMES[index]], value, "{self:?}: {answer:?}");
    }
}
