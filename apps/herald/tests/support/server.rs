//! The real `herald` in a process of its own, and the few requests that tests put to it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use super::{Sink, eventually, free_address};

/// The API key that every test server is started with.
pub(crate) const API_KEY: &str = "integration-test-key-0123456789abcdef";

/// The program under test.
const HERALD: &str = env!("CARGO_BIN_EXE_herald");

/// A running `herald serve` over a data directory that outlives it.
pub(crate) struct Server {
    address: SocketAddr,
    directory: PathBuf,
    process: Child,
    http: reqwest::Client,
}

impl Server {
    /// Starts it with the built-in outbox, and waits until it is ready.
    pub(crate) async fn with_outbox(directory: &Path) -> Server {
        Server::start(directory, "").await
    }

    /// Starts it with `sink` as its SMTP relay, and waits until it is ready.
    pub(crate) async fn with_sink(directory: &Path, sink: &Sink) -> Server {
        Server::start(directory, &smtp_table(sink.address())).await
    }

    /// Starts it with a configuration, and waits until it is ready.
    pub(crate) async fn start(directory: &Path, configuration: &str) -> Server {
        let address = free_address();
        fs::write(configuration_path(directory), configuration).expect("the configuration is written");
        Server::of(launch(directory, address), directory, address).await
    }

    /// Starts it with a configuration, and waits until it answers, ready or not.
    pub(crate) async fn alive(directory: &Path, configuration: &str) -> Server {
        let address = free_address();
        fs::write(configuration_path(directory), configuration).expect("the configuration is written");
        let process = launch(directory, address);
        let server = Server { address, directory: directory.to_owned(), process, http: http_client() };
        eventually("herald is alive", Duration::from_secs(30), async || {
            server.http.get(server.url("/healthz")).send().await.ok()
        })
        .await;
        server
    }

    /// Starts it with the built-in outbox on a disk that fails: no file can grow beyond so many blocks of 512
    /// bytes. After a [`Server::crash`] the disk is sound.
    pub(crate) async fn with_file_limit(directory: &Path, blocks: u32) -> Server {
        let address = free_address();
        fs::write(configuration_path(directory), "").expect("the configuration is written");
        // With the signal ignored, a write beyond the limit fails with EFBIG.
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &limited, HERALD]);
        Server::of(serve(shell, directory, address), directory, address).await
    }

    async fn of(process: Child, directory: &Path, address: SocketAddr) -> Server {
        let mut server = Server { address, directory: directory.to_owned(), process, http: http_client() };
        server.wait_until_ready().await;
        server
    }

    /// `kill -9`, then the same again on the same address.
    pub(crate) async fn crash(&mut self) {
        self.process.kill().expect("SIGKILL");
        self.process.wait().expect("the end of herald");
        self.process = launch(&self.directory, self.address);
        self.wait_until_ready().await;
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Posts a small plain-text mail; the answer's status and body, or the transport's error when the server
    /// went away.
    pub(crate) async fn post_mail(&self, to: &str, subject: &str) -> reqwest::Result<reqwest::Response> {
        let body = json!({ "to": { "email": to }, "subject": subject, "text": "Hello." });
        self.http.post(self.url("/v1/notifications")).bearer_auth(API_KEY).json(&body).send().await
    }

    pub(crate) async fn get_json(&self, path: &str) -> reqwest::Result<Value> {
        let response = self.http.get(self.url(path)).bearer_auth(API_KEY).send().await?;
        response.error_for_status()?.json().await
    }

    /// The value of one sample in `/metrics`, named with its labels as it stands there.
    pub(crate) async fn metric(&self, sample: &str) -> Option<f64> {
        let response = self.http.get(self.url("/metrics")).bearer_auth(API_KEY).send().await.ok()?;
        let text = response.text().await.ok()?;
        text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
    }

    /// Sends SIGTERM.
    pub(crate) fn ask_to_end(&self) {
        let kill = format!("kill -TERM {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(sent.success(), "SIGTERM could not be sent");
    }

    /// Waits until it has ended; what it ended with.
    pub(crate) async fn end(mut self) -> ExitStatus {
        eventually("herald ends after SIGTERM", Duration::from_secs(60), async || {
            self.process.try_wait().expect("the state of herald")
        })
        .await
    }

    pub(crate) async fn is_ready(&self) -> bool {
        let response = self.http.get(self.url("/readyz")).send().await;
        response.is_ok_and(|response| response.status().is_success())
    }

    async fn wait_until_ready(&mut self) {
        eventually("herald is ready", Duration::from_secs(30), async || {
            let ended = self.process.try_wait().expect("the state of herald");
            assert!(ended.is_none(), "herald ended at once: {ended:?}");
            self.is_ready().await.then_some(())
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The `[smtp]` table for a plain-text relay on loopback.
pub(crate) fn smtp_table(relay: SocketAddr) -> String {
    format!(
        "[smtp]\nhost = \"{}\"\nport = {}\ntls = \"none\"\nfrom = \"Herald <herald@example.org>\"\n",
        relay.ip(),
        relay.port()
    )
}

/// A client; `reqwest` is built without a default for TLS, and wants one chosen before the first.
pub(crate) fn http_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn launch(directory: &Path, address: SocketAddr) -> Child {
    serve(Command::new(HERALD), directory, address)
}

fn serve(mut herald: Command, directory: &Path, address: SocketAddr) -> Child {
    herald
        .args(["serve", "--listen", &address.to_string(), "--data"])
        .arg(directory.join("data"))
        .arg("--config")
        .arg(configuration_path(directory))
        .env("HERALD_API_KEY", API_KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("herald starts")
}

fn configuration_path(directory: &Path) -> PathBuf {
    directory.join("herald.toml")
}
