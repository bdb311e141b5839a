//! The real Tributary with ten thousand feeds, on loopback: what of a core and how much memory they take.
//!
//! Ten thousand feeds an hour are 2.8 visits a second, which a short run could not tell from nothing. So the run is the first
//! minute after a start, when everything is overdue and Tributary spreads it out to 20 visits a second: each of them connects,
//! reads a feed of ten entries, cleans their HTML, commits all of them with fsync and delivers them to a file. That is the dearest
//! visit there is; later ones are mostly "not modified". Beside it stand all ten thousand sources with their timers. The time of
//! the processor in that minute, over the visits in it, times 10 000, over 3 600 seconds, is the share of one core; memory is
//! what is resident at its end. The peers: feedparser that only parses the same feed, and the same daemon without a source.

#![expect(clippy::disallowed_methods, reason = "a program of threads has no worker that a sleep could block")]

mod daemon;
mod site;

use std::{fs, path::Path, process::Command, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use bench_report::{Better, Comparison, Goal};

use daemon::Daemon;
use site::Site;

const SOURCES: usize = 10_000;
/// After the start itself, so that the reading of the file is not counted.
const SETTLE: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(40);
const HOUR_SECONDS: f64 = 3_600.0;
/// The goals: of one core, and of memory.
const CORE_PERCENT_MAX: f64 = 5.0;
const MIB_MAX: f64 = 100e6 / 1_048_576.0;
/// Parses of the peer.
const PARSES: u32 = 40;

fn main() -> Result<()> {
    ensure!(
        std::env::args().len() == 1,
        "this benchmark takes no arguments: there is nothing to choose from"
    );
    // Under the build's folder, so that the disk is the one a developer works on and not a file system in memory.
    let target = std::env::current_exe()?;
    let target = target.parent().context("a program stands in a folder")?;
    let folder = tempfile::Builder::new().prefix("bench-tributary-").tempdir_in(target)?;

    let empty = memory_without_sources(&folder.path().join("empty"))?;
    let (visits, cpu, memory) = with_sources(&folder.path().join("full"))?;
    let seconds_each = cpu.as_secs_f64() / visits;
    eprintln!("{visits} visits in {MEASURED:?}: {:.2} ms of a processor each", seconds_each * 1_000.0);
    eprintln!("{memory:.1} MiB resident, {empty:.1} MiB without a source");
    let share = |seconds_each: f64| seconds_each * 10_000.0 / HOUR_SECONDS * 100.0;
    let cpu_row = Comparison {
        name: "10 000 feeds an hour, each with 10 new items".to_owned(),
        unit: "% of a core",
        better: Better::Lower,
        peer_name: "feedparser, parsing alone".to_owned(),
        goal: Some(Goal::AtMost(CORE_PERCENT_MAX)),
    };
    let memory_row = Comparison {
        name: "10 000 sources under supervision".to_owned(),
        unit: "MiB resident",
        better: Better::Lower,
        peer_name: "Tributary without a source".to_owned(),
        goal: Some(Goal::AtMost(MIB_MAX)),
    };
    bench_report::print(&[
        cpu_row.row(share(seconds_each), share(feedparser(target)?)),
        memory_row.row(memory, empty),
    ])?;
    Ok(())
}

fn memory_without_sources(folder: &Path) -> Result<f64> {
    let daemon = Daemon::start(folder, "")?;
    thread::sleep(SETTLE);
    daemon.resident_mib()
}

/// Visits, the time of the processor that they took, and MiB in the end.
fn with_sources(folder: &Path) -> Result<(f64, Duration, f64)> {
    let site = Site::start()?;
    let daemon = Daemon::start(folder, &sources(&site))?;
    thread::sleep(SETTLE);
    let (asked, cpu) = (site.asked(), daemon.cpu()?);
    thread::sleep(MEASURED);
    let (visits, cpu) = (site.asked() - asked, daemon.cpu()? - cpu);
    ensure!(visits > 100, "only {visits} visits in {MEASURED:?}; is the machine busy?");
    Ok((f64::from(visits), cpu, daemon.resident_mib()?))
}

fn sources(site: &Site) -> String {
    let mut text =
        "[web]\nallow_private = [\"127.0.0.0/8\"]\nhost_requests_per_minute = 60000\nhost_burst = 1000\n\
                    [schedule]\nfloor = \"1h\"\nceiling = \"1h\"\n"
            .to_owned();
    for number in 0..SOURCES {
        let url = site.url(number);
        text += &format!("[[source]]\nname = \"s{number}\"\nkind = \"feed\"\nurl = \"{url}\"\n");
    }
    text
}

/// Seconds of a processor that the reference reader of Python takes to parse the same feed.
fn feedparser(target: &Path) -> Result<f64> {
    let feed = target.join("bench-tributary-feed.xml");
    fs::write(&feed, site::feed(0))?;
    let python = target.with_file_name("tools/venv/bin/python");
    let program = "import sys, time, feedparser\ndata = open(sys.argv[1], 'rb').read()\nfeedparser.parse(data)\n\
                   start = time.process_time()\nfor _ in range(int(sys.argv[2])): feedparser.parse(data)\n\
                   print((time.process_time() - start) / int(sys.argv[2]))";
    let output = Command::new(&python).args(["-c", program]).arg(&feed).arg(PARSES.to_string()).output();
    let output =
        output.with_context(|| format!("cannot run {}; `cargo xtask setup` makes it", python.display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
