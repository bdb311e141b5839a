//! Everything a change must pass, in one command, with a closing table.
//!
//! The set-up comes first and ends the run where it fails. Every step after it runs even where an earlier one
//! failed, so that one run shows all there is to mend. The runners' own closing lines stand again under the table,
//! because a reader of a long log looks at its end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{loom, process, setup, tidy};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Trust that the tools are there.
    #[arg(long)]
    skip_setup: bool,
    /// Handed to the test runner, such as a test's name.
    #[arg(last = true)]
    filter: Vec<String>,
}

/// One step that has run.
struct Step {
    name: &'static str,
    took: Duration,
    result: Result<()>,
    /// What the step's runner said last.
    closing: Vec<String>,
}

impl Step {
    fn run(name: &'static str, action: impl FnOnce() -> (Vec<String>, Result<()>)) -> Step {
        println!("\n==> {name}");
        let start = Instant::now();
        let (closing, result) = action();
        let took = start.elapsed();
        match &result {
            Ok(()) => println!("<== {name}: ok in {:.1} s", took.as_secs_f64()),
            Err(error) => println!("<== {name}: FAILED after {:.1} s: {error:#}", took.as_secs_f64()),
        }
        Step { name, took, result, closing }
    }

    /// A step that is one Cargo command.
    fn cargo(name: &'static str, arguments: &[&str]) -> Step {
        Step::run(name, || process::run_keeping(process::cargo().args(arguments), is_closing_line))
    }
}

/// Runs all steps.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut steps = Vec::new();
    if !options.skip_setup {
        let setup = Step::run("setup", || (Vec::new(), setup::run()));
        let failed = setup.result.is_err();
        steps.push(setup);
        if failed {
            return conclude(&steps);
        }
    }
    steps.push(Step::cargo("format", &["fmt", "--all", "--check"]));
    steps.push(Step::run("tidy", || (Vec::new(), tidy::run())));
    steps.push(Step::cargo("lints", &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]));
    // Each alone and as it ships, so that no feature that tests or other packages ask for hides what is missing.
    steps.push(Step::cargo(
        "lints, bare ballet",
        &["clippy", "--package", "ballet", "--", "--deny", "warnings"],
    ));
    steps.push(Step::cargo(
        "lints, bare herald",
        &["clippy", "--package", "herald", "--", "--deny", "warnings"],
    ));
    // With the examples, since tests start them.
    steps.push(Step::cargo("build", &["build", "--workspace", "--all-targets"]));
    steps.push(tests(&options.filter));
    // Fifteen seconds of it, as it was just built; `cargo xtask soak` takes any time.
    steps.push(Step::cargo("soak", &["run", "--quiet", "--package", "soak", "--", "--minutes", "0.25"]));
    steps.push(Step::cargo("doc tests", &["test", "--doc", "--workspace"]));
    steps.push(Step::run("loom models", loom::run_keeping));
    steps.push(documentation());
    conclude(&steps)
}

/// The tests, by nextest where it is installed: it runs the heavy process tests one at a time.
fn tests(filter: &[String]) -> Step {
    let nextest = process::probe(process::cargo().args(["nextest", "--version"])).is_some();
    let mut command = process::cargo();
    if nextest {
        command.args(["nextest", "run", "--workspace"]).args(filter);
    } else {
        // Without groups of tests, one at a time is what keeps process tests from fighting over the cores.
        command.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]);
        command.args(filter).env("RUST_TEST_THREADS", "1");
    }
    Step::run("tests", || process::run_keeping(&mut command, is_closing_line))
}

fn documentation() -> Step {
    let mut command = process::cargo();
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings");
    Step::run("documentation", || process::run_keeping(&mut command, is_closing_line))
}

/// What nextest, libtest and Cargo say when they end.
fn is_closing_line(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("test result:") || line.starts_with("Summary [")
}

fn conclude(steps: &[Step]) -> Result<()> {
    println!("\n{:<20}{:>9}  result", "step", "time");
    for step in steps {
        let result = if step.result.is_ok() { "ok" } else { "FAILED" };
        println!("{:<20}{:>7.1} s  {result}", step.name, step.took.as_secs_f64());
    }
    for step in steps {
        for line in step.closing.iter().filter(|line| !says_nothing(line)) {
            println!("{}: {line}", step.name);
        }
    }
    let failed: Vec<_> = steps.iter().filter(|step| step.result.is_err()).map(|step| step.name).collect();
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "))
}

/// Libtest closes for each binary, also for those without a test.
fn says_nothing(line: &str) -> bool {
    line.starts_with("test result: ok. 0 passed; 0 failed; 0 ignored")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &'static str, result: Result<()>) -> Step {
        Step { name, took: Duration::ZERO, result, closing: Vec::new() }
    }

    #[test]
    fn one_failed_step_fails_the_run_and_is_named() {
        let steps = [step("format", Ok(())), step("tests", bail_with("2 failed")), step("tidy", Ok(()))];
        assert_eq!(conclude(&steps).unwrap_err().to_string(), "failed: tests");
        assert!(conclude(&[step("format", Ok(()))]).is_ok());
    }

    fn bail_with(reason: &str) -> Result<()> {
        bail!("{reason}")
    }

    #[test]
    fn the_runners_closing_lines_are_known() {
        assert!(is_closing_line("     Summary [   1.2s] 12 tests run: 12 passed, 0 skipped"));
        assert!(is_closing_line("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured"));
        assert!(!is_closing_line("test tests::summary ... ok"));
    }
}
