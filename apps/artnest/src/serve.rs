//! The server, from its first line to its last: a story on Ballet's Stage.
//!
//! The store is opened, the ports are taken, then the children run side by side: the store's keeper, the rooms, the
//! connections, and two listeners. SIGTERM makes each finish what it has: connections hear that everything they sent is
//! durable, and are told to come again; then rooms end, and the store is closed by a finalizer, after the last of them.

mod greeting;

use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use ballet::{Phases, Scope, Stage, component};
use tokio::{net::TcpListener, time::Instant};

use crate::{
    config::{self, Config, Overrides, Secrets},
    http::{self, Api, Pictures, Sockets, admin::Admin},
    links::Mint,
    metrics::Metrics,
    office::Office,
    rooms::Rooms,
    socket::Door,
    store::{self, OpenError, Options, Store},
};

/// How long jobs cut off by the end of the drain may take to end.
const CANCEL: Duration = Duration::from_secs(2);
/// How long the store may take to commit what is queued and to close.
const FINALIZE: Duration = Duration::from_secs(10);

/// Why a server did not start, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Runtime(io::Error),
    #[error("cannot listen on {address}: {source}\nName another address, as in {remedy}.")]
    Listen { address: SocketAddr, remedy: &'static str, source: io::Error },
}

/// Serves until a signal ends it; the exit code says whether anything was lost.
///
/// # Errors
///
/// When the configuration is wrong. What fails later is printed, and told by the exit code.
pub fn serve(overrides: Overrides) -> Result<ExitCode, Error> {
    let config = Config::load(overrides, Secrets::from_environment())?;
    let stage = Stage::new().drain(config.drain).cancel(CANCEL).finalize(FINALIZE);
    let phases = stage.phases();
    let curtain = stage.block_on(async |scope| run(scope, config, phases).await).map_err(Error::Runtime)?;
    Ok(curtain.report())
}

async fn run(scope: Scope, config: Config, phases: Phases) -> Result<(), ballet::Error> {
    let store = open(&config)?;
    scope.defer(close(store.clone()));
    let listener = listen(config.listen, "--listen 127.0.0.1:8430").await?;
    let admin_listener = listen(config.admin, "--admin 127.0.0.1:8431").await?;
    let (address, admin_address) = (listener.local_addr()?, admin_listener.local_addr()?);

    let metrics = Arc::new(Metrics::new()?);
    let mint = Mint::new(store.link_secret());
    let rooms = Rooms::new(store.clone(), Arc::clone(&metrics), config.room);
    let door = Door { store: store.clone(), rooms: rooms.clone(), mint: mint.clone(), metrics };
    let api = Arc::new(Api {
        door,
        sockets: Sockets::new(config.connections_max),
        pictures: Pictures::new(),
        creation: config.creation.clone(),
        rooms_max: config.rooms_max,
        origins: config.origins.clone(),
        phases,
    });
    let base = config.base(address);
    let office = Office { store: store.clone(), mint, rooms: Some(rooms.clone()), base };
    let admin =
        Admin { api: Arc::clone(&api), office, key: config.admin_key.clone(), started: Instant::now() };

    scope.named("store").spawn(component(config.drain, keep_open(store)));
    scope.named("rooms").spawn(component(config.drain, rooms.run()));
    scope.named("connections").spawn(component(config.drain, Sockets::run(Arc::clone(&api))));
    scope.named("http").spawn(ballet_http::serve(listener, http::router(api)));
    scope.named("admin").spawn(ballet_http::serve(admin_listener, http::admin::router(&Arc::new(admin))));

    io::stdout().write_all(greeting::text(&config, address, admin_address).as_bytes())?;
    if !address.ip().is_loopback() && config.public_url.is_none() {
        tracing::warn!(%address, "listening beyond this machine without TLS: put a proxy with TLS in front");
    }
    Ok(())
}

fn open(config: &Config) -> Result<Store, OpenError> {
    let store = Store::open(&config.data, Options { disk_free_min: config.disk_free_min, pages_max: None })?;
    tracing::info!(data = %config.data.display(), "the store is open");
    Ok(store)
}

/// Opens the store again when it had to close itself, until the server stops.
async fn keep_open(store: Store) -> Result<(), ballet::Error> {
    tokio::select! {
        () = store.keep_open() => {}
        () = ballet::draining() => {}
    }
    Ok(())
}

async fn close(store: Store) -> Result<(), ballet::Error> {
    match store.close().await {
        // It closed itself before, and said so; what was acknowledged was durable then.
        Ok(()) | Err(store::Error::Closed) => tracing::info!("the store is closed"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn listen(address: SocketAddr, remedy: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, remedy, source })
}
