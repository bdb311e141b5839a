//! A SQLite file with a table of items, for whoever asks by SQL.
//!
//! The id is the primary key, so an item that comes again is not there twice.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::BoxFuture;
use rusqlite::{Connection, params};

use super::{Delivery, Failure, Target, on_disk};
use crate::{
    fields::{Fields, Wrong},
    item::Item,
    store::Entry,
};

/// How long a reader's lock is waited for.
const BUSY_MAX: Duration = Duration::from_secs(10);

const TABLE: &str = "CREATE TABLE IF NOT EXISTS items (
  id TEXT PRIMARY KEY,
  source TEXT NOT NULL,
  title TEXT,
  link TEXT,
  author TEXT,
  published TEXT,
  updated TEXT,
  summary_html TEXT,
  content_html TEXT,
  tags TEXT NOT NULL,
  attachments TEXT NOT NULL,
  came_in TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
)";

pub(super) fn read(fields: &Fields<'_>, folder: &Path) -> Result<Target, Wrong> {
    let path =
        fields.text("path")?.ok_or_else(|| fields.missing("path", "name the file, such as \"items.db\""))?;
    Ok(Target::Sqlite { path: folder.join(path) })
}

pub(super) struct Outlet {
    path: PathBuf,
    /// Away while it is written to.
    connection: Option<Connection>,
}

impl Outlet {
    pub(super) async fn open(path: &Path) -> Result<Self, Failure> {
        let opened = path.to_owned();
        let connection = on_disk(path, move || open(&opened)).await?;
        Ok(Self { path: path.to_owned(), connection: Some(connection) })
    }
}

impl super::Outlet for Outlet {
    fn deliver<'a>(&'a mut self, entries: &'a [Entry]) -> BoxFuture<'a, Delivery> {
        Box::pin(async {
            let Some(mut connection) = self.connection.take() else {
                return Delivery::none(Failure::new("the file is not open"));
            };
            let items: Vec<_> = entries.iter().map(|entry| entry.item.clone()).collect();
            let written = on_disk(&self.path, move || {
                insert(&mut connection, &items).map_err(io::Error::other)?;
                Ok(connection)
            });
            match written.await {
                Ok(connection) => {
                    self.connection = Some(connection);
                    Delivery::all(entries)
                }
                Err(failure) => Delivery::none(failure),
            }
        })
    }
}

fn open(path: &Path) -> io::Result<Connection> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_MAX)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(TABLE)?;
        Ok(connection)
    };
    open().map_err(io::Error::other)
}

fn insert(connection: &mut Connection, items: &[Item]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO items (id, source, title, link, author, published, updated, summary_html, content_html, tags, attachments)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING",
        )?;
        for item in items {
            let json = |value: serde_json::Result<String>| {
                value.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
            };
            insert.execute(params![
                item.id.to_string(),
                item.source.as_str(),
                item.title,
                item.link.as_ref().map(url::Url::as_str),
                item.author,
                item.published.map(|at| at.to_string()),
                item.updated.map(|at| at.to_string()),
                item.summary_html,
                item.content_html,
                json(serde_json::to_string(&item.tags))?,
                json(serde_json::to_string(&item.attachments))?,
            ])?;
        }
    }
    transaction.commit()
}
