//! What a process has: jobs, open files, threads, memory; whether it is back where it was, and where it is going.

use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How long everything may take to come to rest.
pub(crate) const REST_MAX: Duration = Duration::from_secs(20);
/// Memory that allocators may keep from one part of a run to another.
const SLACK_BYTES: u64 = 16 << 20;
/// With fewer rounds than this there is no trend.
const TREND_ROUNDS_MIN: usize = 6;

/// What the process has at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Baseline {
    jobs: usize,
    files: usize,
    threads: usize,
    pub(crate) resident_bytes: u64,
}

impl Baseline {
    /// What there is now. Only Linux tells; elsewhere all but the jobs is zero.
    fn now() -> Result<Self> {
        let jobs = ballet::tree().iter().count() - 1;
        if !cfg!(target_os = "linux") {
            return Ok(Self { jobs, files: 0, threads: 0, resident_bytes: 0 });
        }
        let files = fs::read_dir("/proc/self/fd").context("cannot list open files")?.count();
        let status = fs::read_to_string("/proc/self/status").context("cannot read the process's status")?;
        let threads = usize::try_from(field(&status, "Threads:")?)?;
        Ok(Self { jobs, files, threads, resident_bytes: field(&status, "VmRSS:")? * 1024 })
    }

    /// What there is once two looks in a row are the same and no job is left.
    pub(crate) fn when_still() -> Result<Self> {
        let ends = Instant::now() + REST_MAX;
        let mut before = Self::now()?;
        loop {
            rest();
            let now = Self::now()?;
            let still = now.jobs == 0 && (now.files, now.threads) == (before.files, before.threads);
            if still {
                return Ok(now);
            }
            ensure!(Instant::now() < ends, "no rest in {REST_MAX:?}: {now}\n{}", ballet::tree());
            before = now;
        }
    }

    /// What there is once nothing is more than it was.
    ///
    /// # Errors
    ///
    /// What is more, when that has taken too long.
    pub(crate) fn is_reached_again(&self, within: Duration) -> Result<Self> {
        let ends = Instant::now() + within;
        loop {
            let now = Self::now()?;
            if now.jobs == 0 && now.files <= self.files && now.threads <= self.threads {
                return Ok(now);
            }
            if Instant::now() >= ends {
                bail!("{now} where there were {self}\n{}", ballet::tree());
            }
            rest();
        }
    }
}

/// Longer than a thread for blocking calls lives without work.
#[expect(clippy::disallowed_methods, reason = "the main thread watches; it is no worker")]
fn rest() {
    thread::sleep(Duration::from_millis(80));
}

/// The number behind a name in `/proc/self/status`.
fn field(status: &str, name: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .with_context(|| format!("no `{name}` in the status"))?
        .parse()
        .context("not a number in the status")
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jobs, files, threads, resident_bytes } = self;
        let mebibytes = resident_bytes >> 20;
        write!(f, "{jobs} jobs, {files} open files, {threads} threads, {mebibytes} MiB resident")
    }
}

/// Memory at rest, round after round.
#[derive(Default)]
pub(crate) struct Trend(Vec<u64>);

impl Trend {
    pub(crate) fn note(&mut self, bytes: u64) {
        self.0.push(bytes);
    }

    /// Whether memory has only gone to and fro.
    ///
    /// # Errors
    ///
    /// Where the least of the last third is more than the most of the first, and [`SLACK_BYTES`] on top.
    pub(crate) fn judge(&self) -> Result<()> {
        if self.0.len() < TREND_ROUNDS_MIN {
            return Ok(());
        }
        let third = self.0.len() / 3;
        let first = self.0[..third].iter().max().copied().unwrap_or_default();
        let last = self.0[self.0.len() - third..].iter().min().copied().unwrap_or_default();
        ensure!(last <= first + SLACK_BYTES, "resident memory rises: {self}");
        Ok(())
    }
}

impl fmt::Display for Trend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: Option<&u64>| bytes.map_or(0, |bytes| bytes >> 20);
        let (first, last, most) = (self.0.first(), self.0.last(), self.0.iter().max());
        write!(
            f,
            "{} MiB at first, {} at last, {} at most",
            mebibytes(first),
            mebibytes(last),
            mebibytes(most)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_stays_open_is_a_breach() {
        let before = Baseline { threads: usize::MAX, ..Baseline::now().unwrap() };
        let soon = Duration::from_millis(100);
        let held = [(); 3].map(|()| tempfile::tempfile().unwrap());
        let breach = before.is_reached_again(soon).unwrap_err().to_string();
        assert!(breach.contains("open files"), "{breach}");
        drop(held);
        assert!(before.is_reached_again(REST_MAX).is_ok());
    }

    #[test]
    fn memory_that_rises_from_the_first_third_to_the_last_is_a_breach() {
        let judge = |mebibytes: &[u64]| Trend(mebibytes.iter().map(|n| n << 20).collect()).judge();
        assert!(judge(&[50, 90, 60, 55, 80, 50, 60, 70, 52]).is_ok());
        assert!(judge(&[50, 52, 51, 60, 70, 80, 90, 100, 110]).unwrap_err().to_string().contains("rises"));
        assert!(judge(&[50, 500]).is_ok(), "two rounds are no trend");
    }

    #[test]
    fn the_status_of_the_process_is_read() {
        assert_eq!(field("Name:\tx\nThreads:\t7\nVmRSS:\t 2048 kB\n", "VmRSS:").unwrap(), 2048);
        assert!(field("Name:\tx\n", "Threads:").is_err());
    }
}
