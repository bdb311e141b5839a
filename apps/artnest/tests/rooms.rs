//! People in a room: they draw, see each other, go and come back.

use artnest::{
    model::Role,
    wire::{ALL_LAYERS, ClientFrame, Op, Points},
};

use crate::support::{End, Replica, Server, begin, dot, key, line, scratch, stroke};

#[tokio::test]
async fn two_people_see_the_same_drawing_in_the_same_order() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_owner().join("Ada").await;
    let mut grace = room.as_artist().join("Grace").await;
    assert_eq!((ada.welcome.role, grace.welcome.role), (Role::Owner, Role::Artist));
    assert_eq!((ada.welcome.room.as_str(), ada.welcome.name.as_str()), ("Harbour", "Ada"));

    let (one, two) = (line((0, 0), (10, 10)), line((10, 0), (0, 10)));
    let begun = ada.act([begin(0, one.points())]).await;
    grace.act([begin(1, two.points())]).await;
    ada.act([Op::Points { stroke: begun, ends: true, points: two.points() }]).await;
    ada.settle(3).await;
    grace.settle(3).await;
    assert_eq!(ada.replica.picture(), grace.replica.picture());
    assert_eq!(ada.replica.log, [(1, 1, 1), (2, 2, 1), (3, 1, 2)]);
    assert_eq!(ada.replica.picture()[0].1.len(), 4);
}

#[tokio::test]
async fn a_newcomer_gets_what_was_drawn_and_what_comes() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    for x in 0..50 {
        ada.send([stroke(&dot(x))]).await;
    }
    ada.until("all are decided", |ada| ada.acked == 50).await;
    let mut grace = room.as_viewer().join("Grace").await;
    assert_eq!(grace.replica.seq, 50);
    ada.act([stroke(&dot(50))]).await;
    grace.settle(51).await;
    ada.settle(51).await;
    assert_eq!(grace.replica.picture(), ada.replica.picture());
}

#[tokio::test]
async fn somebody_who_comes_back_gets_only_what_they_missed() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    let grace_key = key();
    let grace = room.as_artist().join_as(grace_key, "Grace").await.unwrap();
    ada.act([stroke(&dot(1))]).await;
    let (log_id, replica) = (grace.welcome.log_id, grace.leave());
    ada.act([stroke(&dot(2)), stroke(&dot(3))]).await;
    let grace = room.as_artist().resume(grace_key, "Grace", log_id, replica).await.unwrap();
    assert!(grace.welcome.resumes);
    assert_eq!(grace.replica.snapshots, 1, "the first join had one, the second none");
    assert_eq!(grace.replica.picture().len(), 3);
}

#[tokio::test]
async fn somebody_with_another_log_begins_anew() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    ada.act([stroke(&dot(1))]).await;
    let of_another = Replica::at(1);
    let grace = room.as_artist().resume(key(), "Grace", ada.welcome.log_id ^ 1, of_another).await.unwrap();
    assert!(!grace.welcome.resumes);
    ada.settle(1).await;
    assert_eq!(grace.replica.picture(), ada.replica.picture());
    let from_the_future = Replica::at(1_000);
    let grace = room.as_artist().resume(key(), "Grace", ada.welcome.log_id, from_the_future).await.unwrap();
    assert!(!grace.welcome.resumes);
}

#[tokio::test]
async fn an_offline_queue_that_is_sent_twice_is_neither_lost_nor_doubled() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let ada_key = key();
    let mut ada = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    let dots: Vec<_> = (0..10).map(dot).collect();
    // Six are sent, and the line breaks before anything is heard of them.
    ada.send(dots[..6].iter().map(stroke)).await;
    ada.until("some of them are decided", |ada| ada.acked > 0).await;
    let (log_id, replica) = (ada.welcome.log_id, ada.leave());
    let mut ada = room.as_artist().resume(ada_key, "Ada", log_id, replica).await.unwrap();
    let decided = ada.welcome.last_op;
    // The whole queue again, from its very beginning.
    ada.next = 1;
    ada.send(dots.iter().map(stroke)).await;
    ada.until("all are decided", |ada| ada.acked == 10).await;
    ada.settle(10).await;
    let seen: Vec<i32> = ada.replica.picture().iter().map(|(_, points)| points[0].x).collect();
    assert_eq!(seen, (0..10).collect::<Vec<_>>(), "{decided} were decided when the line broke");
}

#[tokio::test]
async fn a_missing_number_ends_the_connection_and_the_first_after_a_join_may_skip() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    ada.next = 100;
    ada.act([stroke(&dot(1))]).await;
    assert_eq!(ada.acked, 100);
    ada.next = 102;
    ada.send([stroke(&dot(2))]).await;
    assert_eq!(ada.ended().await, End::Told(8));
}

#[tokio::test]
async fn the_newer_connection_of_a_key_replaces_the_older() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let ada_key = key();
    let mut first = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    first.act([stroke(&dot(1))]).await;
    let mut second = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    assert_eq!(second.member(), first.member());
    assert_eq!(second.welcome.last_op, 1);
    assert_eq!(first.ended().await, End::Told(9));
    second.act([stroke(&dot(2))]).await;
    assert_eq!(second.replica.roster.len(), 1);
}

#[tokio::test]
async fn in_a_full_room_a_member_takes_their_own_place_again() {
    let directory = scratch();
    let server = Server::with(directory.path(), "room_connections_max = 2\n").await;
    let room = server.room("Harbour").await;
    let ada_key = key();
    let mut first = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    let _grace = room.as_artist().join("Grace").await;
    assert_eq!(room.as_artist().join_as(key(), "Late").await.err(), Some(End::Told(7)));
    let second = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    assert_eq!(second.member(), first.member());
    assert_eq!(first.ended().await, End::Told(9));
    assert_eq!(room.as_artist().join_as(key(), "Late").await.err(), Some(End::Told(7)));
}

#[tokio::test]
async fn undo_and_redo_reach_everybody_and_survive_a_snapshot() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    let mut grace = room.as_artist().join("Grace").await;
    let first = ada.act([stroke(&dot(1))]).await;
    let second = ada.act([stroke(&dot(2))]).await;
    ada.act([Op::Undo { stroke: first }, Op::Undo { stroke: second }, Op::Redo { stroke: first }]).await;
    grace.settle(5).await;
    assert_eq!(grace.replica.picture().len(), 1);
    grace.act([Op::Undo { stroke: first }]).await;
    assert_eq!(grace.refused, [(1, 20)], "nobody undoes what is not theirs");
    // Through a snapshot, what is undone can still be redone.
    let forgot = server.http().post(server.url(&format!("/api/rooms/{}/forget", room.id)));
    assert_eq!(forgot.bearer_auth(&room.owner).send().await.unwrap().status(), 200);
    let newcomer = room.as_viewer().join("Linus").await;
    assert_eq!(newcomer.replica.picture().len(), 1);
    ada.act([Op::Redo { stroke: second }]).await;
    assert_eq!(ada.refused, []);
    grace.settle(6).await;
    assert_eq!(grace.replica.picture().len(), 2);
}

#[tokio::test]
async fn a_clear_and_a_lock_are_for_owners() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut owner = room.as_owner().join("Olga").await;
    let mut ada = room.as_artist().join("Ada").await;
    ada.act([stroke(&dot(1)), Op::Clear { layer: ALL_LAYERS }]).await;
    assert_eq!(ada.refused, [(2, 3)]);
    owner.act([Op::Lock { layer: 0, locked: true }]).await;
    ada.act([stroke(&dot(2))]).await;
    assert_eq!(ada.refused, [(2, 3), (3, 23)]);
    owner.act([Op::Clear { layer: 0 }, Op::Lock { layer: 0, locked: false }]).await;
    ada.act([stroke(&dot(3))]).await;
    ada.settle(5).await;
    assert_eq!(ada.replica.picture().len(), 1);
}

#[tokio::test]
async fn cursors_names_and_presence_are_seen() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    let mut grace = room.as_artist().join("").await;
    let member = grace.member();
    assert_eq!(grace.welcome.name, format!("Guest {member}"));
    ada.until("Grace is here", |ada| ada.replica.roster.contains_key(&member)).await;
    grace.send_frame(&ClientFrame::Rename { name: "Grace".into() }).await;
    grace.send_frame(&ClientFrame::Cursor { x: 160, y: -16, state: 2 }).await;
    ada.until("Grace points somewhere", |ada| ada.replica.cursors.get(&member) == Some(&(160, -16, 2))).await;
    ada.until("Grace has a name", |ada| {
        ada.replica.roster.get(&member).is_some_and(|line| line.2 == "Grace")
    })
    .await;
    grace.close().await;
    ada.until("Grace has left", |ada| ada.replica.roster.get(&member).is_some_and(|line| !line.0)).await;
}

#[tokio::test]
async fn what_was_said_is_there_for_those_who_come_later_with_the_names_of_those_who_left() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut viewer = room.as_viewer().join("Vera").await;
    viewer.act([Op::Say { text: "hello ✎" }]).await;
    let member = viewer.member();
    viewer.close().await;
    let ada = room.as_artist().join("Ada").await;
    let sayings: Vec<_> = ada.replica.canvas.sayings().map(|saying| saying.text.clone()).collect();
    assert_eq!(sayings, ["hello ✎"]);
    assert_eq!(ada.replica.roster[&member].2, "Vera");
}

#[tokio::test]
async fn a_stroke_whose_author_vanished_stays_as_it_is() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    ada.act([begin(0, Points::NONE)]).await;
    drop(ada);
    let grace = room.as_artist().join("Grace").await;
    assert_eq!(grace.replica.picture().len(), 1);
}
