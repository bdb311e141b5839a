//! The real Herald under load, on loopback, beside what the machine gives without it.
//!
//! Two questions: how many notifications are accepted, one by one, each fsynced before its 202; and how many mails a
//! second reach `smtp-sink`, each with its intent and its result durable. Each is measured in turn with its peer:
//! SQLite with a commit for each insert, on the same disk; and `smtp-source`, which remembers nothing. How quick the
//! disk's fsync is goes to standard error, since all of Herald's figures rest on it. `cargo xtask bench herald` builds
//! Herald and installs the tools before it starts this.

mod accept;
mod disk;
mod mail;
mod postfix;
mod server;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bench_report::{Better, Comparison, Goal, Row, median};

/// Each figure is the median of so many rounds, ours and the peer's by turns.
const ROUNDS: usize = 3;
/// HERALD's goals on two cores, with an fsync before each 202.
const ACCEPTS_PER_SECOND: f64 = 8_000.0;
const MAILS_PER_SECOND: f64 = 1_700.0;

fn main() -> Result<()> {
    ensure!(
        std::env::args().len() == 1,
        "this benchmark takes no arguments: there is nothing to choose from"
    );
    // Under the build's folder, so that the disk is the one a developer works on and not a file system in memory.
    let target = std::env::current_exe()?;
    let target = target.parent().context("a program stands in a folder")?;
    let folder = tempfile::Builder::new().prefix("bench-herald-").tempdir_in(target)?;

    eprintln!("before: {}", disk::fsync(folder.path())?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = accept_rows(&runtime, folder.path())?;
    rows.push(mail_row(&runtime, folder.path())?);
    // A disk shared with others is not the same at the end.
    eprintln!("after: {}", disk::fsync(folder.path())?);
    bench_report::print(&rows)?;
    Ok(())
}

fn accept_rows(runtime: &tokio::runtime::Runtime, folder: &Path) -> Result<Vec<Row>> {
    let (mut planned, mut delivering, mut inserts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let place = |name: &str| folder.join(format!("{name}-{round}"));
        planned.push(runtime.block_on(accept::run(&place("planned"), accept::When::Tomorrow))?);
        delivering.push(runtime.block_on(accept::run(&place("delivering"), accept::When::Now))?);
        inserts.push(disk::inserts_per_second(&place("inserts"))?);
    }
    let inserts = median(inserts);
    let comparison = |name: &str, goal| Comparison {
        name: name.to_owned(),
        unit: "accepts/s",
        better: Better::Higher,
        peer_name: "SQLite, a commit for each insert".to_owned(),
        goal,
    };
    let goal = Some(Goal::AtLeast(ACCEPTS_PER_SECOND));
    Ok(vec![
        comparison("accept one by one, due tomorrow", goal).row(median(planned), inserts),
        comparison("accept one by one, delivering at the same time", None).row(median(delivering), inserts),
    ])
}

fn mail_row(runtime: &tokio::runtime::Runtime, folder: &Path) -> Result<Row> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        ours.push(runtime.block_on(mail::run(&folder.join(format!("mail-{round}"))))?);
        bare.push(runtime.block_on(mail::bare(&folder.join(format!("bare-{round}"))))?);
    }
    let comparison = Comparison {
        name: "deliver to smtp-sink, intent and result durable".to_owned(),
        unit: "mails/s",
        better: Better::Higher,
        peer_name: "smtp-source, nothing durable".to_owned(),
        goal: Some(Goal::AtLeast(MAILS_PER_SECOND)),
    };
    Ok(comparison.row(median(ours), median(bare)))
}
