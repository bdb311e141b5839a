//! What the store promises about a log, whatever is done to it between two looks.

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::{
    canvas::{Canvas, Tally},
    model::{Role, Visibility},
    wire::{LogFrame, Op, Point, PointsWriter, Record, RecordIter, put_record},
};

fn open(directory: &tempfile::TempDir) -> Store {
    Store::open(directory.path(), Options { disk_free_min: 0, pages_max: None }).unwrap()
}

async fn room(store: &Store) -> RoomRow {
    let new = NewRoom { name: "Room".into(), visibility: Visibility::Public, width: 100, height: 100 };
    store.create_room(new, 10).await.unwrap().unwrap()
}

/// A log as it should be, and the drawing that it comes to.
#[derive(Default)]
struct Model {
    records: Vec<Vec<u8>>,
    canvas: Canvas<Tally>,
    numbers: [u32; 3],
}

impl Model {
    /// Some records that are allowed, encoded.
    fn draw(&mut self, rng: &mut StdRng) -> (u16, Bytes) {
        let (mut batch, mut count) = (Vec::new(), 0);
        for _ in 0..rng.random_range(1..8) {
            let member = rng.random_range(1..=3_u32);
            let points: PointsWriter = (0..rng.random_range(0..40))
                .map(|_| Point { x: rng.random_range(0..999), y: rng.random_range(0..999), pressure: 7 })
                .collect();
            let stroke = rng.random_range(1..30);
            let op = match rng.random_range(0..6) {
                0..=1 => Op::Begin {
                    layer: 0,
                    tool: 0,
                    colour: [0; 4],
                    size: 9,
                    ends: false,
                    points: points.points(),
                },
                2..=3 => Op::Points { stroke, ends: false, points: points.points() },
                4 => Op::Undo { stroke },
                _ => Op::Redo { stroke },
            };
            if self.canvas.check(member, Role::Artist, &op).is_err() {
                continue;
            }
            let number = &mut self.numbers[usize::try_from(member - 1).unwrap()];
            *number += 1;
            let record = Record { member, number: *number, op };
            self.canvas.apply(&record).unwrap();
            let mut bytes = Vec::new();
            put_record(&mut bytes, &record);
            batch.extend_from_slice(&bytes);
            self.records.push(bytes);
            count += 1;
        }
        (count, batch.into())
    }
}

async fn append(store: &Store, row: &RoomRow, model: &mut Model, rng: &mut StdRng) {
    let before = u64::try_from(model.records.len()).unwrap();
    let (count, records) = model.draw(rng);
    if count == 0 {
        return;
    }
    let frame = LogFrame { first: before + 1, at: before, count, records };
    let batch = Batch { room: row.key, log_id: row.log_id, frame, strokes: model.canvas.visible() };
    assert!(matches!(store.append(batch).await.unwrap(), Appended::Durable { .. }));
}

async fn check(store: &Store, row: &RoomRow, model: &Model, rng: &mut StdRng) {
    let loaded = store.load(row.key).await.unwrap().unwrap();
    assert_eq!(loaded.row.seq, u64::try_from(model.records.len()).unwrap());
    assert_eq!(loaded.canvas.visible(), model.canvas.visible());
    for (member, &number) in (1..).zip(&model.numbers) {
        assert_eq!(loaded.last_ops.get(&member).copied().unwrap_or(0), number);
    }
    // From any place on, everything that follows, without a gap.
    let base = loaded.row.base_seq;
    let from = rng.random_range(base..=loaded.row.seq);
    let (mut seq, mut bytes) = (from, Vec::new());
    loop {
        let frames = store.frames_after(row.key, seq, 500).await.unwrap();
        if frames.is_empty() {
            break;
        }
        for frame in frames {
            assert_eq!(frame.first, seq + 1);
            assert_eq!(
                RecordIter::new(&frame.records).filter(Result::is_ok).count(),
                usize::from(frame.count)
            );
            bytes.extend_from_slice(&frame.records);
            seq = frame.last();
        }
    }
    assert_eq!(bytes, model.records[usize::try_from(from).unwrap()..].concat());
}

#[tokio::test]
async fn a_log_stays_what_it_is_through_snapshots_packing_forgetting_and_reopening() {
    for seed in 0..8 {
        let mut rng = StdRng::seed_from_u64(seed);
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(&directory);
        let row = room(&store).await;
        // Members, so that their last operations have a place beside the log.
        for key in 1..=3 {
            let entry = Entry { key_sha256: [key; 32], role: Some(Role::Artist), name: String::new() };
            let admission = store.admit(row.key, entry).await.unwrap();
            assert!(matches!(admission, Admission::Member { member, .. } if member == u32::from(key)));
        }
        let mut model = Model::default();
        for _ in 0..40 {
            match rng.random_range(0..10) {
                0 => assert!(store.compact(row.key).await.unwrap()),
                1 => {
                    let forgot = store.forget(row.key).await.unwrap().unwrap();
                    assert_eq!(forgot.base_seq, forgot.seq);
                }
                2 => {
                    store.close().await.unwrap();
                    store = open(&directory);
                }
                _ => append(&store, &row, &mut model, &mut rng).await,
            }
            check(&store, &row, &model, &mut rng).await;
        }
    }
}

#[tokio::test]
async fn a_batch_that_does_not_follow_the_log_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let row = room(&store).await;
    let mut rng = StdRng::seed_from_u64(1);
    let mut model = Model::default();
    append(&store, &row, &mut model, &mut rng).await;
    let seq = u64::try_from(model.records.len()).unwrap();
    let frame = LogFrame { first: 1, at: 0, count: 1, records: Bytes::from(model.records[0].clone()) };
    let good = Batch { room: row.key, log_id: row.log_id, frame, strokes: 0 };
    let after = |first| LogFrame { first, ..good.frame.clone() };
    for batch in [
        good.clone(),
        Batch { frame: after(seq + 2), ..good.clone() },
        Batch { frame: after(seq + 1), log_id: row.log_id ^ 1, ..good.clone() },
    ] {
        assert_eq!(store.append(batch).await.unwrap(), Appended::Fenced);
    }
    check(&store, &row, &model, &mut rng).await;
    assert!(store.delete_room(row.key).await.unwrap());
    let batch = Batch { frame: after(seq + 1), ..good };
    assert_eq!(store.append(batch).await.unwrap(), Appended::Fenced);
}

#[tokio::test]
async fn what_a_deleted_room_took_up_is_free_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let row = room(&store).await;
    let mut rng = StdRng::seed_from_u64(1);
    let mut model = Model::default();
    append(&store, &row, &mut model, &mut rng).await;
    store.compact(row.key).await.unwrap();
    assert!(store.totals().await.unwrap().used_bytes > 0);
    store.delete_room(row.key).await.unwrap();
    for table in ["room", "member", "log", "snapshot", "part"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let query = move |connection: &Connection| connection.query_row(&sql, [], |row| row.get::<_, i64>(0));
        assert_eq!(store.ledger().read(query).await.unwrap(), 0, "{table}");
    }
}

#[tokio::test]
async fn below_the_floor_of_free_disk_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let row = room(&open(&directory)).await;
    let store = Store::open(directory.path(), Options { disk_free_min: u64::MAX, pages_max: None }).unwrap();
    let frame = LogFrame { first: 1, at: 0, count: 0, records: Bytes::new() };
    let batch = Batch { room: row.key, log_id: row.log_id, frame, strokes: 0 };
    assert_eq!(store.append(batch).await.unwrap(), Appended::DiskIsLow);
    assert!(matches!(store.probe().await, Err(Error::DiskFull)));
}

#[tokio::test]
async fn a_store_whose_disk_failed_is_not_replaced_under_its_server_and_opens_again() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&directory);
    let backup = elsewhere.path().join("backup");
    ledger::copy(directory.path(), "artnest", &backup).unwrap();
    let row = room(&store).await;
    let failed_disk = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
    let fails = move |_: &ledger::Tx<'_, ()>| Err::<(), _>(rusqlite::Error::SqliteFailure(failed_disk, None));
    store.ledger().write(fails).await.unwrap_err();
    store.ledger().closed().await;
    let replaced = replace(directory.path(), &backup);
    assert!(matches!(replaced, Err(OpenError::Locked { .. })), "{replaced:?}");
    store.reopen().await.unwrap();
    assert!(store.is_writable() && store.load(row.key).await.unwrap().is_some());
    store.close().await.unwrap();
    assert!(replace(directory.path(), &backup).unwrap().is_some());
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_kept_with_its_log_and_the_backup_takes_its_place() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&directory);
    let id = room(&store).await.id;
    store.close().await.unwrap();
    let backup = elsewhere.path().join("backup");
    ledger::copy(directory.path(), "artnest", &backup).unwrap();
    let here = |name: &str| directory.path().join(name);
    let foreign = "no database at all, though as long as the header of one would be ".repeat(20);
    std::fs::write(here("artnest.db"), &foreign).unwrap();
    std::fs::write(here("artnest.db-wal"), "a log of nobody's").unwrap();
    let kept = replace(directory.path(), &backup).unwrap();
    assert_eq!(kept, Some(here("artnest.db.before-restore-1")));
    assert_eq!(std::fs::read_to_string(here("artnest.db.before-restore-1")).unwrap(), foreign);
    let log = std::fs::read_to_string(here("artnest.db.before-restore-1-wal")).unwrap();
    assert_eq!(log, "a log of nobody's");
    assert!(!here("artnest.db-wal").exists() && !here("artnest.db.restoring").exists());
    let store = open(&directory);
    assert!(store.room(id).await.unwrap().is_some());
}

#[tokio::test]
async fn what_a_killed_server_left_in_the_log_is_in_the_file_that_is_kept() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&directory);
    let backup = elsewhere.path().join("backup");
    ledger::copy(directory.path(), "artnest", &backup).unwrap();
    let id = room(&store).await.id;
    for name in ["artnest.db", "artnest.db-wal"] {
        std::fs::copy(directory.path().join(name), elsewhere.path().join(name)).unwrap();
    }
    let kept = replace(elsewhere.path(), &backup).unwrap().unwrap();
    assert_eq!(Backup::open(&kept).unwrap().rooms().unwrap(), [id]);
    assert!(open(&elsewhere).room(id).await.unwrap().is_none());
}

#[tokio::test]
async fn while_somebody_reads_the_file_nothing_takes_its_place_and_no_copy_is_left() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&directory);
    let before = room(&store).await.id;
    let backup = elsewhere.path().join("backup");
    ledger::copy(directory.path(), "artnest", &backup).unwrap();
    store.close().await.unwrap();
    let connect = || Connection::open(directory.path().join("artnest.db")).unwrap();
    let (reader, writer) = (connect(), connect());
    reader.execute_batch("BEGIN; SELECT count(*) FROM room").unwrap();
    writer.execute("UPDATE room SET name = 'Later'", []).unwrap();
    let refused = replace(directory.path(), &backup);
    assert!(matches!(refused, Err(OpenError::Database { .. })), "{refused:?}");
    drop((reader, writer));
    let names = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
    assert!(!names.iter().any(|name| name.contains("restor")), "{names:?}");
    let store = open(&directory);
    assert_eq!(&*store.room(before).await.unwrap().unwrap().name, "Later");
}

#[tokio::test]
async fn a_backup_that_breaks_while_it_is_copied_closes_nothing() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&directory);
    let row = room(&store).await;
    let (mut rng, mut model) = (StdRng::seed_from_u64(1), Model::default());
    for _ in 0..200 {
        append(&store, &row, &mut model, &mut rng).await;
    }
    let path = elsewhere.path().join("backup");
    ledger::copy(directory.path(), "artnest", &path).unwrap();
    let backup = Backup::open(&path).unwrap();
    assert!(backup.check(row.id).unwrap());
    let torn = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    torn.set_len(4_096).unwrap();
    assert!(store.restore_room(&backup, row.id).await.is_err());
    // A store that closes itself does so after it has answered.
    store.delete_room(room(&store).await.key).await.unwrap();
    check(&store, &row, &model, &mut rng).await;
}

#[tokio::test]
async fn a_check_reads_also_what_joining_does_without() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let row = room(&store).await;
    let (mut rng, mut model) = (StdRng::seed_from_u64(1), Model::default());
    append(&store, &row, &mut model, &mut rng).await;
    store.compact(row.key).await.unwrap();
    assert!(store.check(row.key).await.unwrap());
    let spoil = |tx: &ledger::Tx<'_, ()>| tx.connection.execute("UPDATE log SET bytes = zeroblob(9)", []);
    store.ledger().write(spoil).await.unwrap();
    assert!(store.load(row.key).await.is_ok() && store.check(row.key).await.is_err());
}
