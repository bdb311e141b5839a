//! Whether every listed conformance case has its test.
//!
//! A case is a row of a table in `docs/conformance.md`; its test is a function whose name begins with the case's
//! number, anywhere in Ballet's sources or tests. One case, one test, and no number that is not listed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{Finding, Report};

const LIST: &str = "docs/conformance.md";

const SOURCES: [&str; 2] = ["crates/ballet/src", "crates/ballet/tests"];

/// A file and a line of it.
type Place = (PathBuf, usize);

/// Cases or tests by their numbers.
type Numbered = BTreeMap<u32, Vec<Place>>;

/// Compares the list with the tests, both ways.
pub(crate) fn check() -> Result<Report> {
    let text = fs::read_to_string(LIST).with_context(|| format!("cannot read {LIST}"))?;
    let mut cases = Numbered::new();
    number(&text, Path::new(LIST), case, &mut cases);
    ensure!(!cases.is_empty(), "{LIST} lists no case");
    let mut tests = Numbered::new();
    for folder in SOURCES {
        read_tests(Path::new(folder), &mut tests)?;
    }
    let looked_at = format!("{} conformance cases, {} numbered tests", cases.len(), tests.len());
    Ok(Report { looked_at, findings: compare(&cases, &tests) })
}

fn read_tests(folder: &Path, tests: &mut Numbered) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
        if path.is_dir() {
            read_tests(&path, tests)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            number(&text, &path, test, tests);
        }
    }
    Ok(())
}

/// Enters each line of `text` in which `find` finds a number.
fn number(text: &str, file: &Path, find: fn(&str) -> Option<u32>, into: &mut Numbered) {
    for (index, line) in text.lines().enumerate() {
        if let Some(number) = find(line) {
            into.entry(number).or_default().push((file.to_path_buf(), index + 1));
        }
    }
}

/// The number of the case that a row of the list begins with.
fn case(line: &str) -> Option<u32> {
    let (number, _) = line.strip_prefix("| C")?.split_once(' ')?;
    number.parse().ok()
}

/// The number that the name of a function begins with.
fn test(line: &str) -> Option<u32> {
    let line = line.trim_start();
    let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn c")?;
    let (number, _) = name.split_once('_')?;
    number.parse().ok()
}

fn compare(cases: &Numbered, tests: &Numbered) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |place: &Place, message: String| {
        findings.push(Finding { file: place.0.clone(), line: place.1, message });
    };
    for (number, rows) in cases {
        rows.iter().skip(1).for_each(|row| find(row, format!("C{number:02} is listed twice: keep one row")));
        if !tests.contains_key(number) {
            find(
                &rows[0],
                format!("C{number:02} has no test: write one whose name begins with c{number:02}_"),
            );
        }
    }
    for (number, places) in tests {
        places.iter().skip(1).for_each(|place| {
            find(place, format!("a second test of C{number:02}: keep one, or give it a name of its own"));
        });
        if !cases.contains_key(number) {
            find(&places[0], format!("C{number:02} is not listed: give it a row in {LIST}"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(list: &str, tests: &str) -> Vec<String> {
        let (mut cases, mut numbered) = (Numbered::new(), Numbered::new());
        number(list, Path::new("list.md"), case, &mut cases);
        number(tests, Path::new("t.rs"), test, &mut numbered);
        compare(&cases, &numbered).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_listed_case_with_its_test_is_in_order() {
        let tests = "async fn c05_the_error_comes_last() {\n    fn c06_inside() {}\nfn cut_05_is_no_case() {";
        assert!(findings("| Case | Promise |\n|---|---|\n| C05 | x |\n| C06 | y |", tests).is_empty());
    }

    #[test]
    fn a_case_without_a_test_is_found() {
        assert_eq!(
            findings("| C05 | x |", ""),
            ["list.md:1: C05 has no test: write one whose name begins with c05_"]
        );
    }

    #[test]
    fn a_second_test_and_a_number_that_is_not_listed_are_found() {
        let found = findings("| C05 | x |", "fn c05_a() {\nfn c05_b() {\nfn c06_c() {");
        assert!(found[0].starts_with("t.rs:2: a second test of C05"), "{found:?}");
        assert!(found[1].starts_with("t.rs:3: C06 is not listed"), "{found:?}");
    }
}
