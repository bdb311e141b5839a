//! A running `herald serve`, and the few requests the benchmark puts to it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::postfix::free_address;

pub(crate) const API_KEY: &str = "benchmark-key-0123456789-0123456789";

/// Killed when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    process: Child,
    http: reqwest::Client,
}

/// What is posted: a mail of ordinary length to one recipient.
pub(crate) fn notification(send_at: Option<Timestamp>) -> Value {
    let mut body = json!({
        "to": { "email": "reader@example.org" },
        "subject": "Your parcel is on its way",
        "text": "Hello,\n\nyour parcel left our house today and will be with you on Friday.\n\nThe Ballet Post\n",
        "category": "parcel",
    });
    if let Some(time) = send_at {
        body["send_at"] = time.to_string().into();
    }
    body
}

impl Server {
    /// Starts it on an empty folder and waits until it is ready.
    pub(crate) async fn start(folder: &Path, configuration: &str) -> Result<Server> {
        fs::create_dir_all(folder)?;
        let file = folder.join("herald.toml");
        fs::write(&file, configuration)?;
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?.with_file_name("herald"));
        command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(folder.join("data"));
        command.arg("--config").arg(&file).env("HERALD_API_KEY", API_KEY).env("HERALD_LOG", "warn");
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot run herald; `cargo xtask bench herald` builds it")?;
        let server = Server { address, process, http: reqwest::Client::new() };
        server.wait_until_ready().await?;
        Ok(server)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn post(&self, body: &Value) -> Result<()> {
        let request = self.http.post(self.url("/v1/notifications")).bearer_auth(API_KEY).json(body);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// One sample of `/metrics`, named with its labels as it stands there.
    pub(crate) async fn metric(&self, sample: &str) -> Result<f64> {
        let response = self.http.get(self.url("/metrics")).bearer_auth(API_KEY).send().await?;
        let text = response.error_for_status()?.text().await?;
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("/metrics has no {sample}"))?.parse()?)
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let start = Instant::now();
        let url = self.url("/readyz");
        while !self.http.get(&url).send().await.is_ok_and(|response| response.status().is_success()) {
            ensure!(start.elapsed() < Duration::from_secs(30), "herald is not ready; its errors stand above");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
