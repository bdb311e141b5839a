//! Postfix's `smtp-sink`: takes mail by SMTP, writes what it accepted to one file, and misbehaves on request.

use std::{
    collections::HashMap,
    fs,
    net::{SocketAddr, TcpStream},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{free_address, scratch};

/// A running `smtp-sink`.
pub(crate) struct Sink {
    address: SocketAddr,
    process: Child,
    directory: tempfile::TempDir,
}

impl Sink {
    /// Starts it with additional arguments, such as `["-q", "."]`, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Sink {
        let directory = scratch();
        let address = free_address();
        let process = command(&directory.path().join("mails"), address, arguments)
            .spawn()
            .unwrap_or_else(|error| panic!("smtp-sink does not start ({error}); run `cargo xtask setup`"));
        let mut sink = Sink { address, process, directory };
        sink.wait_until_it_listens();
        sink
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything it accepted so far, envelope lines and headers included.
    pub(crate) fn dump(&self) -> String {
        let bytes = fs::read(self.directory.path().join("mails")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How often each Message-ID was accepted.
    pub(crate) fn message_ids(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for line in self.dump().lines() {
            if let Some(id) = line.strip_prefix("Message-ID: ") {
                *counts.entry(id.trim().to_owned()).or_default() += 1;
            }
        }
        counts
    }

    fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(self.address).is_err() {
            let ended = self.process.try_wait().expect("the state of smtp-sink");
            assert!(ended.is_none(), "smtp-sink ended at once: {ended:?}");
            assert!(Instant::now() < deadline, "smtp-sink does not listen on {}", self.address);
            std::thread::yield_now();
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(dump: &Path, address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.stdin(Stdio::null());
    if let Some(libraries) = extracted("lib/postfix") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    // As root it insists on being told whom to run as.
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        command.args(["-u", "root"]);
    }
    command.arg("-D").arg(dump).args(arguments).arg(address.to_string()).arg("256");
    command
}

/// The copy that `cargo xtask setup` extracted, else an installed one.
fn program() -> PathBuf {
    let installed = PathBuf::from("/usr/sbin/smtp-sink");
    extracted("sbin/smtp-sink")
        .or_else(|| installed.exists().then_some(installed))
        .unwrap_or_else(|| PathBuf::from("smtp-sink"))
}

fn extracted(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/postfix/usr").join(path);
    path.exists().then_some(path)
}
