//! The real `tributary` in a process of its own.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::{eventually, free_address, http_client};

/// The program under test.
pub(crate) const TRIBUTARY: &str = env!("CARGO_BIN_EXE_tributary");

/// A running `tributary run` over a folder that outlives it. It is killed when it is dropped.
pub(crate) struct Daemon {
    path: PathBuf,
    address: SocketAddr,
    process: Child,
    http: reqwest::Client,
}

impl Daemon {
    /// Starts it with this text in its file, after the address to listen at, and waits until it is ready.
    pub(crate) async fn start(folder: &Path, text: &str) -> Daemon {
        let (path, address) = (folder.join("tributary.toml"), free_address());
        fs::write(&path, format!("listen = \"{address}\"\n{text}")).expect("the file is written");
        let mut daemon = Daemon { process: launch(&path), path, address, http: http_client() };
        daemon.wait_until_ready().await;
        daemon
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("SIGKILL");
        self.process.wait().expect("the end of tributary");
    }

    /// Starts it again after a kill, without waiting for anything.
    pub(crate) fn launch(&mut self) {
        self.process = launch(&self.path);
    }

    /// The most memory that it has ever had, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
    }

    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    }

    /// Waits until it has ended; what it ended with.
    pub(crate) async fn end(mut self) -> ExitStatus {
        eventually("tributary ends", Duration::from_secs(30), async || {
            self.process.try_wait().expect("the state of tributary")
        })
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> Option<reqwest::Response> {
        self.http.get(format!("http://{}{path}", self.address)).send().await.ok()
    }

    pub(crate) async fn status(&self) -> Value {
        self.get("/api/status").await.expect("the daemon answers").json().await.expect("JSON")
    }

    pub(crate) async fn wait_until_ready(&mut self) {
        eventually("tributary is ready", Duration::from_secs(30), async || {
            assert!(self.process.try_wait().expect("its state").is_none(), "tributary has ended");
            self.get("/readyz").await.filter(|answer| answer.status().is_success())
        })
        .await;
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(path: &Path) -> Child {
    let mut command = Command::new(TRIBUTARY);
    command.arg("--config").arg(path).arg("run").env("TRIBUTARY_LOG", "warn").env_remove("TRIBUTARY_CONFIG");
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("tributary starts")
}
