//! A test that must fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `test` and returns what it failed with.
#[track_caller]
pub(crate) fn failure_of(test: impl FnOnce()) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(test)) else { panic!("the test passed") };
    payload
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| payload.downcast_ref::<&str>().copied().unwrap_or("not a text").to_owned())
}

/// That each of `parts` stands in `text`.
#[track_caller]
pub(crate) fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}
