//! Which of Ballet's modules may use which.
//!
//! The table mirrors the design: lifecycle → supervise → scope → job → context → dispatch, and flow → channel → scope,
//! since a producer is a child. A module may use whatever lies below it. `sync` and `observe` are the bottom, `testing`
//! the top. `edges.rs` reads what the modules do use.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::edges::{self, Edge};
use super::{Finding, Report};

const LIBRARY: &str = "crates/ballet/src/lib.rs";

/// A module and those directly below it.
struct Module {
    name: &'static str,
    below: &'static [&'static str],
}

/// From the bottom to the top. A row names only rows above it in this table, so there can be no cycle.
const MODULES: [Module; 12] = [
    Module { name: "sync", below: &[] },
    Module { name: "observe", below: &["sync"] },
    Module { name: "dispatch", below: &["observe"] },
    Module { name: "context", below: &["dispatch"] },
    Module { name: "job", below: &["context"] },
    Module { name: "scope", below: &["job"] },
    Module { name: "supervise", below: &["scope"] },
    Module { name: "lifecycle", below: &["supervise"] },
    Module { name: "channel", below: &["scope"] },
    Module { name: "flow", below: &["scope", "channel"] },
    Module { name: "testing", below: &["lifecycle", "flow"] },
    // Where the attribute macros enter: part of the facade, like the crate's root.
    Module { name: "__private", below: &["testing"] },
];

/// Checks every use of one module by another.
pub(crate) fn check() -> Result<Report> {
    let edges = edges::read(Path::new(LIBRARY), "ballet")?;
    let between: BTreeSet<_> = edges.iter().map(|edge| (&edge.from, &edge.to)).collect();
    let arrows: Vec<_> = between.iter().map(|(from, to)| format!("{from} → {to}")).collect();
    Ok(Report {
        looked_at: format!("{} uses between ballet's modules: {}", edges.len(), arrows.join(", ")),
        findings: edges.iter().filter_map(judge).collect(),
    })
}

fn judge(edge: &Edge) -> Option<Finding> {
    let Edge { from, to, file, line } = edge;
    let message = if module(from).is_none() {
        format!(
            "`{from}` is not one of ballet's modules: put the code into one of them, or change the design and \
             the table in xtask/src/tidy/arrows.rs"
        )
    } else if module(to).is_none() {
        format!(
            "`{from}` uses `{to}` through the crate's root, which hides the arrow: name the module that owns it \
             (`crate::module::…`)"
        )
    } else if below(from).contains(to.as_str()) {
        return None;
    } else {
        let allowed: Vec<_> = below(from).into_iter().collect();
        let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
        format!(
            "`{from}` may not use `{to}` (it may use: {allowed}). Move the shared part down, or hand it in from \
             above; a new arrow is a design change in xtask/src/tidy/arrows.rs"
        )
    };
    Some(Finding { file: file.clone(), line: *line, message })
}

fn module(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.name == name)
}

/// Everything that lies below a module.
fn below(name: &str) -> BTreeSet<&'static str> {
    let direct = module(name).map_or(&[][..], |module| module.below);
    direct.iter().flat_map(|name| below(name).into_iter().chain([*name])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(from: &str, to: &str) -> Option<String> {
        let edge = Edge { from: from.into(), to: to.into(), file: "src/x.rs".into(), line: 7 };
        judge(&edge).map(|finding| finding.to_string())
    }

    #[test]
    fn rows_name_only_rows_above_them_so_that_no_cycle_can_be_written() {
        for (index, module) in MODULES.iter().enumerate() {
            for name in module.below {
                let stands_above = MODULES[..index].iter().any(|other| other.name == *name);
                assert!(stands_above, "{} names {name}, which is not above it", module.name);
            }
        }
    }

    #[test]
    fn a_module_may_use_whatever_lies_below_it() {
        for (from, to) in [
            ("lifecycle", "dispatch"),
            ("scope", "context"),
            ("flow", "job"),
            ("channel", "scope"),
            ("testing", "lifecycle"),
            ("testing", "flow"),
        ] {
            assert_eq!(verdict(from, to), None, "{from} → {to}");
        }
    }

    #[test]
    fn an_arrow_upwards_or_sideways_is_found_with_its_place_and_remedy() {
        for (from, to) in [
            ("job", "scope"),
            ("dispatch", "context"),
            ("observe", "dispatch"),
            ("scope", "channel"),
            ("lifecycle", "flow"),
            ("scope", "testing"),
        ] {
            let finding = verdict(from, to).unwrap();
            assert!(finding.starts_with(&format!("src/x.rs:7: `{from}` may not use `{to}`")), "{finding}");
            assert!(finding.contains("Move the shared part down"), "{finding}");
        }
    }

    #[test]
    fn names_at_the_root_and_unknown_modules_are_found() {
        assert!(verdict("scope", "Failure").unwrap().contains("through the crate's root"));
        assert!(verdict("util", "job").unwrap().contains("is not one of ballet's modules"));
    }
}
