//! A client that is behind: whatever it missed of the flow, it gets from the store, once and in order.

use ballet::{SharedFlow, Sharing, flow::SharedEmitter};
use futures_util::FutureExt;

use super::*;
use crate::{
    model::Visibility,
    store::{Batch, NewRoom, Options, RoomRow},
    wire::{Op, Record, ServerFrame, put_record},
};

struct Studio {
    store: Store,
    row: RoomRow,
    fans: SharedEmitter<Fan>,
    log: SharedFlow<Fan>,
    seq: u64,
    _directory: tempfile::TempDir,
}

impl Studio {
    async fn open() -> Studio {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Options { disk_free_min: 0, pages_max: None }).unwrap();
        let new = NewRoom { name: "Room".into(), visibility: Visibility::Private, width: 100, height: 100 };
        let row = store.create_room(new, 1).await.unwrap().unwrap();
        let (fans, log) = SharedFlow::new(Sharing::drop_oldest(4));
        Studio { store, row, fans, log, seq: 0, _directory: directory }
    }

    /// Makes records durable, and tells everybody.
    async fn draw(&mut self, frames: u64) {
        for _ in 0..frames {
            let first = self.seq + 1;
            let mut records = Vec::new();
            for number in first..first + 3 {
                let number = u32::try_from(number).unwrap();
                put_record(&mut records, &Record { member: 1, number, op: Op::Say { text: "hello" } });
            }
            let frame = LogFrame { first, at: 0, count: 3, records: records.into() };
            let encoded = Frames::log(first, 0, 3, &frame.records);
            self.seq = frame.last();
            let batch = Batch { room: self.row.key, log_id: self.row.log_id, frame, strokes: 0 };
            self.store.append(batch).await.unwrap();
            self.fans.try_emit(Fan { first, last: self.seq, frame: Some(encoded) }).unwrap();
        }
    }

    fn feed(&self, resumes: Option<u64>) -> (Feed, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new().unwrap());
        let (store, log) = (self.store.clone(), self.log.subscribe());
        (Feed::new(store, Arc::clone(&metrics), self.row.key, log, self.seq, resumes), metrics)
    }
}

/// Takes frames until the client has everything up to `seq`; the kinds of what it was sent, where it was at the end.
async fn drain(feed: &mut Feed, mut at: u64, seq: u64) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    while at < seq {
        for frame in feed.next().await.unwrap() {
            match ServerFrame::read(&frame).unwrap() {
                ServerFrame::Log(frame) => {
                    assert_eq!(frame.first, at + 1, "a gap");
                    at = frame.last();
                    kinds.push("log");
                }
                ServerFrame::SnapshotBegin { seq, .. } => {
                    at = seq;
                    kinds.push("snapshot");
                }
                ServerFrame::SnapshotPart { .. } => kinds.push("part"),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(at, seq);
    kinds
}

#[tokio::test]
async fn a_client_that_missed_frames_of_the_flow_gets_them_from_the_store() {
    let mut studio = Studio::open().await;
    let (mut feed, metrics) = studio.feed(Some(0));
    studio.draw(3).await;
    assert_eq!(drain(&mut feed, 0, 9).await.len(), 3);
    assert_eq!(metrics.times_caught_up(), 0);
    // The flow keeps four of these fifty.
    studio.draw(50).await;
    assert_eq!(drain(&mut feed, 9, 159).await.len(), 50);
    assert_eq!(metrics.times_caught_up(), 1);
    studio.draw(2).await;
    drain(&mut feed, 159, 165).await;
    assert_eq!(metrics.times_caught_up(), 1, "it is live again");
}

#[tokio::test]
async fn a_read_that_is_interrupted_goes_on_where_it_was() {
    let mut studio = Studio::open().await;
    studio.draw(20).await;
    let (mut feed, _) = studio.feed(Some(30));
    let mut frames = Vec::new();
    while frames.is_empty() {
        // As `select!` does when something else comes first.
        if let Some(next) = feed.next().now_or_never() {
            frames = next.unwrap();
        }
        tokio::task::yield_now().await;
    }
    let Ok(ServerFrame::Log(first)) = ServerFrame::read(&frames[0]) else { panic!("{frames:?}") };
    assert_eq!((first.first, frames.len()), (31, 10));
}

#[tokio::test]
async fn a_newcomer_begins_with_a_snapshot_and_so_does_one_whose_place_was_forgotten() {
    let mut studio = Studio::open().await;
    studio.draw(5).await;
    let (mut newcomer, _) = studio.feed(None);
    // No snapshot has been made: the log is all there is.
    assert_eq!(drain(&mut newcomer, 0, 15).await[0], "snapshot");
    let (mut behind, _) = studio.feed(Some(3));
    studio.store.forget(studio.row.key).await.unwrap();
    studio.draw(10).await;
    let kinds = drain(&mut behind, 3, 45).await;
    assert_eq!(kinds[..3], ["snapshot", "part", "log"]);
}

#[tokio::test]
async fn a_commit_that_was_durable_after_all_is_read_from_the_store() {
    let mut studio = Studio::open().await;
    let (mut feed, _) = studio.feed(Some(0));
    studio.draw(4).await;
    drain(&mut feed, 0, 12).await;
    // The flow tells of records without their frame.
    let (fans, log) = SharedFlow::new(Sharing::drop_oldest(1));
    let silent = std::mem::replace(&mut studio.fans, fans);
    let _kept = std::mem::replace(&mut studio.log, log);
    studio.draw(2).await;
    silent.try_emit(Fan { first: 13, last: 18, frame: None }).unwrap();
    assert_eq!(drain(&mut feed, 12, 18).await.len(), 2);
}

#[tokio::test]
async fn a_room_that_is_gone_ends_the_connection() {
    let mut studio = Studio::open().await;
    studio.draw(1).await;
    let (mut feed, _) = studio.feed(Some(0));
    let Studio { store, row, fans, .. } = studio;
    store.delete_room(row.key).await.unwrap();
    drop(fans);
    let ended = loop {
        if let Err(code) = feed.next().await {
            break code;
        }
    };
    assert_eq!(ended, Code::Internal);
}
