//! What the disk gives without Herald: how long an fsync takes, and how many commits SQLite makes one after another.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const SYNCS: usize = 300;
const INSERTS_FOR: Duration = Duration::from_secs(2);

/// The middle and the slow end of appending a page and syncing it.
pub(crate) fn fsync(folder: &Path) -> Result<String> {
    let mut file = File::create(folder.join("fsync")).context("cannot write where the data will be")?;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[0; 4_096])?;
        let start = Instant::now();
        file.sync_data()?;
        took.push(start.elapsed());
    }
    took.sort();
    let (p50, p99) = (took[SYNCS / 2], took[SYNCS * 99 / 100]);
    Ok(format!("fsync of a page on this disk: p50 {p50:.0?}, p99 {p99:.0?} over {SYNCS}"))
}

/// One row of a notification's size for each commit, with the journal and the durability that Herald uses.
pub(crate) fn inserts_per_second(folder: &Path) -> Result<f64> {
    fs::create_dir(folder)?;
    let database = rusqlite::Connection::open(folder.join("inserts.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE notification (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;",
    )?;
    let mut insert = database.prepare("INSERT INTO notification (body) VALUES (?1)")?;
    let body = crate::server::notification(None).to_string();
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < INSERTS_FOR {
        insert.execute([&body])?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}
