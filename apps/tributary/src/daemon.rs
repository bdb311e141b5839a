//! The daemon, from its first line to its last: a story on Ballet's Stage.
//!
//! The file is read, the store is opened, the port is taken; then the children run side by side: the store's keeper, the
//! sources, the sinks, the watch on the file, and the status page. SIGTERM makes visits and deliveries under way finish;
//! what no sink has acknowledged stays in the store, which is closed by a finalizer, after the last of them.

mod address;
mod reload;

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ballet::{Phases, Scope, Stage};
use ballet_http::Server;
use jiff::Timestamp;
use tokio::{net::TcpListener, time::Instant};

use crate::{
    clock::Clock,
    config::{self, Config, Fixed},
    digest::digest,
    http,
    sinks::Sinks,
    source::Kind,
    sources::{Shared, Sources},
    store::{self, Moved, OpenError, Options, Store},
};

/// How long jobs cut off by the end of the drain may take to end.
const CANCEL: Duration = Duration::from_secs(2);
/// Connections to the status page at the same time.
const CONNECTIONS_MAX: usize = 256;
/// How long the store may take to commit what is queued and to close.
const FINALIZE: Duration = Duration::from_secs(10);

/// Why a daemon did not start, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Runtime(io::Error),
    #[error(
        "cannot listen on {address}: {source}\nWrite another address, as in `listen = \"127.0.0.1:8441\"`."
    )]
    Listen { address: SocketAddr, source: io::Error },
    #[error("{}{}", .0, where_data_stands(.0))]
    Open(#[from] OpenError),
}

/// The end of the ledger's remedy, which knows of no file.
fn where_data_stands(error: &OpenError) -> &'static str {
    match error {
        OpenError::Locked { .. } | OpenError::NotADirectory { .. } => " in the file",
        _ => "",
    }
}

/// What a daemon is started with.
#[derive(Debug, Clone)]
pub struct Start {
    /// The file of settings.
    pub path: PathBuf,
    /// The kinds of sources that it may name.
    pub kinds: &'static [&'static dyn Kind],
    pub clock: Clock,
}

/// A daemon that runs.
#[derive(Debug)]
pub struct Daemon {
    start: Start,
    /// What it was started with, whatever the file says since.
    fixed: Fixed,
    pub(crate) shared: Arc<Shared>,
    pub(crate) sources: Sources,
    pub(crate) sinks: Sinks,
    pub(crate) phases: Phases,
    pub(crate) began: Instant,
    settings: Mutex<Settings>,
}

/// The file, as it is in force, and what became of its last change.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) config: Arc<Config>,
    /// Of its text, by which it is known again.
    digest: String,
    pub(crate) loaded_at: Timestamp,
    /// Why the file as it is now is not in force.
    pub(crate) fault: Option<String>,
    /// What of it needs another start.
    pub(crate) waits_for_restart: Vec<&'static str>,
    pub(crate) reloads: u64,
}

/// Runs until a signal ends it; the exit code says whether anything was lost.
///
/// # Errors
///
/// When the file is wrong or the runtime cannot be had. What fails later is printed, and told by the exit code.
pub fn run(start: Start) -> Result<ExitCode, Error> {
    let text = config::read_text(&start.path)?;
    let config = Arc::new(Config::parse(&start.path, &text, start.kinds)?);
    let stage = Stage::new().drain(config.fixed.drain).cancel(CANCEL).finalize(FINALIZE);
    let phases = stage.phases();
    let program = async |scope: Scope| {
        let daemon = play(&scope, start, config, text, phases).await?;
        io::stdout().write_all(greeting(&daemon.0, daemon.1).as_bytes())?;
        Ok(())
    };
    Ok(stage.block_on(program).map_err(Error::Runtime)?.report())
}

/// Starts all parts in a scope, and gives the daemon and where its status page is. The text is that of `config`.
///
/// # Errors
///
/// When the store cannot be opened, or the port is taken.
pub async fn play(
    scope: &Scope,
    start: Start,
    config: Arc<Config>,
    text: String,
    phases: Phases,
) -> Result<(Arc<Daemon>, SocketAddr), ballet::Error> {
    let store = open(&config)?;
    scope.defer(close(store.clone()));
    set_sinks(&store, &config).await?;
    let address = config.fixed.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    let address = listener.local_addr()?;
    let data = config.fixed.data.clone();
    address::write(&data, address);
    scope.defer(async move {
        address::remove(&data);
        Ok(())
    });

    let shared = Arc::new(Shared::new(store.clone(), start.clock.clone(), &config));
    let settings = Settings {
        config: Arc::clone(&config),
        digest: digest(&text),
        loaded_at: start.clock.now(),
        fault: None,
        waits_for_restart: Vec::new(),
        reloads: 0,
    };
    let daemon = Arc::new(Daemon {
        start,
        fixed: config.fixed.clone(),
        sources: Sources::new(Arc::clone(&shared)),
        sinks: Sinks::new(Arc::clone(&shared)),
        shared,
        phases,
        began: Instant::now(),
        settings: Mutex::new(settings),
    });

    scope.named("store").spawn(watch_over(store));
    let (here, first) = (Arc::clone(&daemon), Arc::clone(&config));
    scope.named("sinks").spawn(async move { here.sinks.run(first).await });
    let (here, first) = (Arc::clone(&daemon), config);
    scope.named("sources").spawn(async move { here.sources.run(first).await });
    let here = Arc::clone(&daemon);
    let server = Server::new(listener, http::router(&daemon)).connections_max(CONNECTIONS_MAX);
    scope.named("settings").spawn(async move { here.watch_file().await });
    scope.named("status").spawn(server.serve());
    Ok((daemon, address))
}

/// Where the daemon of these settings listens, or would.
pub(crate) fn address_of(settings: &Fixed) -> SocketAddr {
    address::read(&settings.data).unwrap_or(settings.listen)
}

impl Daemon {
    /// The file of settings.
    pub(crate) fn path(&self) -> &Path {
        &self.start.path
    }

    pub(crate) fn settings(&self) -> Settings {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(config: &Config) -> Result<Store, Error> {
    let options = Options { disk_free_min: config.fixed.disk_free_min, pages_max: None };
    let store = Store::open(&config.fixed.data, options)?;
    tracing::info!(data = %config.fixed.data.display(), "the store is open");
    Ok(store)
}

/// Has the store know the sinks of these settings. Nothing that was owed to others is lost in silence.
async fn set_sinks(store: &Store, config: &Config) -> Result<(), store::Error> {
    let Moved { aside, back } = store.set_sinks(config.sinks.keys().cloned().collect()).await?;
    for (sink, items) in aside {
        tracing::warn!(
            sink,
            items,
            "the sink is gone; what it was still owed is kept aside until the file names it again"
        );
    }
    for (sink, items) in back {
        tracing::info!(sink, items, "the sink is there again, and is given what was kept aside for it");
    }
    Ok(())
}

/// A store that closed itself cannot say what is durable; the next start finds out.
async fn watch_over(store: Store) -> Result<(), ballet::Error> {
    tokio::select! {
        () = store.closed() => Err(ballet::Error::msg("the disk failed, and the store has closed itself; see the log")),
        () = ballet::draining() => Ok(()),
    }
}

async fn close(store: Store) -> Result<(), ballet::Error> {
    match store.close().await {
        Ok(()) | Err(store::Error::Closed) => tracing::info!("the store is closed"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn greeting(daemon: &Daemon, address: SocketAddr) -> String {
    let settings = daemon.settings();
    let summary = settings.config.summary();
    let next = if settings.config.sources.is_empty() {
        "\n  Next: tributary add https://blog.rust-lang.org/feed.xml\n"
    } else {
        ""
    };
    format!(
        "Tributary {}\n\n  status   http://{address}/\n  file     {}: {summary}; both may change while it runs\n  data     {}\n{next}\n",
        env!("CARGO_PKG_VERSION"),
        daemon.path().display(),
        settings.config.fixed.data.display(),
    )
}
