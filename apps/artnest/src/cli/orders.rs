//! Orders on the command line: given to the server that has the data directory, or carried out here if none has.

use std::{
    fmt::Display,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Export, Operate, Restore, Rooms, visibility};
use crate::{
    config::{self, Config, MIB, Overrides, Place, Secrets},
    links::Mint,
    model::Role,
    office::{self, Format, Office, Order},
    store::{self, OpenError, Options, Store},
};

/// Restoring and checking take their time.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(600);

/// Why an order came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Order(#[from] office::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(
        "the server that has the data is not at {admin}: {source}\nSay where its admin listener is with --admin."
    )]
    OutOfReach { admin: String, source: reqwest::Error },
    #[error("there is no artnest.db in {}\nSay with --data where the data is.", data.display())]
    NoData { data: PathBuf },
    #[error("{0}")]
    Refused(String),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot write to standard output: {0}")]
    Unsaid(#[source] io::Error),
    #[error("say the format with --format png or --format svg")]
    NoFormat,
    #[error("some rooms are damaged")]
    Damaged,
}

/// Carries out what was asked for, and prints what came of it.
///
/// # Errors
///
/// When it came to nothing.
pub async fn run(operate: Operate) -> Result<(), Error> {
    match operate {
        Operate::Rooms(rooms) => run_rooms(rooms).await,
        Operate::Export(export) => run_export(export).await,
        Operate::Backup { file, place } => {
            ledger::copy(&existing(place)?.data, "artnest", &file)?;
            say(file.display())
        }
        Operate::Restore(restore) => run_restore(restore).await,
        Operate::Check { place } => run_check(place).await,
    }
}

async fn run_rooms(rooms: Rooms) -> Result<(), Error> {
    match rooms {
        Rooms::List { place } => list(place).await,
        Rooms::Create { name, public, sheet: (width, height), place } => {
            let order = Order::Create { name, visibility: visibility(public), width, height };
            print_links(&give(&config(place)?, order).await?, None)
        }
        Rooms::Links { room, role, place } => {
            print_links(&give(&existing(place)?, Order::Links { room }).await?, role)
        }
        Rooms::Quota { room, mib, place } => {
            print_room(&give(&existing(place)?, Order::Quota { room, mib }).await?)
        }
        Rooms::Forget { room, place } => print_room(&give(&existing(place)?, Order::Forget { room }).await?),
        Rooms::Delete { room, place } => {
            give(&existing(place)?, Order::Delete { room: room.clone() }).await?;
            say(format_args!("{room} is deleted"))
        }
    }
}

async fn list(place: Place) -> Result<(), Error> {
    let config = existing(place)?;
    let mut listed = give(&config, Order::List { cursor: None }).await?;
    print_heading()?;
    loop {
        for room in listed["items"].as_array().into_iter().flatten() {
            print_line(room)?;
        }
        let Some(cursor) = listed["next"].as_str() else { return Ok(()) };
        listed = give(&config, Order::List { cursor: Some(cursor.to_owned()) }).await?;
    }
}

fn print_heading() -> Result<(), Error> {
    say(format_args!(
        "{:12}  {:>9}  {:>4}  {:>9}  {:>9}  name",
        "room", "strokes", "here", "MiB", "quota MiB"
    ))
}

fn print_line(room: &Value) -> Result<(), Error> {
    let count = |name: &str| room[name].as_u64().unwrap_or(0);
    say(format_args!(
        "{:12}  {:>9}  {:>4}  {:>9}  {:>9}  {}",
        room["id"].as_str().unwrap_or_default(),
        count("strokes"),
        count("online"),
        mib_and_tenths(count("used_bytes")),
        room["quota_bytes"].as_u64().map_or_else(|| "default".to_owned(), |bytes| (bytes / MIB).to_string()),
        room["name"].as_str().unwrap_or_default(),
    ))
}

fn mib_and_tenths(bytes: u64) -> String {
    format!("{}.{}", bytes / MIB, bytes % MIB * 10 / MIB)
}

fn print_room(answer: &Value) -> Result<(), Error> {
    print_heading()?;
    print_line(&answer["room"])
}

fn print_links(answer: &Value, only: Option<Role>) -> Result<(), Error> {
    let base = answer["base"].as_str().unwrap_or_default();
    for role in Role::ALL.into_iter().rev().filter(|role| only.is_none_or(|only| only == *role)) {
        let path = answer["links"][role.as_str()]["path"].as_str().unwrap_or_default();
        match only {
            Some(_) => say(format_args!("{base}{path}"))?,
            None => say(format_args!("{:7}  {base}{path}", role.as_str()))?,
        }
    }
    Ok(())
}

/// Prints a line. That nobody reads it is no failure: what was asked for is done all the same.
fn say(line: impl Display) -> Result<(), Error> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        said => said.map_err(Error::Unsaid),
    }
}

async fn run_export(export: Export) -> Result<(), Error> {
    let Export { room, file, scale, format, place } = export;
    let by_ending = match file.extension().and_then(|ending| ending.to_str()) {
        Some("png") => Some(Format::Png),
        Some("svg") => Some(Format::Svg),
        _ => None,
    };
    let format = format.or(by_ending).ok_or(Error::NoFormat)?;
    let answer = give(&existing(place)?, Order::Export { room, format, scale }).await?;
    let bytes = BASE64_STANDARD.decode(answer["base64"].as_str().unwrap_or_default()).unwrap_or_default();
    fs::write(&file, bytes).map_err(|source| Error::Write { path: file.clone(), source })?;
    say(file.display())
}

async fn run_restore(restore: Restore) -> Result<(), Error> {
    let Restore { file, rooms, place } = restore;
    let config = config(place)?;
    if rooms.is_empty() {
        match store::replace(&config.data, &file) {
            Ok(kept) => {
                say(format_args!("{} is restored", config.data.display()))?;
                return kept
                    .map_or(Ok(()), |kept| say(format_args!("what was there before is {}", kept.display())));
            }
            // A server runs; it restores room by room.
            Err(OpenError::Locked { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let backup = fs::canonicalize(&file).map_err(|source| Error::Read { path: file, source })?;
    let answer = give(&config, Order::Restore { backup, rooms }).await?;
    print_heading()?;
    for room in answer["restored"].as_array().into_iter().flatten() {
        print_line(room)?;
    }
    Ok(())
}

async fn run_check(place: Place) -> Result<(), Error> {
    let config = existing(place)?;
    ledger::check_copy(&config.data.join("artnest.db"))?;
    let answer = give(&config, Order::Check).await?;
    let damaged: Vec<_> = answer["damaged"].as_array().into_iter().flatten().collect();
    for room in &damaged {
        let told = |name: &str| room[name].as_str().unwrap_or_default();
        say(format_args!("{}  {}", told("id"), told("error")))?;
    }
    let rooms = if answer["rooms"] == 1 { "room" } else { "rooms" };
    say(format_args!("{} {rooms}, {} damaged", answer["rooms"], damaged.len()))?;
    if damaged.is_empty() { Ok(()) } else { Err(Error::Damaged) }
}

fn config(place: Place) -> Result<Config, config::Error> {
    // No flag says it here, and links are printed here as well.
    let public_url = std::env::var("ARTNEST_PUBLIC_URL").ok().filter(|url| !url.is_empty());
    Config::load(Overrides { place, public_url, ..Overrides::default() }, Secrets::from_environment())
}

/// The same for orders about what is there: in a wrong folder they would make new data and find nothing in it.
fn existing(place: Place) -> Result<Config, Error> {
    let config = config(place)?;
    if config.data.join("artnest.db").exists() {
        Ok(config)
    } else {
        Err(Error::NoData { data: config.data })
    }
}

/// Has an order carried out.
async fn give(config: &Config, order: Order) -> Result<Value, Error> {
    match open(&config.data) {
        Ok(store) => {
            let mint = Mint::new(store.link_secret());
            let office = Office { mint, store: store.clone(), rooms: None, base: config.base(config.listen) };
            let done = office.carry_out(order).await;
            store.close().await?;
            Ok(done?)
        }
        Err(OpenError::Locked { .. }) => send(config, &order).await,
        Err(error) => Err(error.into()),
    }
}

fn open(data: &Path) -> Result<Store, OpenError> {
    Store::open(data, Options { disk_free_min: 0, pages_max: None })
}

async fn send(config: &Config, order: &Order) -> Result<Value, Error> {
    // The error means that it is done already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let admin = format!("http://{}", config.admin);
    let out_of_reach = |source| Error::OutOfReach { admin: admin.clone(), source };
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(ANSWER_WAIT_MAX).build();
    let request = client.map_err(out_of_reach)?.post(format!("{admin}/api/orders")).json(order);
    let key = config.admin_key.as_ref().map(SecretString::expose_secret);
    let request = match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    };
    let response = request.send().await.map_err(out_of_reach)?;
    let is_good = response.status().is_success();
    let answer: Value = response.json().await.map_err(out_of_reach)?;
    if is_good {
        Ok(answer)
    } else {
        Err(Error::Refused(answer["detail"].as_str().unwrap_or("it was refused").to_owned()))
    }
}
