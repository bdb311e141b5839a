//! The server, from its first line to its last: a story on Ballet's Stage.
//!
//! The store is opened and recovers, the port is taken (the other way round at the first start), then two children run
//! side by side: `http` and `providers`. SIGTERM makes each of them finish what it has; the store is closed by a
//! finalizer, after the last of them ended. Read `http` and `deliver` for what the children do.

mod greeting;

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use ballet::{Scope, Stage};
use ballet_http::Health;
use tokio::net::TcpListener;

use crate::{
    api_key,
    cli::hand_over,
    config::{self, Config, Overrides, Secrets},
    deliver::Engine,
    http,
    provider::{Outbox, Provider, Smtp},
    store::{self, OpenError, Options, Store},
};

/// How long jobs cut off by the end of the drain may take to note down how far they came.
const CANCEL: Duration = Duration::from_secs(5);
/// How long the store may take to commit what is queued and to close.
const FINALIZE: Duration = Duration::from_secs(10);
/// The name of the key that the first start makes or is given.
const FIRST_KEY: &str = "default";
/// Whom mails come from while nobody has configured a sender.
const OUTBOX_SENDER: &str = "Herald <herald@herald.localhost>";

/// Why a server did not start, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Runtime(io::Error),
    #[error(
        "cannot listen on {address}: {source}\nName another address with --listen, as in --listen 127.0.0.1:8081."
    )]
    Listen { address: SocketAddr, source: io::Error },
    #[error(
        "the first API key was made and cannot be written to standard output: {0}\n\
         It is lost, and nobody can use it. Make another with `herald key add NAME`, under another name than {FIRST_KEY:?}."
    )]
    KeyUnsaid(io::Error),
}

/// Serves until a signal ends it; the exit code says whether anything was lost.
///
/// # Errors
///
/// When the configuration is wrong. What fails later is printed, and told by the exit code.
pub fn serve(overrides: Overrides) -> Result<ExitCode, Error> {
    let config = Config::load(overrides, Secrets::from_environment())?;
    let stage = Stage::new().drain(config.drain).cancel(CANCEL).finalize(FINALIZE);
    let health = Health::new(stage.phases());
    let curtain = stage.block_on(async |scope| run(scope, config, health).await).map_err(Error::Runtime)?;
    Ok(curtain.report())
}

async fn run(scope: Scope, config: Config, health: Health) -> Result<(), ballet::Error> {
    // Before anything is made: settings that cannot work leave neither data nor a key behind.
    let providers = providers(&config)?;
    // Whoever holds the data holds the port as well, and is told by the data. Where there is none yet, the port comes
    // first: one that is taken leaves nothing behind.
    let early = if Store::is_in(&config.data) { None } else { Some(listen(config.listen).await?) };
    let store = open(&config)?;
    scope.defer(close(store.clone()));
    // A key that is made is shown once, so the port is there before it.
    let listener = match early {
        Some(listener) => listener,
        None => listen(config.listen).await?,
    };
    let key = first_key(&store, &config).await?;
    let address = listener.local_addr()?;
    greet(&config, address, &key)?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "listening beyond this machine without TLS: put a proxy with TLS in front");
    }

    let engine = Engine::new(&store, providers);
    warn_of_stranded(&store, &engine).await?;
    let api = http::Api::new(store.clone(), store.api_keys().await?, engine.monitor())?;
    scope.named("http").spawn(ballet_http::serve(listener, http::router(api, health)));
    scope.named("providers").spawn(engine.run());
    Ok(())
}

fn open(config: &Config) -> Result<Store, OpenError> {
    let store = Store::open(&config.data, options(config))?;
    let recovered = store.recovered();
    tracing::info!(epoch = %store.epoch(), recovered.released, recovered.unknown, "the store is open");
    Ok(store)
}

fn options(config: &Config) -> Options {
    let options = Options { disk_free_min: config.disk_free_min, ..Options::default() };
    match &config.smtp {
        None => options,
        Some(smtp) => Options {
            email_provider: "smtp".to_owned(),
            message_domain: smtp.from.email.domain().to_owned(),
            ..options
        },
    }
}

async fn close(store: Store) -> Result<(), ballet::Error> {
    store.close().await?;
    tracing::info!("the store is closed");
    Ok(())
}

/// Makes sure that there is a key. One that the operator gives counts at the first start only: later, a forgotten
/// variable must not open the door again.
async fn first_key(store: &Store, config: &Config) -> Result<greeting::Key, store::Error> {
    let known = store.api_keys().await?;
    if !known.is_empty() {
        let given = config.api_key.as_ref().map(api_key::hash);
        if given.is_some_and(|given| known.iter().all(|key| key.sha256 != given)) {
            tracing::warn!("HERALD_API_KEY is none of the known keys; it counts at the first start only");
        }
        return Ok(greeting::Key::Known);
    }
    let (key, told) = match &config.api_key {
        Some(key) => (key.clone(), greeting::Key::Given),
        None => {
            let key = api_key::generate();
            (key.clone(), greeting::Key::Made(key))
        }
    };
    store.add_api_key(FIRST_KEY, api_key::hash(&key)).await?;
    Ok(told)
}

/// Says where it is. A server whose output nobody reads serves all the same, unless a key was in it.
fn greet(config: &Config, address: SocketAddr, key: &greeting::Key) -> Result<(), Error> {
    let Err(error) = hand_over(greeting::text(config, address, key)) else { return Ok(()) };
    if matches!(key, greeting::Key::Made(_)) {
        return Err(Error::KeyUnsaid(error));
    }
    tracing::warn!(%error, %address, "cannot write to standard output");
    Ok(())
}

/// A provider that left the configuration may have left deliveries behind, which nobody claims.
async fn warn_of_stranded(store: &Store, engine: &Engine) -> Result<(), store::Error> {
    let configured: Vec<_> = engine.monitor().providers().map(|provider| provider.name).collect();
    for (provider, waiting) in store.counts().await?.claimable_by_provider {
        if !configured.contains(&provider.as_str()) {
            tracing::warn!(provider, waiting, "deliveries wait for a provider that is no longer configured");
        }
    }
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// The relay where there is one, and always the outbox: deliveries that were planned for it before are still there.
fn providers(config: &Config) -> Result<Vec<Provider>, ballet::Error> {
    let Some(settings) = &config.smtp else {
        return Ok(vec![Provider::Outbox(Outbox::new(OUTBOX_SENDER.parse()?))]);
    };
    let outbox = Provider::Outbox(Outbox::new(settings.from.clone()));
    Ok(vec![Provider::Smtp(Smtp::new(settings.clone())?), outbox])
}
