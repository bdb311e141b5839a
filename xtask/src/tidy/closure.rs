//! How much a user of the library takes in: the crates ballet needs, counted.
//!
//! `cargo tree` resolves the features a plain `ballet = "…"` would get, for this platform, procedural macros and
//! what they need included, tests and build scripts not.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::{Finding, Report};
use crate::process;

/// The design's promise: under 25.
const CRATES_MAX: usize = 24;

const MANIFEST: &str = "crates/ballet/Cargo.toml";

/// Counts the crates.
pub(crate) fn check() -> Result<Report> {
    let arguments =
        ["tree", "--package", "ballet", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let text = process::output(process::cargo().args(arguments))?;
    let crates = crates(&text, "ballet");
    ensure!(!crates.is_empty(), "`cargo tree` names no dependency of ballet");
    let findings = judge(&crates).into_iter().collect();
    let list: Vec<_> = crates.iter().map(String::as_str).collect();
    let looked_at =
        format!("ballet needs {} crates of {CRATES_MAX} at most: {}", list.len(), list.join(", "));
    Ok(Report { looked_at, findings })
}

/// The names and versions in a flat tree, without the package itself.
fn crates(tree: &str, package: &str) -> BTreeSet<String> {
    let lines = tree.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>());
    lines
        .filter(|words| words.first().is_some_and(|name| *name != package))
        .map(|words| words.join(" "))
        .collect()
}

fn judge(crates: &BTreeSet<String>) -> Option<Finding> {
    let message = format!(
        "ballet needs {} crates, {CRATES_MAX} are promised at most: remove a dependency, or a feature of one \
         (`cargo tree --package ballet --edges normal` shows who brings what)",
        crates.len()
    );
    (crates.len() > CRATES_MAX).then(|| Finding { file: MANIFEST.into(), line: 1, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_counted_once_and_the_package_not_at_all() {
        let tree =
            "ballet v0.1.0 (/x)\ntokio v1.51.0\nmio v1.0.0\n\ntokio v1.51.0 (*)\nsyn v3.0.0 (proc-macro)\n";
        let expected = ["mio v1.0.0", "syn v3.0.0", "tokio v1.51.0"].map(str::to_owned);
        assert_eq!(crates(tree, "ballet"), BTreeSet::from(expected));
    }

    #[test]
    fn one_crate_too_many_is_found() {
        let many = |count: usize| (0..count).map(|index| format!("crate-{index} v1.0.0")).collect();
        assert!(judge(&many(CRATES_MAX)).is_none());
        assert!(judge(&many(CRATES_MAX + 1)).unwrap().message.contains("needs 25 crates"));
    }
}
