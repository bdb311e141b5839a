//! Compiles the programs of `benches/versus` that are not Rust, with the toolchains that the set-up unpacked.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{process, setup, workspace};

/// Builds all programs to where the benchmark looks for them.
pub(super) fn build() -> Result<()> {
    let tools = workspace::tools()?;
    let (packages, programs) = (tools.join("versus"), tools.join("versus-programs"));
    fs::create_dir_all(&programs).with_context(|| format!("cannot create {}", programs.display()))?;
    go(&packages, &programs)?;
    kotlin(&packages, &programs)
}

fn go(packages: &Path, programs: &Path) -> Result<()> {
    let mut go = Command::new(packages.join("go/bin/go"));
    // Go wants its cache by an absolute path; and it must not fetch another Go.
    let cache = env::current_dir()?.join(programs).join("go-cache");
    go.env("GOCACHE", cache).env("GOTOOLCHAIN", "local").arg("build").arg("-o");
    process::run(go.arg(programs.join("versus-go")).arg("benches/versus/go/main.go"))
}

fn kotlin(packages: &Path, programs: &Path) -> Result<()> {
    let source = Path::new("benches/versus/kotlin/Main.kt");
    let classes = programs.join("kotlin");
    // The compiler remembers nothing by itself and takes its time.
    setup::made_from(source, &classes, || {
        let path = env::join_paths(compiler_and_libraries(&packages.join("run_kotlin_kernel/jars"))?)?;
        let mut java = Command::new("java");
        java.arg("-cp").arg(&path).arg("org.jetbrains.kotlin.cli.jvm.K2JVMCompiler");
        java.args(["-no-stdlib", "-no-reflect", "-classpath"]).arg(&path).arg("-d").arg(&classes);
        process::run(java.arg(source))
    })?;
    Ok(())
}

/// The compiler with the coroutines, which are one jar, and the standard library.
fn compiler_and_libraries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let is_needed = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("kotlin-jupyter-kernel-") || name.starts_with("kotlin-stdlib-")
    };
    Ok(entries.filter_map(Result::ok).map(|entry| entry.path()).filter(is_needed).collect())
}
