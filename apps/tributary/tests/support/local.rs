//! A daemon inside the test's own process, for what only a test can hand in: kinds that panic, a clock that jumps.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use ballet::{Curtain, Phases, Stage};
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinHandle};
use tributary::{
    clock::Clock,
    config::Config,
    daemon::{self, Start},
    source::Kind,
};

use super::{http_client, source_of};

/// Runs until it is ended or dropped; then it drains.
pub(crate) struct Local {
    path: PathBuf,
    address: SocketAddr,
    phases: Phases,
    stage: JoinHandle<Curtain>,
    http: reqwest::Client,
}

impl Local {
    /// Starts one on the file `tributary.toml` in the folder, with this text, and waits until it answers.
    pub(crate) async fn start(
        folder: &Path,
        text: &str,
        kinds: &'static [&'static dyn Kind],
        clock: Clock,
    ) -> Local {
        let path = folder.join("tributary.toml");
        fs::write(&path, text).expect("the file is written");
        let start = Start { path: path.clone(), kinds, clock };
        let config = Arc::new(Config::parse(&path, text, kinds).unwrap_or_else(|error| panic!("{error}")));
        let stage = Stage::new().drain(config.fixed.drain);
        let phases = stage.phases();
        let (told, tell) = oneshot::channel();
        let (text, inner) = (text.to_owned(), phases.clone());
        #[expect(clippy::disallowed_methods, reason = "a stage is the root of its jobs, beside the test")]
        let stage = tokio::spawn(async move {
            let curtain = stage.run(async move |scope| {
                let (_, address) = daemon::play(&scope, start, config, text, inner).await?;
                told.send(address).map_err(|_| ballet::Error::msg("the test is gone"))
            });
            let curtain = curtain.await;
            // A test that finds the port closed has no other way to say why.
            eprintln!("{curtain}");
            curtain
        });
        let address = tell.await.expect("the daemon starts; its error stands in the curtain");
        Local { path, address, phases, stage, http: http_client() }
    }

    /// Puts another file in its place, so that the daemon never reads half of one.
    pub(crate) fn write(&self, text: &str) {
        self.write_at(text, SystemTime::now());
    }

    /// As [`write`](Self::write), with another time of change.
    pub(crate) fn write_at(&self, text: &str, time: SystemTime) {
        let beside = self.path.with_extension("new");
        fs::write(&beside, text).expect("the file is written");
        let file = fs::File::options().write(true).open(&beside).expect("the file is there");
        file.set_modified(time).expect("it takes its time");
        fs::rename(&beside, &self.path).expect("it takes its name");
    }

    pub(crate) async fn status(&self) -> Value {
        let answer = self.http.get(format!("http://{}/api/status", self.address)).send().await;
        answer.expect("the daemon answers").json().await.expect("JSON")
    }

    /// One source's part of the status; null where there is none.
    pub(crate) async fn source(&self, name: &str) -> Value {
        source_of(&self.status().await, name)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Has it drain; how it ended.
    pub(crate) async fn end(self) -> Curtain {
        self.phases.shut_down();
        self.stage.await.expect("the stage returns")
    }
}
