//! Who takes part, how each program is started, and how it is asked. Where the programs are, xtask has put them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_report::Contestant;

/// A program is warm, and repeats often enough, when one request takes so long.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Ballet,
    Tokio,
    Go,
    Kotlin,
    Asyncio,
    Trio,
}

impl Language {
    /// Ours first.
    pub const ALL: [Language; 6] = [
        Language::Ballet,
        Language::Tokio,
        Language::Go,
        Language::Kotlin,
        Language::Asyncio,
        Language::Trio,
    ];

    /// What starts the program, with two threads for its children.
    fn command(self) -> Result<Command> {
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

/// The running program of one language. It ends when this is dropped.
#[derive(Debug)]
pub struct Program {
    pub language: Language,
    contestant: Contestant,
}

/// What a program measured.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub figure: f64,
    pub checksum: u64,
}

impl Program {
    /// # Errors
    ///
    /// When it cannot be started: most likely it was not built.
    pub fn start(language: Language) -> Result<Self> {
        Ok(Self { language, contestant: Contestant::start(&mut language.command()?)? })
    }

    /// Repeats a scenario so often, and gives the mean.
    ///
    /// # Errors
    ///
    /// When it does not answer, or not with two numbers.
    pub fn ask(&mut self, request: &str, repeats: u32) -> Result<Answer> {
        let text = self.contestant.ask(&format!("{request} {repeats}"))?;
        parse(&text).with_context(|| format!("{} answered `{request}` with: {text}", self.language))
    }

    /// Repeats a scenario twice as often each time, until that takes long enough; gives how often that is.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    pub fn warm_up(&mut self, request: &str) -> Result<u32> {
        let mut repeats = 1;
        loop {
            let start = Instant::now();
            self.ask(request, repeats)?;
            if start.elapsed() >= LONG_ENOUGH {
                return Ok(repeats);
            }
            repeats *= 2;
        }
    }
}

fn parse(text: &str) -> Result<Answer> {
    let (figure, checksum) = text.split_once(' ').context("an answer is a figure and a checksum")?;
    Ok(Answer { figure: figure.parse()?, checksum: checksum.parse()? })
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
