//! What compilers do not check: the shape of the project.
//!
//! Each check is a module that returns findings; a finding names a place and the remedy. The tables of what is
//! allowed stand at the top of `arrows.rs` (Ballet's modules), `packages.rs` (the workspace's packages) and
//! `closure.rs` (the library's dependencies); they mirror the design, and changing one is a design change. The list of
//! conformance cases is a document, `docs/conformance.md`.

mod arrows;
mod closure;
mod conformance;
mod edges;
mod format;
mod links;
mod markdown;
mod packages;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::workspace;

/// One thing to mend.
#[derive(Debug)]
struct Finding {
    file: PathBuf,
    line: usize,
    /// What is wrong and what to do instead.
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// What one check looked at and what it found.
struct Report {
    /// In numbers, so that a check that looks at nothing shows.
    looked_at: String,
    findings: Vec<Finding>,
}

/// Runs all checks and fails if any found something.
pub(crate) fn run() -> Result<()> {
    let metadata = workspace::metadata()?;
    let reports = [
        ("arrows", arrows::check()?),
        ("packages", packages::check(&metadata)?),
        ("closure", closure::check()?),
        ("conformance", conformance::check()?),
        ("links", links::check()?),
        ("format", format::check()?),
    ];
    let mut count = 0;
    for (name, report) in &reports {
        println!("tidy: {name:<11} {}", report.looked_at);
        report.findings.iter().for_each(|finding| println!("{finding}"));
        count += report.findings.len();
    }
    if count == 0 {
        return Ok(());
    }
    bail!("tidy found {count} thing(s) to mend, listed above")
}
