//! The edge cases that every application's suite shares, by their names.

use std::time::Duration;

use artnest::wire::{ALL_LAYERS, CLIENT_FRAME_BYTES_MAX, ClientFrame, Join, Op, Point, Points, PointsWriter};
use bytes::Bytes;
use futures_util::{SinkExt, future::join_all};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Door, End, Server, begin, dot, eventually, key, scratch, stroke};

const MALFORMED: u16 = 2;

#[tokio::test]
async fn empty() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Nothing").await;
    for rest in ["thumbnail.png", "export.png", "export.svg", "history"] {
        let answer = server.get(&format!("/api/rooms/{}/{rest}", room.id), &room.viewer).await;
        assert_eq!(answer.status(), 200, "{rest}");
        let bytes = answer.bytes().await.unwrap();
        assert_eq!(bytes.is_empty(), rest == "history", "{rest}");
    }
    let mut ada = room.as_artist().join("Ada").await;
    assert_eq!((ada.replica.seq, ada.replica.picture().len()), (0, 0));
    let none = ada.act([begin(0, Points::NONE)]).await;
    ada.act([Op::Points { stroke: none, ends: true, points: Points::NONE }, stroke(&dot(1))]).await;
    assert_eq!(ada.refused, []);
    let grace = room.as_viewer().join("Grace").await;
    let lengths: Vec<_> = grace.replica.picture().iter().map(|(_, points)| points.len()).collect();
    assert_eq!(lengths, [0, 1]);
}

#[tokio::test]
async fn null_and_missing() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let rooms = server.url("/api/rooms");
    for (body, status) in [
        (json!(null), 422),
        (json!({}), 422),
        (json!({ "name": null }), 422),
        (json!({ "name": "" }), 422),
        (json!({ "name": "x", "width": null }), 201),
        (json!({ "name": "x", "width": 15 }), 422),
        (json!({ "name": "x", "colour": "red" }), 422),
        (json!({ "name": "x", "visibility": "secret" }), 422),
    ] {
        let answer = server.http().post(&rooms).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{body}");
        if status != 201 {
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
    }
    let answer = server.http().post(&rooms).body("{").header("content-type", "application/json").send().await;
    assert_eq!(answer.unwrap().status(), 400);
    assert_eq!(server.http().post(&rooms).body("{}").send().await.unwrap().status(), 415);
    // A name of nothing but space is none.
    let room = server.room("x").await;
    let ada = room.as_artist().join("   ").await;
    assert_eq!(ada.welcome.name, "Guest 1");
}

#[tokio::test]
async fn huge() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Huge").await;
    let mut ada = room.as_artist().join("Ada").await;
    // A stroke of a million points: the first hundred thousand are one, and the rest is refused.
    let points: PointsWriter = (0..1_000).map(|x| Point { x: x * 16, y: 0, pressure: 255 }).collect();
    let huge = ada.act([begin(0, Points::NONE)]).await;
    for _ in 0..250 {
        let more = Op::Points { stroke: huge, ends: false, points: points.points() };
        ada.send([more; 4]).await;
        while tokio::time::timeout(Duration::ZERO, ada.take()).await.is_ok() {}
    }
    ada.until("all are decided", |ada| ada.acked == 1_001).await;
    assert_eq!(ada.refused.len(), 900);
    assert!(ada.refused.iter().all(|&(_, code)| code == 22));
    // One byte too many ends the connection, and no other.
    let mut other = room.as_artist().join("Grace").await;
    ada.send_bytes(Bytes::from(vec![2; CLIENT_FRAME_BYTES_MAX + 1])).await;
    assert_eq!(ada.ended().await, End::Told(MALFORMED));
    other.act([stroke(&dot(1))]).await;
    let body = format!("{{\"name\":\"{}\"}}", "x".repeat(20_000));
    let request = server.http().post(server.url("/api/rooms")).header("content-type", "application/json");
    assert_eq!(request.body(body).send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_room_of_many_strokes_comes_as_a_snapshot_and_is_the_same_drawing() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Huge").await;
    let mut people = Vec::new();
    for _ in 0..10 {
        people.push(room.as_artist().join("Ada").await);
    }
    join_all(people.iter_mut().map(|ada| async move {
        let points: PointsWriter = (0..16).map(|x| Point { x: x * 30, y: x * x, pressure: 200 }).collect();
        for _ in 0..16 {
            ada.act(vec![stroke(&points); 125]).await;
        }
    }))
    .await;
    let late = room.as_viewer().join("Late").await;
    assert_eq!(late.replica.picture().len(), 20_000);
    assert!(late.replica.log.len() < 15_000, "most of it came as a snapshot: {}", late.replica.log.len());
    people[0].settle(late.replica.seq).await;
    assert_eq!(people[0].replica.picture(), late.replica.picture());
}

#[tokio::test]
async fn garbage() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Garbage").await;
    let noise = (0..16).map(|number| make_noise(room.as_artist(), number, 10_000 / 16));
    let ended: u32 = join_all(noise).await.into_iter().sum();
    assert!(ended > 5_000, "{ended}");
    let mut ada = room.as_artist().join("Ada").await;
    ada.act([stroke(&dot(1))]).await;
    assert_eq!((ada.refused.len(), ada.end), (0, None));
}

/// Sends nonsense, on a new connection after each that was ended; how many were.
async fn make_noise(door: Door, number: u8, frames: u32) -> u32 {
    let mut rng = StdRng::seed_from_u64(number.into());
    let mut somebody = None;
    let mut ended = 0;
    for round in 0..frames {
        let mut client = match somebody.take() {
            Some(client) => client,
            None => door.join_as([number; 16], "Noise").await.expect("it may come in"),
        };
        let mut bytes: Vec<u8> = (0..rng.random_range(0..200)).map(|_| rng.random()).collect();
        if let Some(kind) = bytes.first_mut() {
            // Half of it pretends to be one of ours.
            *kind = if round % 2 == 0 { *kind } else { 2 + *kind % 6 };
        }
        client.frames.clear();
        client.send_bytes(bytes.into()).await;
        client.send_frame(&ClientFrame::Ping(round.into())).await;
        while client.end.is_none() && !has_pong(&client) {
            client.take().await;
        }
        match client.end {
            None => somebody = Some(client),
            Some(End::Told(MALFORMED | 8)) => ended += 1,
            ref other => panic!("{other:?}"),
        }
    }
    ended
}

fn has_pong(client: &Client) -> bool {
    client.frames.iter().any(|frame| matches!(frame, artnest::wire::ServerFrame::Pong { .. }))
}

#[tokio::test]
async fn garbage_before_the_join() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Garbage").await;
    let join = Join { key: key(), log_id: 0, seq: 0, token: room.artist.clone(), name: "Ada".into() };
    let good = ClientFrame::Join(join).encode();
    let mut cut_short = good.to_vec();
    cut_short.truncate(30);
    let mut bad_text = good.to_vec();
    let last = bad_text.len() - 1;
    bad_text[last] = 0xff;
    let messages = [
        Message::Binary(Bytes::new()),
        Message::Binary(cut_short.into()),
        Message::Binary(bad_text.into()),
        Message::Binary(ClientFrame::Ping(1).encode()),
        Message::text("hello"),
    ];
    for message in messages {
        let mut socket = room.as_artist().open().await;
        socket.send(message.clone()).await.unwrap();
        assert_eq!(first_error(&mut socket).await, MALFORMED, "{message:?}");
    }
    let mut socket = room.as_artist().open().await;
    socket.send(Message::Binary(ClientFrame::OtherVersion(2).encode())).await.unwrap();
    assert_eq!(first_error(&mut socket).await, 1);
}

async fn first_error(socket: &mut tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>) -> u16 {
    match crate::support::read(socket).await {
        Ok(artnest::wire::ServerFrame::Error { code, fatal: true, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn concurrent() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Concurrent").await;
    let mut owner = room.as_owner().join("Olga").await;
    let mut people = Vec::new();
    for _ in 0..6 {
        people.push(room.as_artist().join("Ada").await);
    }
    let victim = people[5].member();
    let rename = server.http().patch(server.url(&format!("/api/rooms/{}", room.id)));
    let rename = rename.bearer_auth(&room.owner).json(&json!({ "name": "Renamed" })).send();
    let all = join_all(people.iter_mut().enumerate().map(|(index, ada)| async move {
        for x in 0..30 {
            if ada.end.is_some() {
                break;
            }
            let drawn = ada.act([stroke(&dot(x))]).await;
            if index % 2 == 0 && ada.end.is_none() {
                // The same undo twice at once.
                ada.act([Op::Undo { stroke: drawn }, Op::Undo { stroke: drawn }]).await;
            }
        }
    }));
    let manages = async {
        owner.send_frame(&ClientFrame::Kick { member: victim, ban: false }).await;
        owner.act([Op::Clear { layer: ALL_LAYERS }]).await;
    };
    let (_, (), renamed) = tokio::join!(all, manages, rename);
    assert_eq!(renamed.unwrap().status(), 200);
    assert_eq!(people[5].ended().await, End::Told(6));
    let newcomer = room.as_viewer().join("Late").await;
    assert_eq!(newcomer.welcome.room, "Renamed");
    for ada in &mut people[..5] {
        ada.settle(newcomer.replica.seq).await;
        assert_eq!(ada.replica.picture(), newcomer.replica.picture());
    }
}

#[tokio::test]
async fn cancel() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Cancel").await;
    let mut ada = room.as_artist().join("Ada").await;
    let points: PointsWriter = (0..1_000).map(|x| Point { x, y: 0, pressure: 1 }).collect();
    for _ in 0..50 {
        ada.act([begin(0, points.points()); 5]).await;
    }
    // A client that vanishes at each step: before it says a word, after the join, while it is sent the drawing, while it
    // sends its own.
    for step in 0..40 {
        let mut socket = room.as_artist().open().await;
        if step % 4 > 0 {
            let join =
                Join { key: key(), log_id: 0, seq: 0, token: room.artist.clone(), name: "Gone".into() };
            socket.send(Message::Binary(ClientFrame::Join(join).encode())).await.unwrap();
        }
        if step % 4 > 1 {
            let _ = crate::support::read(&mut socket).await;
        }
        if step % 4 > 2 {
            let ops = ClientFrame::ops(1, [begin(0, points.points()); 3]).encode();
            let _ = socket.send(Message::Binary(ops)).await;
        }
        drop(socket);
    }
    eventually("only Ada is connected", async || {
        (server.metric("artnest_connections ").await == 1.0).then_some(())
    })
    .await;
    ada.act([stroke(&dot(1))]).await;
    let here = |ada: &Client| ada.replica.roster.values().filter(|line| line.0).count();
    ada.until("only Ada is here", |ada| here(ada) == 1).await;
}

#[tokio::test]
async fn time() {
    // A laptop that slept: the connection is dead and nobody knows; the client comes again on another one.
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Time").await;
    let ada_key = key();
    let mut asleep = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    asleep.act([stroke(&dot(1))]).await;
    let mut awake = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    awake.act([stroke(&dot(2))]).await;
    awake.settle(2).await;
    assert_eq!((awake.acked, awake.replica.picture().len()), (2, 2));
}

#[tokio::test]
async fn a_thousand_come_at_once() {
    let directory = scratch();
    let server = Server::with(directory.path(), "room_connections_max = 1000\n").await;
    let room = server.room("Storm").await;
    let mut first = room.as_artist().join("Ada").await;
    first.act([stroke(&dot(1))]).await;
    for _ in 0..10 {
        let storm = join_all((0..100).map(|_| {
            let door = room.as_viewer();
            async move { door.join("Somebody").await }
        }))
        .await;
        assert!(storm.iter().all(|client| client.replica.picture().len() == 1));
    }
    first.act([stroke(&dot(2))]).await;
}

#[tokio::test]
async fn a_full_room_says_so() {
    let directory = scratch();
    let server = Server::with(directory.path(), "room_connections_max = 2\n").await;
    let room = server.room("Small").await;
    let _ada = room.as_artist().join("Ada").await;
    let grace = room.as_artist().join("Grace").await;
    let third = key();
    assert_eq!(room.as_artist().join_as(third, "Linus").await.err(), Some(End::Told(7)));
    grace.close().await;
    eventually("there is a place again", async || room.as_artist().join_as(third, "Linus").await.ok()).await;
}
