//! Debian packages: installed where they only bring files, unpacked where installing would start a service.
//!
//! Postfix, Prometheus and NATS are servers; the tests only want a tool from each. Their packages are downloaded and
//! unpacked under `target/tools`, and no maintainer script runs. Other systems than Debian and its descendants
//! are refused with the name of what to install by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{process, workspace};

/// Postfix's SMTP server for tests, which accepts, refuses or drops mail as told.
pub(crate) fn smtp_sink() -> Result<String> {
    let postfix = workspace::tools()?.join("postfix");
    let program = postfix.join("usr/sbin/smtp-sink");
    let found = program.is_file();
    if !found {
        unpack("postfix", &postfix)?;
    }
    if let Err(error) = smtp_sink_runs(&postfix) {
        println!("smtp-sink does not run yet ({error:#}): installing the libraries of its package");
        install(&libraries_of("postfix")?)?;
        smtp_sink_runs(&postfix)?;
    }
    Ok(describe(found, &program))
}

/// Without arguments it prints its usage and fails; a missing library prints something else.
fn smtp_sink_runs(postfix: &Path) -> Result<()> {
    let mut command = Command::new(postfix.join("usr/sbin/smtp-sink"));
    command.env("LD_LIBRARY_PATH", postfix.join("usr/lib/postfix")).stdin(Stdio::null());
    let output = command.output().context("cannot run smtp-sink")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("usage:"), "{}", said.trim());
    Ok(())
}

/// Prometheus's checker of the metrics format.
pub(crate) fn promtool() -> Result<String> {
    let prometheus = workspace::tools()?.join("prometheus");
    let program = prometheus.join("usr/bin/promtool");
    let found = program.is_file();
    if !found {
        unpack("prometheus", &prometheus)?;
    }
    let version = process::probe(Command::new(&program).arg("--version"));
    ensure!(version.is_some(), "{} does not run", program.display());
    Ok(describe(found, &program))
}

/// The message broker that Tributary's items go to.
pub(crate) fn nats_server() -> Result<String> {
    let nats = workspace::tools()?.join("nats-server");
    let program = nats.join("usr/sbin/nats-server");
    let found = program.is_file();
    if !found {
        unpack("nats-server", &nats)?;
    }
    let version = process::probe(Command::new(&program).arg("--version"));
    ensure!(version.is_some(), "{} does not run", program.display());
    Ok(describe(found, &program))
}

/// The browser that clicks through the page.
pub(crate) fn chromium() -> Result<String> {
    on_path("chromium", &["chromium"])
}

/// The HTTP load generator.
pub(crate) fn wrk() -> Result<String> {
    on_path("wrk", &["wrk"])
}

/// Finds a program on the PATH, or installs the packages that bring it.
pub(crate) fn on_path(program: &str, packages: &[&str]) -> Result<String> {
    if let Some(path) = process::which(program) {
        return Ok(describe(true, &path));
    }
    install(packages)?;
    let path = process::which(program)
        .with_context(|| format!("{} brought no `{program}` onto the PATH", packages.join(", ")))?;
    Ok(describe(false, &path))
}

fn describe(found: bool, path: &Path) -> String {
    format!("{} {}", if found { "found" } else { "installed" }, path.display())
}

/// Installs packages with apt.
pub(crate) fn install(packages: &[impl AsRef<str>]) -> Result<()> {
    with_fresh_lists(|| {
        let mut command = as_root("apt-get")?;
        command.args(["install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]);
        process::run(command.args(packages.iter().map(AsRef::as_ref)))
    })
    .with_context(|| {
        let names: Vec<_> = packages.iter().map(AsRef::as_ref).collect();
        format!("cannot install the Debian packages {}", names.join(", "))
    })
}

/// Downloads a package and unpacks its files under `target`, running none of its scripts.
fn unpack(package: &str, target: &Path) -> Result<()> {
    require_apt()?;
    // A half-done unpacking must not look like a whole one, so the folder gets its name last.
    let partial = target.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
    }
    fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
    with_fresh_lists(|| {
        process::run(Command::new("apt-get").args(["download", package]).current_dir(&partial))
    })
    .with_context(|| format!("cannot download the Debian package {package}"))?;
    let archive = downloaded(&partial)?;
    process::run(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(&partial))?;
    fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
    fs::rename(&partial, target).with_context(|| format!("cannot create {}", target.display()))
}

fn downloaded(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    paths
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .with_context(|| format!("apt-get left no package in {}", folder.display()))
}

/// The shared libraries a package depends on, under the names this release of Debian gives them.
fn libraries_of(package: &str) -> Result<Vec<String>> {
    let text = process::output(Command::new("apt-cache").args(["depends", package]))?;
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    Ok(names.filter(|name| name.starts_with("lib")).map(str::to_owned).collect())
}

/// Runs an apt action; where it fails, once more with fresh package lists, which a bare machine has none of.
fn with_fresh_lists(action: impl Fn() -> Result<()>) -> Result<()> {
    require_apt()?;
    let Err(error) = action() else { return Ok(()) };
    println!("{error:#}: fetching fresh package lists, then once more");
    process::run(as_root("apt-get")?.arg("update"))?;
    action()
}

fn require_apt() -> Result<()> {
    ensure!(
        process::which("apt-get").is_some(),
        "this system has no apt-get: the set-up knows Debian and its descendants only"
    );
    Ok(())
}

/// A command that runs as root: as it is, or through sudo.
fn as_root(program: &str) -> Result<Command> {
    let user = process::probe(Command::new("id").arg("-u"));
    if user.as_deref() == Some("0") {
        let mut command = Command::new(program);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        return Ok(command);
    }
    if process::which("sudo").is_none() {
        bail!("`{program}` needs root, and there is no sudo: run it as root");
    }
    let mut command = Command::new("sudo");
    command.args(["env", "DEBIAN_FRONTEND=noninteractive", program]);
    Ok(command)
}
