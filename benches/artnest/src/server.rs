//! The programs that are measured, each started fresh and killed afterwards.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Where the set-up installed the peers.
pub(crate) const PEERS: &str = "target/tools/artnest-peers";
const UP_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Artnest,
    Yjs,
    SocketIo,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Artnest, Kind::Yjs, Kind::SocketIo];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Artnest => "Artnest",
            Kind::Yjs => "y-websocket",
            Kind::SocketIo => "Socket.IO",
        }
    }
}

/// Killed when dropped.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    process: Child,
    /// On the disk of the build, as a file system in memory has no fsync.
    _data: TempDir,
}

impl Server {
    pub(crate) async fn start(kind: Kind) -> Result<Server> {
        let (address, admin) = (free_address()?, free_address()?);
        let data = tempfile::tempdir_in("target").context("no directory for the data")?;
        let mut command = on_first_processor();
        match kind {
            Kind::Artnest => {
                let program = std::env::current_exe()?.with_file_name("artnest");
                ensure!(program.is_file(), "{} is not built", program.display());
                let config = data.path().join("artnest.toml");
                fs::write(&config, "connections_max = 10000\nroom_connections_max = 2000\n")?;
                command.arg(program).args(["serve", "--listen", &address.to_string()]);
                command.args(["--admin", &admin.to_string(), "--data"]).arg(data.path().join("data"));
                command.arg("--config").arg(config).env("ARTNEST_LOG", "error");
            }
            Kind::Yjs => {
                command.arg("node").arg(Path::new(PEERS).join("node_modules/.bin/y-websocket-server"));
                command.env("HOST", "127.0.0.1").env("PORT", address.port().to_string());
            }
            Kind::SocketIo => {
                command.arg("node").arg(Path::new(PEERS).join("socketio.mjs"));
                command.env("PORT", address.port().to_string());
            }
        }
        let process = command
            .env("NODE_ENV", "production")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", kind.name()))?;
        let mut server = Server { kind, address, process, _data: data };
        server.wait_until_up().await?;
        Ok(server)
    }

    async fn wait_until_up(&mut self) -> Result<()> {
        let deadline = Instant::now() + UP_WITHIN;
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(ended) = self.process.try_wait()? {
                bail!("{} ended before it listened: {ended}", self.kind.name());
            }
            ensure!(Instant::now() < deadline, "{} does not listen", self.kind.name());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What of its memory is in use, in bytes.
    pub(crate) fn resident(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Ok(kib.context("the kernel does not say")?.trim().parse::<f64>()? * 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// `taskset` becomes what it starts, so the process is the server's.
fn on_first_processor() -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]);
    command
}

/// The clients leave the first processor to the server.
pub(crate) fn stay_on_second_processor() {
    let id = std::process::id().to_string();
    let moved = Command::new("taskset").args(["-cp", "1", &id]).stdout(Stdio::null()).status();
    if !moved.is_ok_and(|status| status.success()) {
        eprintln!("the clients share their processor with the servers");
    }
}
