//! A running `tributary run`, and what the kernel says of it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

const READY_MAX: Duration = Duration::from_secs(60);
/// Linux tells the time of a process in ticks of a hundredth of a second on every machine that Rust runs on.
const TICK: Duration = Duration::from_millis(10);
/// Of `/proc/PID/stat`, counted after the name of the program.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;

/// Killed when dropped.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts it on an empty folder, and waits until its page can be reached.
    pub(crate) fn start(folder: &Path, settings: &str) -> Result<Daemon> {
        fs::create_dir_all(folder)?;
        let (file, address) = (folder.join("tributary.toml"), free_address()?);
        fs::write(&file, format!("listen = \"{address}\"\n{settings}"))?;
        let mut command = Command::new(std::env::current_exe()?.with_file_name("tributary"));
        command.arg("--config").arg(&file).arg("run").env("TRIBUTARY_LOG", "warn");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let daemon = Daemon(child.context("cannot run tributary; `cargo xtask bench tributary` builds it")?);
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(start.elapsed() < READY_MAX, "tributary is not ready; its errors stand above");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(daemon)
    }

    /// The time of processors that it has taken.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields = stat.rsplit_once(')').context("the kernel tells of a process")?.1.split_whitespace();
        let fields: Vec<_> = fields.collect();
        let ticks = |index: usize| -> Result<u32> { Ok(fields.get(index).context("a field")?.parse()?) };
        Ok(TICK * (ticks(USER_TICKS)? + ticks(SYSTEM_TICKS)?))
    }

    /// What of it is in memory.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: f64 = line.and_then(|line| line.split_whitespace().next()).context("VmRSS")?.parse()?;
        Ok(kib / 1_024.0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
