//! Who takes part, and how each program is started. Where the programs are, xtask has put them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Ballet,
    Tokio,
    Go,
    Kotlin,
    Asyncio,
    Trio,
}

impl Language {
    /// Ours first.
    pub(crate) const ALL: [Language; 6] = [
        Language::Ballet,
        Language::Tokio,
        Language::Go,
        Language::Kotlin,
        Language::Asyncio,
        Language::Trio,
    ];

    /// What starts the program, with two threads for its children.
    pub(crate) fn command(self) -> Result<Command> {
        let beside = std::env::current_exe()?;
        let tools = tools(&beside)?;
        Ok(match self {
            Language::Ballet => Command::new(beside.with_file_name("versus-ballet")),
            Language::Tokio => Command::new(beside.with_file_name("versus-tokio")),
            Language::Go => go(&tools),
            Language::Kotlin => kotlin(&tools),
            Language::Asyncio => python(&tools, "with_asyncio.py"),
            Language::Trio => python(&tools, "with_trio.py"),
        })
    }
}

/// The folder `tools` beside the folder of the profile that this program was built with.
fn tools(program: &Path) -> Result<PathBuf> {
    let target = program.ancestors().nth(2).context("a program stands in the folder of its profile")?;
    Ok(target.join("tools"))
}

fn go(tools: &Path) -> Command {
    let mut go = Command::new(tools.join("versus-programs/versus-go"));
    go.env("GOMAXPROCS", "2");
    go
}

fn kotlin(tools: &Path) -> Command {
    let jars = tools.join("versus/run_kotlin_kernel/jars/*");
    let path = format!("{}:{}", tools.join("versus-programs/kotlin").display(), jars.display());
    let mut java = Command::new("java");
    java.args(["-Dkotlinx.coroutines.scheduler.core.pool.size=2", "-cp", &path, "MainKt"]);
    java
}

fn python(tools: &Path, program: &str) -> Command {
    let mut python = Command::new(tools.join("venv/bin/python"));
    // It writes no byte code beside the source.
    python.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(program));
    python.env("PYTHONPATH", tools.join("versus"));
    python
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Language::Ballet => "ballet",
            Language::Tokio => "raw Tokio",
            Language::Go => "Go",
            Language::Kotlin => "Kotlin",
            Language::Asyncio => "asyncio",
            Language::Trio => "Trio",
        })
    }
}
