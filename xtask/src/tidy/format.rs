//! Whether every Rust file is formatted: also those whose modules a macro declares, which `cargo fmt` does not find.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Finding, Report};
use crate::workspace;

pub(crate) fn check() -> Result<Report> {
    let mut files = workspace::files()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--check", "--files-with-diff"]).args(&files);
    let checked =
        rustfmt.output().context("cannot run rustfmt; `rustup component add rustfmt` installs it")?;
    // What it cannot read at all, the build tells.
    let told = String::from_utf8_lossy(&checked.stdout);
    let findings = told.lines().map(|file| Finding {
        file: Path::new(file).strip_prefix(workspace::root()).unwrap_or(Path::new(file)).to_path_buf(),
        line: 1,
        message: format!("is not formatted; run `rustfmt {file}`"),
    });
    Ok(Report { looked_at: format!("{} Rust files", files.len()), findings: findings.collect() })
}
