//! `herald key add`: works on the data directory itself, and therefore only while no server holds it.

use std::{io, path::PathBuf, process::ExitCode};

use rusqlite::ErrorCode;
use secrecy::ExposeSecret;

use super::say::hand_over;
use crate::{
    api_key,
    config::{self, Config, Overrides, Place, Secrets},
    store::{self, OpenError, Options, Store},
};

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(
        "{} has no data of Herald's\n\
         Name its directory with --data. In a new one, `herald serve` makes the first key and prints it.",
        .0.display()
    )]
    NoData(PathBuf),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("there is a key called {0:?} already; choose another name")]
    Taken(String),
    #[error("the key could not be stored: {0}")]
    Store(#[from] store::Error),
    #[error(
        "the key was made and cannot be written to standard output: {source}\n\
         It is lost, and nobody can use it. Make another, under another name than {name:?}."
    )]
    Unsaid { name: String, source: io::Error },
}

/// Makes a key, stores its hash, and prints it this once.
///
/// # Errors
///
/// When there is no data yet, the data directory is in use or cannot be written, or nobody reads the key.
pub async fn add_key(name: &str, place: Place) -> Result<ExitCode, Error> {
    let config = Config::load(Overrides { place, ..Overrides::default() }, Secrets::default())?;
    // A key in a directory that was made for it would open no server that anybody knows of.
    if !Store::is_in(&config.data) {
        return Err(Error::NoData(config.data));
    }
    let store = Store::open(&config.data, Options::default())?;
    let key = api_key::generate();
    let added = store.add_api_key(name, api_key::hash(&key)).await;
    store.close().await?;
    added.map_err(|error| why(error, name))?;
    hand_over(format_args!("{}\n", key.expose_secret()))
        .map_err(|source| Error::Unsaid { name: name.to_owned(), source })?;
    Ok(ExitCode::SUCCESS)
}

/// Names are unique, and nothing else constrains a key.
fn why(error: store::Error, name: &str) -> Error {
    match error {
        store::Error::Failed(cause) if cause.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Error::Taken(name.to_owned())
        }
        error => Error::Store(error),
    }
}
