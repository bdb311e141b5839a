//! Rooms without sockets: a writer that panics, a log that is somebody else's, a disk without room.

use std::{path::Path, time::Duration};

use ballet::Scope;

use super::*;
use crate::{
    model::{ReadOnly, Role, Visibility},
    room::{ConnectionId, Mail, Mailbox, Presence},
    store::{self, Admission, Entry, NewRoom},
    wire::{ClientFrame, Op, Ops, Point, PointsWriter},
};

/// How long anything may take that should happen.
const SOON: Duration = Duration::from_secs(30);

struct Studio {
    store: Store,
    rooms: Rooms,
}

/// Runs a test beside rooms that run.
async fn with_studio(pages_max: Option<u32>, test: impl AsyncFnOnce(&Studio)) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), pages_max);
    let limits = Limits { connections_max: 10, quota_bytes: 1 << 30 };
    let rooms = Rooms::new(store.clone(), Arc::new(Metrics::new().unwrap()), limits);
    let studio = Studio { store, rooms };
    ballet::scope(async |scope: Scope| {
        scope.spawn(studio.rooms.clone().run());
        while studio.rooms.0.scope.get().is_none() {
            tokio::task::yield_now().await;
        }
        test(&studio).await;
        scope.cancel_children();
        Ok(())
    })
    .await
    .unwrap();
}

fn open(directory: &Path, pages_max: Option<u32>) -> Store {
    Store::open(directory, store::Options { disk_free_min: 0, pages_max }).unwrap()
}

/// Somebody in a room.
struct Guest {
    presence: Presence,
    mailbox: Arc<Mailbox>,
    last_op: u32,
}

impl Studio {
    async fn room(&self, name: &str) -> RoomRow {
        let new = NewRoom { name: name.into(), visibility: Visibility::Private, width: 100, height: 100 };
        self.store.create_room(new, 100).await.unwrap().unwrap()
    }

    async fn enter(&self, row: &RoomRow, key: u8) -> Result<Guest, Code> {
        let entry = Entry { key_sha256: [key; 32], role: Some(Role::Artist), name: String::new() };
        let admission = self.store.admit(row.key, entry).await.unwrap();
        let Admission::Member { member, role, name } = admission else { panic!("{admission:?}") };
        let (id, mailbox) = (ConnectionId::fresh(), Arc::new(Mailbox::default()));
        let joining = || {
            let (mailbox, name) = (Arc::clone(&mailbox), name.clone());
            Joining { id, mailbox, member: Some(member), role, name }
        };
        let (live, joined) = self.rooms.enter(row, joining).await?;
        Ok(Guest { presence: Presence { live, id }, mailbox, last_op: joined.last_op })
    }
}

impl Guest {
    async fn draw(&self, number: u32, points: &PointsWriter) {
        let op =
            Op::Begin { layer: 0, tool: 0, colour: [0; 4], size: 9, ends: true, points: points.points() };
        let ClientFrame::Ops(ops) = ClientFrame::ops(number, [op]) else { unreachable!() };
        self.send(ops).await;
    }

    async fn send(&self, ops: Ops) {
        self.tell(Message::Ops { from: self.presence.id, ops }).await;
    }

    async fn tell(&self, message: Message) {
        self.presence.live.inbox.send(message).await.unwrap();
    }

    /// Takes mail until there is some of this kind.
    async fn wait<T>(&self, what: impl Fn(&Mail) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(found) = what(&self.mailbox.take().await) {
                    return found;
                }
            }
        };
        tokio::time::timeout(SOON, waiting).await.expect("it arrives")
    }
}

fn dot() -> PointsWriter {
    PointsWriter::from_iter([Point { x: 1, y: 1, pressure: 1 }])
}

#[tokio::test]
async fn a_writer_that_panics_is_started_again_and_only_its_room_notices() {
    with_studio(None, async |studio| {
        let (row, other) = (studio.room("Panics").await, studio.room("Other").await);
        let (ada, grace) = (studio.enter(&row, 1).await.unwrap(), studio.enter(&other, 2).await.unwrap());
        ada.draw(1, &dot()).await;
        assert_eq!(ada.wait(|mail| mail.ack).await, (1, 1));
        ada.tell(Message::Panic).await;
        assert_eq!(ada.wait(|mail| mail.end).await, Code::Internal);
        let ada = studio.enter(&row, 1).await.unwrap();
        assert_eq!(ada.last_op, 1, "what was acknowledged is there");
        ada.draw(2, &dot()).await;
        assert_eq!(ada.wait(|mail| mail.ack).await, (2, 2));
        grace.draw(1, &dot()).await;
        assert_eq!(grace.wait(|mail| mail.ack).await, (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_writer_that_panics_again_and_again_is_given_up_until_somebody_comes() {
    with_studio(None, async |studio| {
        let row = studio.room("Panics").await;
        for _ in 0..RESTARTS_MAX + 3 {
            let ada = studio.enter(&row, 1).await.unwrap();
            ada.tell(Message::Panic).await;
            assert_eq!(ada.wait(|mail| mail.end).await, Code::Internal);
        }
        let ada = studio.enter(&row, 1).await.unwrap();
        ada.draw(1, &dot()).await;
        assert_eq!(ada.wait(|mail| mail.ack).await, (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_writer_whose_log_is_somebody_elses_writes_nothing_more() {
    with_studio(None, async |studio| {
        let row = studio.room("Fenced").await;
        let ada = studio.enter(&row, 1).await.unwrap();
        ada.draw(1, &dot()).await;
        assert_eq!(ada.wait(|mail| mail.ack).await, (1, 1));
        // Another owner of the room has written meanwhile.
        let loaded = studio.store.load(row.key).await.unwrap().unwrap();
        let frame = crate::wire::LogFrame { first: 2, at: 0, count: 1, records: record() };
        let batch = store::Batch { room: row.key, log_id: loaded.row.log_id, frame, strokes: 2 };
        studio.store.append(batch).await.unwrap();
        ada.draw(2, &dot()).await;
        assert_eq!(ada.wait(|mail| mail.end).await, Code::Internal);
        let ada = studio.enter(&row, 1).await.unwrap();
        ada.draw(2, &dot()).await;
        assert_eq!(ada.wait(|mail| mail.ack).await, (2, 3));
    })
    .await;
}

fn record() -> bytes::Bytes {
    let mut bytes = Vec::new();
    let op = Op::Say { text: "somebody else" };
    crate::wire::put_record(&mut bytes, &crate::wire::Record { member: 9, number: 1, op });
    bytes.into()
}

#[tokio::test]
async fn without_room_on_the_disk_strokes_are_held_and_taken_once_there_is() {
    with_studio(Some(200), async |studio| {
        let (row, other) = (studio.room("Small").await, studio.room("Big").await);
        let (ada, hog) = (studio.enter(&row, 1).await.unwrap(), studio.enter(&other, 2).await.unwrap());
        let big: PointsWriter = (0..1_000).map(|x| Point { x: x * 977 % 9_999, y: x, pressure: 1 }).collect();
        let mut number = 1;
        loop {
            hog.draw(number, &big).await;
            let (held, acked) =
                hog.wait(|mail| Some((mail.held, mail.ack)).filter(|mail| *mail != (None, None))).await;
            if let Some(held) = held {
                assert_eq!(held, (number, ReadOnly::Disk));
                break;
            }
            assert_eq!(acked.unwrap().0, number);
            number += 1;
        }
        assert!(number > 20, "{number}");
        studio.rooms.tell(other.id, Message::Close(Code::RoomDeleted)).await;
        studio.store.delete_room(other.key).await.unwrap();
        ada.draw(1, &big).await;
        let mut waits = 0;
        while ada.wait(|mail| mail.ack.or(mail.state.map(|_| (0, 0)))).await != (1, 1) {
            // Held for a moment, if its commit came before there was room.
            ada.draw(1, &big).await;
            waits += 1;
            assert!(waits < 10);
        }
    })
    .await;
}

#[tokio::test]
async fn somebody_who_goes_away_while_they_wait_to_come_in_is_not_in_the_room() {
    with_studio(None, async |studio| {
        let row = studio.room("Impatient").await;
        for _ in 0..20 {
            // Dropped at its first yield, when the writer has not answered.
            let entry = studio.enter(&row, 1);
            tokio::select! {
                biased;
                guest = entry => drop(guest),
                () = tokio::task::yield_now() => {}
            }
        }
        let grace = studio.enter(&row, 2).await.unwrap();
        let waiting = async {
            while studio.rooms.people(row.id).len() != 1 || studio.rooms.online(row.id) != 1 {
                grace.draw(1, &dot()).await;
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, waiting).await.expect("only she is in the room");
    })
    .await;
}

#[tokio::test]
async fn a_guest_whom_nobody_could_remember_is_told_to_come_again_once_somebody_can() {
    with_studio(None, async |studio| {
        let row = studio.room("Guests").await;
        let (id, mailbox) = (ConnectionId::fresh(), Arc::new(Mailbox::default()));
        let joining = || Joining {
            id,
            mailbox: Arc::clone(&mailbox),
            member: None,
            role: Role::Viewer,
            name: "Guest".into(),
        };
        let (live, joined) = studio.rooms.enter(&row, joining).await.unwrap();
        let guest = Guest { presence: Presence { live, id }, mailbox, last_op: joined.last_op };
        assert!(joined.member >= 1 << 31);
        assert_eq!(guest.wait(|mail| mail.end).await, Code::Internal);
    })
    .await;
}

#[tokio::test]
async fn a_room_that_is_deleted_while_somebody_leaves_is_let_go() {
    with_studio(None, async |studio| {
        let row = studio.room("Gone").await;
        let ada = studio.enter(&row, 1).await.unwrap();
        studio.store.delete_room(row.key).await.unwrap();
        ada.draw(1, &dot()).await;
        assert_eq!(ada.wait(|mail| mail.end).await, Code::Internal);
        let waiting = async {
            while !studio.rooms.census().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, waiting).await.expect("the room is let go");
    })
    .await;
}
