//! What a ledger promises, at its boundary.

use std::{fs, time::Duration};

use ledger::{Error, Ledger, OpenError, Options, check_copy, copy};

const MIGRATIONS: [&str; 1] =
    ["CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT"];

fn open_with(directory: &tempfile::TempDir, options: Options) -> Ledger {
    Ledger::open(directory.path(), options, &MIGRATIONS, |_| Ok(())).expect("the ledger opens")
}

fn open(directory: &tempfile::TempDir) -> Ledger {
    open_with(directory, Options::new("test"))
}

async fn add(ledger: &Ledger, text: impl Into<String>) -> Result<i64, Error> {
    let text = text.into();
    ledger
        .write(move |tx| {
            tx.prepare("INSERT INTO note (text) VALUES (?1)")?.execute([&text])?;
            Ok(tx.connection.last_insert_rowid())
        })
        .await
}

async fn count(ledger: &Ledger) -> i64 {
    let query = |connection: &rusqlite::Connection| {
        connection.query_row("SELECT count(*) FROM note", [], |row| row.get(0))
    };
    ledger.read(query).await.expect("the ledger reads")
}

#[tokio::test]
async fn what_a_write_returned_is_there_after_the_next_open() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory);
    assert_eq!(add(&ledger, "one").await.unwrap(), 1);
    ledger.close().await.unwrap();
    assert_eq!(count(&open(&directory)).await, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn what_it_makes_is_private_in_a_directory_that_is_not() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let ledger = open(&directory);
    add(&ledger, "secret").await.unwrap();
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        let mode = directory.path().join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn writes_that_come_together_share_commits_and_one_that_fails_spoils_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory);
    add(&ledger, "taken").await.unwrap();
    let writes = (0..200).map(|number| {
        let text = if number % 50 == 7 { "taken".to_owned() } else { format!("note {number}") };
        add(&ledger, text)
    });
    let mut failed = 0;
    for result in futures_util::future::join_all(writes).await {
        failed += usize::from(matches!(result, Err(Error::Failed(_))));
    }
    assert_eq!(failed, 4);
    assert_eq!(count(&ledger).await, 1 + 196);
    let stats = ledger.stats();
    assert_eq!(stats.operations, 1 + 196);
}

#[tokio::test]
async fn a_second_process_is_told_who_has_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let _first = open(&directory);
    let second = Ledger::<()>::open(directory.path(), Options::new("test"), &MIGRATIONS, |_| Ok(()));
    let error = second.expect_err("the directory is held");
    assert!(
        matches!(error, OpenError::Locked { pid: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    open(&directory).close().await.unwrap();
    let opened = Ledger::<()>::open(directory.path(), Options::new("test"), &[], |_| Ok(()));
    assert!(matches!(opened, Err(OpenError::TooNew { found: 1, known: 0, .. })));
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_takes_what_does_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open_with(&directory, Options { pages_max: Some(16), ..Options::new("test") });
    let big = "x".repeat(200_000);
    assert!(matches!(add(&ledger, big).await, Err(Error::DiskFull)));
    assert!(!ledger.is_closed());
    add(&ledger, "small").await.expect("there is room for it");
}

#[tokio::test]
async fn a_closed_ledger_says_so_to_whoever_waits_and_whoever_writes() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory);
    let other = ledger.clone();
    let waiting = tokio::time::timeout(Duration::from_secs(30), other.closed());
    let (closed, told) = tokio::join!(ledger.close(), waiting);
    closed.unwrap();
    told.expect("the closing is told");
    assert!(matches!(add(&other, "late").await, Err(Error::Closed)));
}

#[tokio::test]
async fn a_ledger_that_closed_itself_keeps_the_directory_for_the_one_that_follows_it() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(&directory);
    add(&ledger, "one").await.unwrap();
    let failed_disk = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
    let failed = ledger.write(move |_| Err::<(), _>(rusqlite::Error::SqliteFailure(failed_disk, None))).await;
    assert!(matches!(failed, Err(Error::Failed(_))));
    ledger.closed().await;
    let open_anew = || Ledger::<()>::open(directory.path(), Options::new("test"), &MIGRATIONS, |_| Ok(()));
    assert!(matches!(open_anew(), Err(OpenError::Locked { .. })));
    let reopen = |migrations| ledger.reopen(directory.path(), Options::new("test"), migrations, |_| Ok(()));
    assert!(matches!(reopen(&[]), Err(OpenError::TooNew { .. })));
    assert!(matches!(open_anew(), Err(OpenError::Locked { .. })), "a failed try lets nothing go");
    let again = reopen(&MIGRATIONS).expect("it opens again");
    drop(ledger);
    assert!(matches!(open_anew(), Err(OpenError::Locked { .. })));
    add(&again, "two").await.unwrap();
    again.close().await.unwrap();
    assert_eq!(count(&open(&directory)).await, 2);
}

#[tokio::test]
async fn a_copy_of_a_file_in_use_is_whole_and_opens() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ledger = open(&directory);
    for number in 0..100 {
        add(&ledger, format!("note {number}")).await.unwrap();
    }
    let target = elsewhere.path().join("test.db");
    copy(directory.path(), "test", &target).unwrap();
    add(&ledger, "after the copy").await.unwrap();
    check_copy(&target).unwrap();
    assert_eq!(count(&open(&elsewhere)).await, 100);
    let again = copy(directory.path(), "test", &target).expect_err("the place is taken");
    assert!(matches!(again, OpenError::Exists { .. }));
    let nowhere = elsewhere.path().join("missing/test.db");
    let unwritable = copy(directory.path(), "test", &nowhere).expect_err("there is no such directory");
    assert!(matches!(&unwritable, OpenError::Io { path, .. } if *path == nowhere), "{unwritable}");
}

#[cfg(unix)]
#[test]
fn a_copy_is_for_nobody_else_to_read_also_over_the_rest_of_one_that_broke_off() {
    use std::os::unix::fs::PermissionsExt;

    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(&directory));
    let target = elsewhere.path().join("test.db");
    let rest = elsewhere.path().join(format!("test.db.unfinished-{}", std::process::id()));
    fs::write(&rest, "half").unwrap();
    copy(directory.path(), "test", &target).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!rest.exists());
}

#[test]
fn a_damaged_copy_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.db");
    fs::write(&path, b"SQLite format 3\0 and then nothing of the kind").unwrap();
    assert!(check_copy(&path).is_err());
}
