//! Postfix's tools for testing mail, as `cargo xtask setup` unpacks them.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// What Herald opens at once by default.
const SESSIONS: u32 = 16;

/// One of the tools, which the set-up put beside the profile's folder in Cargo's target folder.
fn tool(name: &str) -> Result<Command> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("a program of Cargo's stands in target/PROFILE")?;
    let postfix = target.join("tools/postfix/usr");
    let mut command = Command::new(postfix.join("sbin").join(name));
    command.env("LD_LIBRARY_PATH", postfix.join("lib/postfix")).stdin(Stdio::null());
    Ok(command)
}

/// An `smtp-sink` that counts what it takes; killed when dropped.
pub(crate) struct Sink {
    address: SocketAddr,
    process: Child,
    /// Where it writes its counters, over and over.
    counters: PathBuf,
}

impl Sink {
    pub(crate) fn start(folder: &Path) -> Result<Sink> {
        fs::create_dir_all(folder)?;
        let counters = folder.join("sink-counters");
        let address = free_address()?;
        let mut command = tool("smtp-sink")?;
        // As root it insists on being told whom to run as.
        if fs::metadata("/proc/self")?.uid() == 0 {
            command.args(["-u", "nobody"]);
        }
        command.args(["-c", &address.to_string(), "256"]).stdout(File::create(&counters)?);
        let process = command.spawn().context("cannot run smtp-sink; `cargo xtask setup` unpacks it")?;
        let sink = Sink { address, process, counters };
        sink.wait_until_it_listens()?;
        Ok(sink)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Herald's configuration for it.
    pub(crate) fn as_relay(&self) -> String {
        format!(
            "[smtp]\nhost = \"{}\"\nport = {}\ntls = \"none\"\nfrom = \"bench@example.org\"\n",
            self.address.ip(),
            self.address.port()
        )
    }

    /// Waits until it has taken so many mails; how many it has taken then.
    pub(crate) async fn wait_for(&self, mails: u32, within: Duration) -> Result<u32> {
        let start = Instant::now();
        loop {
            let taken = self.taken()?;
            if taken >= mails {
                return Ok(taken);
            }
            ensure!(start.elapsed() < within, "smtp-sink took {taken} of {mails} mails within {within:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The newest `mesg=` among the counters, which end without a line break.
    fn taken(&self) -> Result<u32> {
        let mut file = File::open(&self.counters)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(200)))?;
        let mut tail = String::new();
        file.read_to_string(&mut tail)?;
        // The last counter may be half written; the one before it is whole.
        let mut counters = tail.rsplit("mesg=").filter_map(whole_number);
        Ok(counters.next().unwrap_or(0))
    }

    fn wait_until_it_listens(&self) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            ensure!(start.elapsed() < Duration::from_secs(10), "smtp-sink does not listen");
            std::thread::yield_now();
        }
        Ok(())
    }
}

/// The number at the start of what follows a `mesg=`, if something else ends it.
fn whole_number(text: &str) -> Option<u32> {
    let end = text.find(|letter: char| !letter.is_ascii_digit())?;
    text[..end].parse().ok()
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends mails of the size Herald's have, over connections that are kept.
pub(crate) fn send(to: SocketAddr, mails: u32) -> Result<()> {
    let (sessions, mails) = (SESSIONS.to_string(), mails.to_string());
    let mut command = tool("smtp-source")?;
    command.args(["-d", "-l", "512", "-s", &sessions, "-m", &mails, &to.to_string()]);
    let status = command.status().context("cannot run smtp-source; `cargo xtask setup` unpacks it")?;
    ensure!(status.success(), "smtp-source ended with {status}");
    Ok(())
}

/// An address nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_counter_is_read() {
        let newest = |text: &str| text.rsplit("mesg=").find_map(whole_number);
        assert_eq!(newest("sess=1 quit=0 mesg=7\rsess=1 quit=0 mesg=12\r"), Some(12));
        assert_eq!(newest("sess=1 quit=0 mesg=7\rsess=1 quit=0 mesg=1"), Some(7));
        assert_eq!(newest(""), None);
    }
}
