//! Benchmarks: runs one as the program it is, prints its rows as a table, writes them as JSON.
//!
//! A benchmark stands in `benches/NAME` as the package `bench-NAME` and prints an array of rows to standard
//! output. A missed goal is a result, not a failure of the command; the table and `ok` say it.

mod table;
mod versus;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bench_report::Row;

use crate::{process, setup};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A folder of `benches/`, such as `scope`.
    name: String,
    /// Only the comparisons whose name contains this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Also write the rows to this file, as a JSON array.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs one benchmark in the profile of its kind.
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
    let mut program = process::cargo();
    program.args(["run", "--profile", profile(name), "--quiet", "--package", &package, "--"]);
    program.args(options.only.iter().flat_map(|only| ["--only", only]));
    let text = process::output(&mut program)?;
    let rows: Vec<Row> =
        serde_json::from_str(&text).with_context(|| format!("{package} printed what is not rows"))?;
    ensure!(!rows.is_empty(), "{package} measured nothing: is there a comparison of that name?");
    if let Some(file) = &options.json {
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    print!("{}", table::show(&rows));
    Ok(())
}

/// Builds the programs that a benchmark starts and measures, beside the benchmark's own.
fn build_measured(name: &str) -> Result<()> {
    let package = match name {
        "channel" | "flow" => {
            versus::build()?;
            return Ok(());
        }
        "gateway" => {
            build(name, "gateway")?;
            "bench-gateway"
        }
        "artnest" => "artnest",
        "herald" => "herald",
        "io" => "bench-io",
        "scope" => "bench-scope",
        "tributary" => "tributary",
        "versus" => {
            versus::build()?;
            "bench-versus"
        }
        _ => return Ok(()),
    };
    build(name, package)
}

fn build(name: &str, package: &str) -> Result<()> {
    process::run(process::cargo().args(["build", "--profile", profile(name), "--package", package, "--bins"]))
}

/// What children and items cost is measured with fat LTO, as the prototypes were; all else as people build it.
fn profile(name: &str) -> &'static str {
    match name {
        "channel" | "scope" | "versus" => "measured",
        _ => "release",
    }
}
