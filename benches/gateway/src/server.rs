//! The programs that are measured, started with the upstreams they are to ask.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use crate::upstream::{PARTS, Upstreams};

/// Killed when dropped.
pub(crate) struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// The gateway itself, with its own settings and a deadline that nobody misses.
    pub(crate) fn gateway(upstreams: &Upstreams) -> Result<Server> {
        let mut config = "listen = \"127.0.0.1:0\"\ndeadline_ms = 5000\n".to_owned();
        for ((name, _), address) in PARTS.iter().zip(&upstreams.addresses) {
            let need = if *name == "profile" { "required" } else { "optional" };
            let url = format!("http://{address}/{name}/{{id}}");
            config += &format!("[[part]]\nname = \"{name}\"\nneed = \"{need}\"\nurl = \"{url}\"\n");
        }
        let file = NamedTempFile::new()?;
        std::fs::write(file.path(), config)?;
        let mut command = Command::new(std::env::current_exe()?.with_file_name("gateway"));
        command.args(["serve", "--config"]).arg(file.path()).env("GATEWAY_LOG", "info");
        let mut process = command.stderr(Stdio::piped()).spawn().context("cannot run the gateway")?;
        let log = process.stderr.take().context("the gateway has no log")?;
        Self::listening(process, log)
    }

    /// The peer: `join!` and nothing else.
    pub(crate) fn join(upstreams: &Upstreams) -> Result<Server> {
        let mut command = Command::new(std::env::current_exe()?.with_file_name("bench-gateway-join"));
        let urls =
            PARTS.iter().zip(&upstreams.addresses).map(|((name, _), at)| format!("http://{at}/{name}/"));
        let mut process = command.args(urls).stdout(Stdio::piped()).spawn().context("cannot run the peer")?;
        let out = process.stdout.take().context("the peer has no output")?;
        Self::listening(process, out)
    }

    /// Reads what a server says until it names its address.
    fn listening(process: Child, said: impl Read) -> Result<Server> {
        let mut server = Server { process, address: String::new() };
        for line in BufReader::new(said).lines() {
            if let Some((_, rest)) = line?.split_once("address=") {
                server.address = rest.split_whitespace().next().unwrap_or_default().to_owned();
                return Ok(server);
            }
        }
        bail!("a server ended before it listened")
    }

    /// The address of a page, before the id.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/page/", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
