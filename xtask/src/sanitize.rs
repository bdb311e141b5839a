//! The library's tests under instruments that see what a test alone does not: bad memory, leaks, races.
//!
//! What an instrument needs is looked for first. One whose parts are missing is not run, and the closing table says which
//! part that is; where none can be run, the command fails. Each has a target folder of its own, because everything
//! is built again with its flags.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{process, workspace};

/// A test that says nothing under an instrument, because it compiles programs without it.
const SKIPPED: &str = "wrong_programs_are_refused";

/// What leaks on purpose.
const LEAKS: &str = "xtask/src/sanitize/leaks.txt";

/// What became of an instrument.
enum Verdict {
    Passed(Duration),
    Failed(Duration, anyhow::Error),
    /// It was not run, for want of this.
    Missing(String),
}

/// Runs every instrument that this machine has.
pub(crate) fn run() -> Result<()> {
    let toolchain = Toolchain::find()?;
    let verdicts = [("address", address(&toolchain)?), ("thread", thread(&toolchain)?), ("miri", miri())];
    println!("\n{:<10}{:>9}  result", "instrument", "time");
    for (name, verdict) in &verdicts {
        match verdict {
            Verdict::Passed(took) => println!("{name:<10}{:>7.1} s  ok", took.as_secs_f64()),
            Verdict::Failed(took, error) => {
                println!("{name:<10}{:>7.1} s  FAILED: {error:#}", took.as_secs_f64());
            }
            Verdict::Missing(what) => println!("{name:<10}{:>9}  NOT RUN: {what}", "-"),
        }
    }
    conclude(&verdicts)
}

fn conclude(verdicts: &[(&str, Verdict)]) -> Result<()> {
    let named = |wanted: fn(&Verdict) -> bool| -> Vec<&str> {
        verdicts.iter().filter(|(_, verdict)| wanted(verdict)).map(|(name, _)| *name).collect()
    };
    let failed = named(|verdict| matches!(verdict, Verdict::Failed(..)));
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    if named(|verdict| matches!(verdict, Verdict::Passed(_))).is_empty() {
        bail!("no instrument could be run; the table says what each is missing");
    }
    Ok(())
}

/// The compiler that builds for the instruments, and where its parts are.
struct Toolchain {
    host: String,
    /// The libraries that programs are linked with, the instruments' runtimes among them.
    libraries: PathBuf,
    /// The source of the standard library, where the component `rust-src` is installed.
    source: PathBuf,
}

impl Toolchain {
    fn find() -> Result<Toolchain> {
        let print = |what: &str| -> Result<PathBuf> {
            let text = process::output(Command::new("rustc").args(["--print", what]))?;
            Ok(PathBuf::from(text.trim()))
        };
        let version = process::output(Command::new("rustc").arg("-vV"))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(Toolchain {
            host: host.context("`rustc -vV` names no host")?.to_owned(),
            libraries: print("target-libdir")?,
            source: print("sysroot")?.join("lib/rustlib/src/rust/library/Cargo.lock"),
        })
    }

    /// What is missing of the runtime library of a sanitizer.
    fn lacks_runtime(&self, short: &str) -> Result<Option<String>> {
        let entries = fs::read_dir(&self.libraries);
        let entries = entries.with_context(|| format!("cannot read {}", self.libraries.display()))?;
        let end = format!("_rt.{short}.a");
        let is_there = entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(&end));
        let lacks = || format!("librustc-…{end} in {}", self.libraries.display());
        Ok((!is_there).then(lacks))
    }

    /// What is missing of the standard library's source.
    fn lacks_source(&self) -> Option<String> {
        let why = "`rustup component add rust-src`: the standard library must be built with the instrument, which \
                   otherwise does not see its locks and reports races where there are none; there is no";
        (!self.source.is_file()).then(|| format!("{why} {}", self.source.display()))
    }
}

/// Memory that is used after it was freed, or beyond its bounds, or never freed.
fn address(toolchain: &Toolchain) -> Result<Verdict> {
    if let Some(missing) = toolchain.lacks_runtime("asan")? {
        return Ok(Verdict::Missing(missing));
    }
    Ok(sanitized("address", toolchain, &[]))
}

/// Memory that two threads use without an order between them.
fn thread(toolchain: &Toolchain) -> Result<Verdict> {
    if let Some(missing) = toolchain.lacks_runtime("tsan")?.or_else(|| toolchain.lacks_source()) {
        return Ok(Verdict::Missing(missing));
    }
    Ok(sanitized("thread", toolchain, &["-Zbuild-std"]))
}

/// The tests under a sanitizer, with the examples that they start, and `more` flags of Cargo's.
fn sanitized(sanitizer: &str, toolchain: &Toolchain, more: &[&str]) -> Verdict {
    let folder = Path::new("target/sanitize").join(sanitizer);
    let cargo = |what: &[&str]| {
        let mut command = process::cargo();
        command.args(what).args(["--package", "ballet"]).args(more).arg("--target-dir").arg(&folder);
        // With a target named, the flags are not for build scripts and macros, which run without the instrument.
        command.args(["--target", &toolchain.host]);
        // Cells are not used again, so that the instrument sees who uses a freed one.
        command.env("RUSTFLAGS", format!("-Zsanitizer={sanitizer} --cfg ballet_uncached"));
        // What the flag asks for is not stable; with this the stable compiler does it too.
        command.env("RUSTC_BOOTSTRAP", "1");
        let leaks = workspace::root().join(LEAKS);
        command.env("LSAN_OPTIONS", format!("print_suppressions=0:suppressions={}", leaks.display()));
        command
    };
    let began = Instant::now();
    match process::run(&mut cargo(&["build", "--examples"])) {
        Ok(()) => run_tests(&mut cargo(&["test", "--lib", "--tests", "--no-fail-fast"])),
        Err(error) => Verdict::Failed(began.elapsed(), error),
    }
}

/// What the language calls undefined, in an interpreter that sees it. It sees no sockets and no processes, so that only
/// the tests of scopes run there.
fn miri() -> Verdict {
    let has_miri = |command: &mut Command| process::probe(command.args(["miri", "--version"])).is_some();
    let nightly = || {
        let mut command = Command::new("cargo");
        command.arg("+nightly");
        command
    };
    let mut command = match (has_miri(&mut process::cargo()), has_miri(&mut nightly())) {
        (true, _) => process::cargo(),
        (false, true) => nightly(),
        (false, false) => return Verdict::Missing("neither `cargo miri` nor `cargo +nightly miri`".into()),
    };
    // The tests read the clock and the environment, which it hides from a program unless told otherwise.
    command.args(["miri", "test", "--package", "ballet", "--test", "conformance"]);
    run_tests(command.env("MIRIFLAGS", "-Zmiri-disable-isolation"))
}

/// One test at a time: a test may end whatever runs in its process.
fn run_tests(command: &mut Command) -> Verdict {
    command.args(["--", "--test-threads", "1", "--skip", SKIPPED]);
    let began = Instant::now();
    match process::run(command) {
        Ok(()) => Verdict::Passed(began.elapsed()),
        Err(error) => Verdict::Failed(began.elapsed(), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_secs(1);

    fn verdict(verdicts: &[(&str, Verdict)]) -> String {
        conclude(verdicts).map_or_else(|error| error.to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn one_instrument_that_passes_is_enough_and_one_that_fails_is_too_many() {
        let missing = || ("miri", Verdict::Missing("miri".into()));
        let failed = || ("thread", Verdict::Failed(TOOK, anyhow::anyhow!("a race")));
        assert_eq!(verdict(&[("address", Verdict::Passed(TOOK)), missing()]), "ok");
        assert_eq!(verdict(&[("address", Verdict::Passed(TOOK)), failed()]), "failed: thread");
    }

    #[test]
    fn without_any_instrument_nothing_has_been_shown() {
        let verdict = verdict(&[("miri", Verdict::Missing("miri".into()))]);
        assert!(verdict.starts_with("no instrument could be run"), "{verdict}");
    }

    #[test]
    fn missing_parts_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let toolchain = Toolchain {
            host: "here".into(),
            libraries: folder.path().to_owned(),
            source: folder.path().join("Cargo.lock"),
        };
        let missing = toolchain.lacks_runtime("asan").unwrap().unwrap();
        assert!(missing.starts_with("librustc-…_rt.asan.a in "), "{missing}");
        assert!(toolchain.lacks_source().unwrap().contains("rust-src"));
        fs::write(folder.path().join("librustc-stable_rt.asan.a"), "").unwrap();
        fs::write(&toolchain.source, "").unwrap();
        assert_eq!((toolchain.lacks_runtime("asan").unwrap(), toolchain.lacks_source()), (None, None));
    }
}
