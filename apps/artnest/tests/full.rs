//! When something is full: the quota of a room, the disk. It is read-only then, says so, and goes on afterwards.

use std::time::Duration;

use artnest::wire::{ALL_LAYERS, Op, Point, PointsWriter, ServerFrame};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::support::{Client, Server, begin, dot, eventually, scratch, stroke};

const QUOTA: u8 = 1;

/// Points that no packing makes small.
fn noise(rng: &mut StdRng) -> PointsWriter {
    let (mut x, mut y) = (9_000, 9_000);
    let mut point = || {
        x += rng.random_range(-90..=90);
        y += rng.random_range(-90..=90);
        Point { x, y, pressure: rng.random() }
    };
    (0..1_000).map(|_| point()).collect()
}

/// Draws until nothing is taken any more; how many strokes were.
async fn draw_until_held(ada: &mut Client, rng: &mut StdRng) -> u32 {
    let mut drawn = 0;
    loop {
        let points = noise(rng);
        let number = ada.send([begin(0, points.points())]).await;
        ada.until("it is decided or held", |ada| ada.acked >= number || ada.held.is_some()).await;
        if ada.held.is_some() {
            return drawn;
        }
        drawn += 1;
    }
}

#[tokio::test]
async fn a_room_at_its_quota_is_read_only_and_its_owner_can_make_room() {
    let directory = scratch();
    let server = Server::with(directory.path(), "room_quota_mib = 1\n").await;
    let room = server.room("Small").await;
    let mut ada = room.as_owner().join("Ada").await;
    let mut grace = room.as_viewer().join("Grace").await;
    let mut rng = StdRng::seed_from_u64(1);
    let drawn = draw_until_held(&mut ada, &mut rng).await;
    // Each takes 4 kB, and a snapshot beside them does not count.
    assert!((200..270).contains(&drawn), "{drawn}");
    let held = ada.held.take().unwrap();
    assert_eq!((held, ada.read_only), ((drawn + 1, QUOTA), Some(QUOTA)));
    grace.until("everybody is told", |grace| grace.read_only == Some(QUOTA)).await;
    let told = grace
        .frames
        .iter()
        .any(|frame| matches!(frame, ServerFrame::RoomState { text, .. } if text.contains("full")));
    assert!(told);
    let shown: serde_json::Value =
        server.get(&format!("/api/rooms/{}", room.id), &room.viewer).await.json().await.unwrap();
    assert_eq!(shown["read_only"], "quota");
    // Looking, and what takes little, still works; the held number is free for it.
    assert_eq!(room.as_viewer().join("Linus").await.replica.picture().len(), drawn as usize);
    ada.next = held.0;
    ada.act([Op::Undo { stroke: 1 }, Op::Redo { stroke: 1 }, Op::Clear { layer: ALL_LAYERS }]).await;
    assert_eq!((ada.refused.len(), ada.held), (0, None));
    ada.send([stroke(&dot(1))]).await;
    ada.until("it is held still", |ada| ada.held.is_some()).await;
    let forget = server.http().post(server.url(&format!("/api/rooms/{}/forget", room.id)));
    assert_eq!(forget.bearer_auth(&room.owner).send().await.unwrap().status(), 200);
    ada.until("it takes strokes again", |ada| ada.read_only == Some(0)).await;
    ada.next = ada.held.take().unwrap().0;
    ada.act([stroke(&dot(1))]).await;
    grace.until("the stroke is there", |grace| grace.replica.picture().len() == 1).await;
    ada.settle(grace.replica.seq).await;
    assert_eq!(ada.replica.picture(), grace.replica.picture());
}

#[tokio::test]
async fn an_operator_gives_a_room_more_and_it_takes_strokes_again() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Small").await;
    let mut ada = room.as_artist().join("Ada").await;
    assert_eq!(server.order(json!({ "order": "quota", "room": room.id, "mib": 0 })).await.status(), 200);
    ada.send([stroke(&dot(1))]).await;
    ada.until("it is held", |ada| ada.held == Some((1, QUOTA))).await;
    assert_eq!(server.order(json!({ "order": "quota", "room": room.id, "mib": 1 })).await.status(), 200);
    ada.until("it takes strokes again", |ada| ada.read_only == Some(0)).await;
    ada.next = 1;
    ada.act([stroke(&dot(1))]).await;
    assert_eq!(ada.acked, 1);
}

/// Whether the room takes strokes within some tries of the server.
async fn takes_strokes_again(ada: &mut Client) -> bool {
    let told = async {
        while ada.read_only != Some(0) {
            ada.take().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(6), told).await.is_ok()
}

#[tokio::test]
async fn a_full_disk_makes_rooms_read_only_loses_nothing_and_is_no_brick() {
    let directory = scratch();
    // 512 KiB for each file: the log beside the database reaches that first.
    let mut server = Server::with_file_limit(directory.path(), 1_024).await;
    let room = server.room("Harbour").await;
    let ada_key = crate::support::key();
    let mut ada = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    let mut rng = StdRng::seed_from_u64(2);
    // Opening the store anew makes room by folding its log, until there is none to be made.
    let mut drawn = 0;
    let reason = loop {
        drawn += draw_until_held(&mut ada, &mut rng).await;
        let (number, reason) = ada.held.take().unwrap();
        assert_eq!(number, drawn + 1);
        if !takes_strokes_again(&mut ada).await {
            break reason;
        }
        ada.next = number;
    };
    assert!(drawn > 20, "{drawn}");
    assert!(reason == 2 || reason == 3, "{reason}");
    eventually("its health is red", async || (server.get("/readyz", "").await.status() == 503).then_some(()))
        .await;
    assert_ne!(server.status().await["trouble"], json!(null));
    // Whoever comes can look, and so can somebody who cannot be remembered.
    let guest = room.as_viewer().join("Guest").await;
    assert_eq!(guest.replica.picture().len(), drawn as usize);
    let picture = server.get(&format!("/api/rooms/{}/thumbnail.png", room.id), &room.viewer).await;
    assert_eq!(picture.status(), 200);
    // With a sound disk, everything acknowledged is there, and the rest is sent again.
    server.crash().await;
    let mut again = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    assert!(again.welcome.last_op >= drawn, "{} < {drawn}", again.welcome.last_op);
    again.act([stroke(&dot(1))]).await;
    assert_eq!(server.get("/readyz", "").await.status(), 200);
}
