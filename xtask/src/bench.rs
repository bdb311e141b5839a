//! Benchmarks: runs one as the program it is, prints its rows as a table, writes them as JSON.
//!
//! A benchmark stands in `benches/NAME` as the package `bench-NAME` and prints an array of rows to standard
//! output. A missed goal is a result, not a failure of the command; the table and `ok` say it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bench_report::Row;

use crate::{process, setup};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A folder of `benches/`, such as `scope`.
    name: String,
    /// Also write the rows to this file, as a JSON array.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs one benchmark in the release profile.
pub(crate) fn run(options: &Options) -> Result<()> {
    let name = &options.name;
    ensure!(
        Path::new("benches").join(name).join("src/main.rs").is_file(),
        "there is no benchmark `{name}`: each is a folder of benches/ with a program in it"
    );
    setup::for_benchmark(name)?;
    build_measured(name)?;
    let package = format!("bench-{name}");
    println!("running {package}; every row is measured now");
    let text =
        process::output(process::cargo().args(["run", "--release", "--quiet", "--package", &package]))?;
    let rows: Vec<Row> =
        serde_json::from_str(&text).with_context(|| format!("{package} printed what is not rows"))?;
    ensure!(!rows.is_empty(), "{package} measured nothing");
    if let Some(file) = &options.json {
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    print!("{}", table(&rows));
    Ok(())
}

/// Builds the program that a benchmark starts and measures, beside the benchmark's own.
fn build_measured(name: &str) -> Result<()> {
    match name {
        "herald" => process::run(process::cargo().args(["build", "--release", "--package", "herald"])),
        _ => Ok(()),
    }
}

const HEADINGS: [&str; 8] = ["name", "unit", "ours", "peer", "peer's name", "ratio", "goal", "ok"];

fn table(rows: &[Row]) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    let goals = rows.iter().filter(|row| row.goal.is_some()).count();
    let missed = rows.iter().filter(|row| !row.ok).count();
    text.push_str(&format!("{goals} goals, {missed} missed\n"));
    text
}

fn cells(row: &Row) -> [String; 8] {
    let ok = match (&row.goal, row.ok) {
        (None, _) => "",
        (Some(_), true) => "yes",
        (Some(_), false) => "MISSED",
    };
    [
        row.name.clone(),
        row.unit.clone(),
        figure(row.ours),
        figure(row.peer),
        row.peer_name.clone(),
        format!("{:.2}", row.ratio),
        row.goal.clone().unwrap_or_default(),
        ok.to_owned(),
    ]
}

/// Three digits that mean something, and no more.
fn figure(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, goal: Option<&str>, ok: bool) -> Row {
        Row {
            name: name.into(),
            unit: "ns".into(),
            ours: 61.25,
            peer: 590.4,
            peer_name: "tokio::spawn".into(),
            ratio: 9.64,
            goal: goal.map(str::to_owned),
            ok,
        }
    }

    #[test]
    fn a_table_says_what_was_missed() {
        let rows = [
            row("spawn", Some("ratio >= 5"), true),
            row("cancel", Some("ratio >= 10"), false),
            row("x", None, true),
        ];
        let text = table(&rows);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "spawn   ns    61.2  590   tokio::spawn  9.64   ratio >= 5   yes");
        assert_eq!(lines[2], "cancel  ns    61.2  590   tokio::spawn  9.64   ratio >= 10  MISSED");
        assert_eq!(lines[4], "2 goals, 1 missed");
    }
}
