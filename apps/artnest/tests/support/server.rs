//! The real `artnest` in a process of its own, and the few requests that tests put to it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use serde_json::{Value, json};

use super::{Door, eventually, free_address};

/// The program under test.
const ARTNEST: &str = env!("CARGO_BIN_EXE_artnest");

/// A running `artnest serve` over a data directory that outlives it.
pub(crate) struct Server {
    address: SocketAddr,
    admin: SocketAddr,
    directory: PathBuf,
    process: Child,
    http: reqwest::Client,
}

impl Server {
    pub(crate) async fn start(directory: &Path) -> Server {
        Server::with(directory, "").await
    }

    /// Starts it with a configuration, and waits until it is ready.
    pub(crate) async fn with(directory: &Path, configuration: &str) -> Server {
        Server::of(Command::new(ARTNEST), directory, configuration).await
    }

    /// Starts it with a key to the admin listener.
    pub(crate) async fn with_admin_key(directory: &Path, key: &str) -> Server {
        let mut artnest = Command::new(ARTNEST);
        artnest.env("ARTNEST_ADMIN_KEY", key);
        Server::of(artnest, directory, "").await
    }

    /// Starts it on a disk that fails: no file can grow beyond so many blocks of 512 bytes. After a
    /// [`Server::crash`] the disk is sound.
    pub(crate) async fn with_file_limit(directory: &Path, blocks: u32) -> Server {
        // With the signal ignored, a write beyond the limit fails with EFBIG.
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &limited, ARTNEST]);
        Server::of(shell, directory, "").await
    }

    async fn of(command: Command, directory: &Path, configuration: &str) -> Server {
        let (address, admin) = (free_address(), free_address());
        fs::write(directory.join("artnest.toml"), configuration).expect("the configuration is written");
        let process = serve(command, directory, address, admin);
        let mut server =
            Server { address, admin, directory: directory.to_owned(), process, http: http_client() };
        server.wait_until_up().await;
        server
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("SIGKILL");
        self.process.wait().expect("the end of artnest");
    }

    /// The same again, on the same addresses.
    pub(crate) async fn start_again(&mut self) {
        self.process = serve(Command::new(ARTNEST), &self.directory, self.address, self.admin);
        self.wait_until_up().await;
    }

    pub(crate) async fn crash(&mut self) {
        self.kill();
        self.start_again().await;
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Makes a room; the way in.
    pub(crate) async fn room(&self, name: &str) -> Room {
        self.room_with(json!({ "name": name })).await
    }

    pub(crate) async fn room_with(&self, body: Value) -> Room {
        let response = self.http.post(self.url("/api/rooms")).json(&body).send().await.expect("an answer");
        assert_eq!(response.status(), 201);
        let created: Value = response.json().await.expect("JSON");
        let token = |role: &str| created["links"][role]["token"].as_str().expect("a token").to_owned();
        Room {
            id: created["room"]["id"].as_str().expect("an id").to_owned(),
            address: self.address,
            owner: token("owner"),
            artist: token("artist"),
            viewer: token("viewer"),
        }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> reqwest::Response {
        let mut request = self.http.get(self.url(path));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        request.send().await.expect("an answer")
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Gives the operator's order.
    pub(crate) async fn order(&self, order: Value) -> reqwest::Response {
        let url = format!("http://{}/api/orders", self.admin);
        self.http.post(url).json(&order).send().await.expect("an answer")
    }

    pub(crate) async fn get_admin(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("http://{}{path}", self.admin)).send().await.expect("an answer")
    }

    pub(crate) async fn status(&self) -> Value {
        self.get_admin("/api/status").await.json().await.expect("JSON")
    }

    /// The value of one sample in `/metrics`, named with its labels as it stands there.
    pub(crate) async fn metric(&self, sample: &str) -> f64 {
        let text = self.get_admin("/metrics").await.text().await.expect("text");
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok());
        value.unwrap_or(0.0)
    }

    /// Runs another word of the command line on the same data.
    pub(crate) fn command(&self, words: &[&str]) -> Output {
        command(&self.directory, self.admin, words)
    }

    /// Sends SIGTERM.
    pub(crate) fn ask_to_end(&self) {
        signal(self.pid(), "TERM");
    }

    /// Waits until it has ended; what it ended with.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        eventually("artnest ends", async || self.process.try_wait().expect("the state of artnest")).await
    }

    async fn wait_until_up(&mut self) {
        eventually("artnest is up", async || {
            let ended = self.process.try_wait().expect("the state of artnest");
            assert!(ended.is_none(), "artnest ended at once: {ended:?}");
            let alive = self.http.get(self.url("/healthz")).send().await;
            alive.is_ok_and(|response| response.status().is_success()).then_some(())
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

/// A room and what opens it.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) id: String,
    address: SocketAddr,
    pub(crate) owner: String,
    pub(crate) artist: String,
    pub(crate) viewer: String,
}

impl Room {
    pub(crate) fn as_owner(&self) -> Door {
        self.door(&self.owner)
    }

    pub(crate) fn as_artist(&self) -> Door {
        self.door(&self.artist)
    }

    pub(crate) fn as_viewer(&self) -> Door {
        self.door(&self.viewer)
    }

    pub(crate) fn door(&self, token: &str) -> Door {
        Door { address: self.address, room: self.id.clone(), token: token.to_owned() }
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let kill = format!("kill -{name} {pid}");
    let sent = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
    assert!(sent.success(), "SIG{name} could not be sent");
}

/// A client; `reqwest` is built without a default for TLS, and wants one chosen before the first.
fn http_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// Runs a word of the command line where no server may be.
pub(crate) fn command(directory: &Path, admin: SocketAddr, words: &[&str]) -> Output {
    Command::new(ARTNEST)
        .args(words)
        .arg("--data")
        .arg(directory.join("data"))
        .args(["--admin", &admin.to_string()])
        .env("ARTNEST_LOG", "warn")
        .output()
        .expect("artnest runs")
}

fn serve(mut artnest: Command, directory: &Path, address: SocketAddr, admin: SocketAddr) -> Child {
    artnest
        .args(["serve", "--listen", &address.to_string(), "--admin", &admin.to_string(), "--data"])
        .arg(directory.join("data"))
        .arg("--config")
        .arg(directory.join("artnest.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("artnest starts")
}
