//! Running other programs: aloud, with their output on the terminal, or quietly, as a question.
//!
//! Every failure names the whole command line, so that a reader can paste it. `cargo` gives a Cargo that does
//! not see the variables of the Cargo that started xtask.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

/// The Cargo that runs xtask, as a command to add arguments to.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` describes xtask's own package in these. Build scripts that watch them (ring's does) would be
    // built again whenever a developer changes between `cargo xtask test` and `cargo test`.
    for (name, _) in std::env::vars_os() {
        let described = name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if described {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = announce(command);
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    if status.success() { Ok(()) } else { bail!("`{line}` ended with {status}") }
}

/// Runs a command with its output on the terminal, and keeps the lines that `keep` picks.
///
/// The lines come back even where the command fails: they are what a test runner says last.
pub(crate) fn run_keeping(command: &mut Command, keep: fn(&str) -> bool) -> (Vec<String>, Result<()>) {
    let line = announce(command);
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned.with_context(|| format!("cannot run `{line}`")) {
        Ok(child) => child,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let errors = child.stderr.take();
    let output = child.stdout.take();
    let kept = thread::scope(|scope| {
        let errors = scope.spawn(|| pass_on(errors, |line| eprintln!("{line}"), keep));
        let mut kept = pass_on(output, |line| println!("{line}"), keep);
        kept.extend(errors.join().unwrap_or_default());
        kept
    });
    let result = match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(anyhow::anyhow!("`{line}` ended with {status}")),
        Err(error) => Err(anyhow::Error::from(error).context(format!("cannot wait for `{line}`"))),
    };
    (kept, result)
}

fn pass_on(from: Option<impl Read>, print: impl Fn(&str), keep: fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    let Some(from) = from else { return kept };
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        print(&line);
        if keep(&line) {
            kept.push(line.trim().to_owned());
        }
    }
    kept
}

/// What a command prints to standard output; its standard error goes to the terminal.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = describe(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` ended with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed what is not UTF-8"))
}

/// The first line a command prints if it succeeds, without showing anything: for `--version` and the like.
pub(crate) fn probe(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// Where a program stands on the PATH.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn announce(command: &Command) -> String {
    let line = describe(command);
    println!("$ {line}");
    line
}

fn describe(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_line() {
        let error = run(Command::new("false").arg("now")).unwrap_err();
        assert!(error.to_string().starts_with("`false now` ended with exit status: 1"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-anywhere")).unwrap_err();
        assert_eq!(error.to_string(), "cannot run `no-such-program-anywhere`");
    }

    #[test]
    fn kept_lines_come_back_from_a_command_that_fails() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo test result: 1 failed >&2; exit 3"]);
        let (kept, result) = run_keeping(&mut command, |line| line.starts_with("test result"));
        assert_eq!(kept, ["test result: 1 failed"]);
        assert!(result.is_err());
    }

    #[test]
    fn a_probe_is_silent_about_what_is_missing() {
        assert_eq!(probe(&mut Command::new("no-such-program-anywhere")), None);
        assert_eq!(probe(Command::new("echo").arg("1.2")), Some("1.2".to_owned()));
    }
}
