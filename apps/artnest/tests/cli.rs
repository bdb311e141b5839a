//! The command line, with a server on the data and without one: orders, backup, restore.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::support::{Door, Server, command, dot, free_address, scratch, stroke};

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The door that a printed link opens.
fn door(link: &str, address: SocketAddr) -> Door {
    let (room, token) =
        link.trim().rsplit_once("/r/").and_then(|(_, rest)| rest.split_once('#')).expect("a link");
    Door { address, room: room.to_owned(), token: token.to_owned() }
}

#[tokio::test]
async fn a_room_is_made_listed_exported_and_deleted_with_a_server_and_without() {
    let directory = scratch();
    let admin = free_address();
    let without = |words: &[&str]| command(directory.path(), admin, words);
    let links = said(&without(&["rooms", "create", "Harbour", "--sheet", "100x50"]));
    let artist = links.lines().find(|line| line.starts_with("artist")).unwrap().to_owned();
    let listed = said(&without(&["rooms", "list"]));
    assert!(listed.contains("Harbour"), "{listed}");

    let server = Server::start(directory.path()).await;
    let door = door(&artist, server.address());
    door.join("Ada").await.act([stroke(&dot(1))]).await;
    let again = said(&server.command(&["rooms", "links", &door.room, "--role", "artist"]));
    assert_eq!(again.trim(), format!("http://{}/r/{}#{}", server.address(), door.room, door.token));
    let quota = said(&server.command(&["rooms", "quota", &door.room, "128"]));
    let (heading, line) = quota.split_once('\n').expect("a heading and a room");
    assert_eq!(heading.find("name"), line.find("Harbour"), "{quota}");
    assert_eq!(heading.find("quota MiB").map(|at| &line[at..at + 9]), Some("      128"), "{quota}");
    for ending in ["png", "svg"] {
        let file = directory.path().join(format!("picture.{ending}"));
        said(&server.command(&["export", &door.room, file.to_str().unwrap()]));
        assert!(fs::metadata(&file).unwrap().len() > 100);
    }
    let checked = said(&server.command(&["check"]));
    assert_eq!(checked.trim(), "1 room, 0 damaged");
    assert!(complained(&server.command(&["rooms", "delete", "abcdefghijkl"])).contains("there is no room"));
    said(&server.command(&["rooms", "delete", &door.room]));
    assert!(!said(&server.command(&["rooms", "list"])).contains("Harbour"));
    let out_of_reach = command(directory.path(), free_address(), &["rooms", "list"]);
    assert!(out_of_reach.stdout.is_empty(), "a heading over nothing");
    let out_of_reach = complained(&out_of_reach);
    assert!(out_of_reach.contains("--admin"), "{out_of_reach}");
}

#[tokio::test]
async fn a_quota_is_a_whole_number_of_mib_and_what_is_none_changes_nothing() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let order =
        async |mib: Value| server.order(json!({ "order": "quota", "room": room.id, "mib": mib })).await;
    let quota = async || {
        let listed: Value =
            server.order(json!({ "order": "list", "cursor": null })).await.json().await.unwrap();
        listed["items"][0]["quota_bytes"].clone()
    };
    assert_eq!(order(json!(3)).await.status(), 200);
    for wrong in [json!(null), json!("3"), json!(1.5), json!(-1), json!(99_999_999_999_999_u64)] {
        let answer = order(wrong.clone()).await;
        assert_eq!(answer.status(), 422, "{wrong}");
        let problem: Value = answer.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains("`mib` is"), "{problem}");
    }
    let refused = complained(&server.command(&["rooms", "quota", &room.id, "99999999999999"]));
    assert!(refused.contains("99999999999999"), "{refused}");
    assert_eq!(quota().await, 3 * 1024 * 1024);
    assert_eq!(server.order(json!({ "order": "quota", "room": room.id })).await.status(), 200);
    assert_eq!(quota().await, json!(null), "it is the server's own again");
}

#[tokio::test]
async fn a_sheet_that_no_room_has_is_refused_at_every_entrance() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    for (width, height) in [(0, 0), (15, 100), (100, 8_193), (65_535, 65_535)] {
        let body = json!({ "name": "Harbour", "visibility": "public", "width": width, "height": height });
        let asked = server.http().post(server.url("/api/rooms")).json(&body).send().await.unwrap();
        let mut order = body.clone();
        order["order"] = json!("create");
        for answer in [asked, server.order(order).await] {
            assert_eq!(answer.status(), 422, "{width} x {height}");
            assert!(answer.text().await.unwrap().contains("16 to 8192"));
        }
        let size = format!("{width}x{height}");
        let told = complained(&server.command(&["rooms", "create", "Harbour", "--sheet", &size]));
        assert!(told.contains("16 to 8192"), "{told}");
    }
    assert!(!said(&server.command(&["rooms", "list"])).contains("Harbour"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is_one_with_a_message() {
    let directory = scratch();
    said(&command(directory.path(), free_address(), &["rooms", "create", "Harbour"]));
    let listing = |into: Stdio| {
        let mut list = Command::new(env!("CARGO_BIN_EXE_artnest"));
        list.args(["rooms", "list", "--data"]).arg(directory.path().join("data")).stdout(into);
        list.stderr(Stdio::piped()).output().unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let unread = listing(writer.into());
    assert!(unread.status.success() && unread.stderr.is_empty(), "{unread:?}");
    let full = listing(fs::File::options().write(true).open("/dev/full").unwrap().into());
    assert_eq!(full.status.code(), Some(1));
    let told = complained(&full);
    assert!(told.starts_with("artnest: cannot write to standard output"), "{told}");
}

#[test]
fn in_a_folder_without_data_nothing_is_made_and_the_flag_is_named() {
    let directory = scratch();
    for words in [&["rooms", "list"][..], &["rooms", "links", "abcdefghijkl"], &["backup", "b"], &["check"]] {
        let told = complained(&command(directory.path(), free_address(), words));
        assert!(told.contains("there is no artnest.db in") && told.contains("--data"), "{told}");
    }
    assert!(!directory.path().join("data").exists());
}

#[tokio::test]
async fn a_backup_is_made_and_a_room_brought_back_while_the_server_runs() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let (harbour, meadow) = (server.room("Harbour").await, server.room("Meadow").await);
    let mut ada = harbour.as_artist().join("Ada").await;
    let mut grace = meadow.as_artist().join("Grace").await;
    for x in 0..20 {
        ada.act([stroke(&dot(x))]).await;
    }
    grace.act([stroke(&dot(1))]).await;
    let file = directory.path().join("artnest.backup");
    said(&server.command(&["backup", file.to_str().unwrap()]));
    let taken = complained(&server.command(&["backup", file.to_str().unwrap()]));
    assert!(taken.contains("artnest.backup exists already"), "{taken}");

    // What was drawn after the backup is taken back with the room; the other room is not touched.
    ada.act([stroke(&dot(99))]).await;
    grace.act([stroke(&dot(2))]).await;
    let restored = said(&server.command(&["restore", file.to_str().unwrap(), "--room", &harbour.id]));
    assert!(restored.contains("Harbour"), "{restored}");
    assert_eq!(ada.ended().await, crate::support::End::Told(13));
    let (log_id, seq) = (ada.welcome.log_id, ada.replica.seq);
    let mut ada =
        harbour.as_artist().resume(crate::support::key(), "Ada", log_id, ada.leave()).await.unwrap();
    assert!(!ada.welcome.resumes, "the log is another one");
    assert_eq!((seq, ada.replica.picture().len()), (21, 20));
    ada.act([stroke(&dot(5))]).await;
    grace.act([stroke(&dot(3))]).await;
    assert_eq!(grace.replica.seq.max(3), 3);

    // A deleted room comes back with all of it.
    said(&server.command(&["rooms", "delete", &meadow.id]));
    said(&server.command(&["restore", file.to_str().unwrap()]));
    assert_eq!(meadow.as_artist().join("Grace").await.replica.picture().len(), 1);
}

#[tokio::test]
async fn a_bad_backup_changes_nothing_and_stops_nobody() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let (harbour, meadow) = (server.room("Harbour").await, server.room("Meadow").await);
    let mut ada = harbour.as_artist().join("Ada").await;
    let mut grace = meadow.as_artist().join("Grace").await;
    ada.act([stroke(&dot(1))]).await;
    grace.act([stroke(&dot(1))]).await;
    let path = |name: &str| directory.path().join(name);
    let good = path("good");
    said(&server.command(&["backup", good.to_str().unwrap()]));
    ada.act([stroke(&dot(2))]).await;

    let whole = fs::read(&good).unwrap();
    fs::write(path("cut"), &whole[..whole.len() / 2]).unwrap();
    fs::write(path("text"), "not a database").unwrap();
    fs::create_dir(path("folder")).unwrap();
    fs::copy(&good, path("senseless")).unwrap();
    damage(&path("senseless"), &harbour.id);
    let (known, other, unknown) = (harbour.id.as_str(), meadow.id.as_str(), "abcdefghijkl");
    for (name, rooms, reason) in [
        ("cut", &[known][..], "cut"),
        ("text", &[known], "not a database"),
        ("folder", &[known], "folder"),
        ("missing", &[known], "cannot read"),
        ("senseless", &[known], known),
        ("senseless", &[other, known], known),
        ("senseless", &[], known),
        ("good", &[known, unknown], unknown),
        ("good", &[known, "Harbour"], "Harbour"),
    ] {
        let file = path(name);
        let mut words = vec!["restore", file.to_str().unwrap()];
        words.extend(rooms.iter().flat_map(|room| ["--room", room]));
        let told = complained(&server.command(&words));
        assert!(told.contains(reason), "{name}: {told}");
    }
    ada.act([stroke(&dot(3))]).await;
    grace.act([stroke(&dot(2))]).await;
    assert_eq!((ada.end, grace.end), (None, None), "nobody was sent away");
    assert_eq!(harbour.as_viewer().join("Late").await.replica.picture().len(), 3);
    assert_eq!(server.metric("artnest_store_writable").await, 1.0);
}

#[tokio::test]
async fn without_a_server_the_whole_file_is_restored_and_the_old_one_kept() {
    let directory = scratch();
    let mut server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    room.as_artist().join("Ada").await.act([stroke(&dot(1))]).await;
    let file = directory.path().join("artnest.backup");
    said(&server.command(&["backup", file.to_str().unwrap()]));
    room.as_artist().join("Grace").await.act([stroke(&dot(2))]).await;
    server.kill();
    let mut read_only = fs::metadata(&file).unwrap().permissions();
    read_only.set_readonly(true);
    fs::set_permissions(&file, read_only).unwrap();
    let restored = said(&server.command(&["restore", file.to_str().unwrap()]));
    assert!(restored.contains("artnest.db.before-restore-1"), "{restored}");
    server.start_again().await;
    assert_eq!(room.as_viewer().join("Late").await.replica.picture().len(), 1);

    server.kill();
    let nonsense = directory.path().join("nonsense");
    fs::write(&nonsense, "not a database").unwrap();
    complained(&server.command(&["restore", nonsense.to_str().unwrap()]));
    server.start_again().await;
    assert_eq!(room.as_viewer().join("Late").await.replica.picture().len(), 1, "nothing has changed");
}

#[tokio::test]
async fn whoever_knew_the_log_before_a_whole_restore_gets_the_room_anew() {
    let directory = scratch();
    let mut server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    ada.act([stroke(&dot(1))]).await;
    let file = directory.path().join("artnest.backup");
    said(&server.command(&["backup", file.to_str().unwrap()]));
    ada.act([stroke(&dot(2)), stroke(&dot(3))]).await;
    ada.settle(3).await;
    let (log_id, replica) = (ada.welcome.log_id, ada.leave());
    server.kill();
    said(&server.command(&["restore", file.to_str().unwrap()]));
    server.start_again().await;

    // The log is as long as it was, and says something else.
    let mut eve = room.as_artist().join("Eve").await;
    eve.act([stroke(&dot(7)), stroke(&dot(8)), stroke(&dot(9))]).await;
    let ada = room.as_artist().resume(crate::support::key(), "Ada", log_id, replica).await.unwrap();
    assert!(!ada.welcome.resumes, "the log is another one");
    eve.settle(4).await;
    assert_eq!(ada.replica.picture(), eve.replica.picture());
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_told_who_has_it() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let second = command(directory.path(), free_address(), &["serve", "--listen", "127.0.0.1:0"]);
    let told = complained(&second);
    assert!(told.contains("in use") && told.contains(&server.pid().to_string()), "{told}");
}

#[tokio::test]
async fn a_damaged_room_is_found_and_the_others_go_on() {
    let directory = scratch();
    let mut server = Server::start(directory.path()).await;
    let (good, bad) = (server.room("Good").await, server.room("Bad").await);
    for room in [&good, &bad] {
        room.as_artist().join("Ada").await.act([stroke(&dot(1))]).await;
    }
    server.ask_to_end();
    server.end().await;
    damage(&directory.path().join("data/artnest.db"), &bad.id);
    let checked = server.command(&["check"]);
    let shown = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success() && shown.contains(&bad.id) && !shown.contains(&good.id), "{shown}");
    server.start_again().await;
    assert_eq!(
        bad.as_artist().join_as(crate::support::key(), "Ada").await.err(),
        Some(crate::support::End::Told(13))
    );
    good.as_artist().join("Ada").await.act([stroke(&dot(2))]).await;
    let order = server.order(json!({ "order": "delete", "room": bad.id })).await;
    assert_eq!(order.status(), 200);
}

fn damage(file: &Path, room: &str) {
    let connection = rusqlite::Connection::open(file).expect("the file opens");
    let sql = "UPDATE log SET bytes = x'ff' WHERE room = (SELECT room FROM room WHERE id = ?1)";
    assert_eq!(connection.execute(sql, [room]).expect("it is damaged"), 1);
}
