//! The HTTP API: pages, pictures, the time-lapse, and who may open a socket.

use std::path::Path;

use artnest::wire::{LogFrame, Op, ServerFrame};
use bytes::{Buf, Bytes};
use serde_json::{Value, json};

use crate::support::{Replica, Server, dot, line, scratch, stroke};

#[tokio::test]
async fn the_page_is_served_with_its_policy_and_knows_its_routes() {
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("page/index.html").exists() {
        eprintln!("there is no page in this tree, so nothing is tested");
        return;
    }
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    for (path, status) in
        [("/", 200), ("/about", 200), ("/r/abcdefghijkl", 200), ("/nowhere", 404), ("/r/a/b/c", 404)]
    {
        let answer = server.get(path, "").await;
        assert_eq!(answer.status(), status, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    }
    let answer = server.get("/", "").await;
    let tag = answer.headers()["etag"].clone();
    let again = server.http().get(server.url("/")).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    for path in ["/assets/tests/x.js", "/assets/../Cargo.toml", "/assets/%2e%2e/Cargo.toml", "/api/nothing"] {
        assert_eq!(server.get(path, "").await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_a_problem_like_any_other() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let http = server.http();
    let at = |path: String| server.url(&path);
    for request in [
        http.get(at("/assets/%ff".into())),
        http.get(at("/api/rooms/%ff".into())),
        http.get(at("/api/rooms/%ff/socket".into())),
        http.post(at(format!("/api/rooms/{}/links/king", room.id))),
        http.delete(at(format!("/api/rooms/{}/bans/abc", room.id))),
    ] {
        let answer = request.bearer_auth(&room.owner).send().await.unwrap();
        let media_type = answer.headers()["content-type"].clone();
        assert_eq!(
            (answer.status().as_u16(), media_type.to_str().unwrap()),
            (404, "application/problem+json")
        );
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], "not-found");
    }
}

#[tokio::test]
async fn pictures_show_what_was_drawn() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room_with(json!({ "name": "Harbour", "width": 100, "height": 50 })).await;
    let mut ada = room.as_artist().join("Ada").await;
    ada.act([stroke(&line((10, 25), (90, 25)))]).await;
    let path = |rest: &str| format!("/api/rooms/{}/{rest}", room.id);
    let answer = server.get(&path("export.png?scale=2"), &room.viewer).await;
    assert_eq!(answer.headers()["content-type"], "image/png");
    let picture = tiny_skia::Pixmap::decode_png(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!((picture.width(), picture.height()), (200, 100));
    let pixel = |x, y| picture.pixel(x, y).unwrap();
    assert_eq!((pixel(100, 50).red(), pixel(100, 20).red()), (0, 255));
    let svg = server.get(&path("export.svg"), &room.viewer).await.text().await.unwrap();
    assert!(svg.contains("M10 25L90 25"), "{svg}");
    for (query, status) in
        [("scale=0", 422), ("scale=9", 422), ("scale=x", 400), ("colour=1", 400), ("", 200)]
    {
        assert_eq!(
            server.get(&path(&format!("export.png?{query}")), &room.viewer).await.status(),
            status,
            "{query}"
        );
    }
    let answer = server.get(&path("thumbnail.png"), &room.viewer).await;
    let tag = answer.headers()["etag"].clone();
    let request = server.http().get(server.url(&path("thumbnail.png"))).bearer_auth(&room.viewer);
    assert_eq!(request.header("if-none-match", &tag).send().await.unwrap().status(), 304);
    ada.act([stroke(&dot(800))]).await;
    assert_ne!(server.get(&path("thumbnail.png"), &room.viewer).await.headers()["etag"], tag);
}

/// The frames of a time-lapse.
fn frames(mut bytes: Bytes) -> Vec<ServerFrame> {
    let mut frames = Vec::new();
    while bytes.has_remaining() {
        let length = usize::try_from(bytes.get_u32_le()).expect("a length");
        frames.push(ServerFrame::read(&bytes.split_to(length)).expect("a frame"));
    }
    frames
}

#[tokio::test]
async fn the_time_lapse_has_every_step_and_after_forgetting_what_it_came_to() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    for x in 0..5 {
        let drawn = ada.act([stroke(&dot(x))]).await;
        if x == 2 {
            ada.act([Op::Undo { stroke: drawn }]).await;
        }
    }
    let path = format!("/api/rooms/{}/history", room.id);
    let history = frames(server.get(&path, &room.viewer).await.bytes().await.unwrap());
    let times: Vec<u64> = history
        .iter()
        .map(|frame| match frame {
            ServerFrame::Log(LogFrame { at, .. }) => *at,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(times.is_sorted() && times.len() >= 2);
    let replay = |frames: &[ServerFrame]| {
        let mut replica = Replica::default();
        frames.iter().for_each(|frame| replica.take(frame));
        (replica.picture(), replica.seq)
    };
    let before = replay(&history);
    assert_eq!((before.0.len(), before.1), (4, 6));
    let forget = server.http().post(server.url(&format!("/api/rooms/{}/forget", room.id)));
    assert_eq!(forget.bearer_auth(&room.owner).send().await.unwrap().status(), 200);
    ada.act([stroke(&dot(9))]).await;
    let history = frames(server.get(&path, &room.viewer).await.bytes().await.unwrap());
    assert!(matches!(history[0], ServerFrame::SnapshotBegin { seq: 6, .. }), "{history:?}");
    assert_eq!(replay(&history).0.len(), 5);
}

#[tokio::test]
async fn the_gallery_is_in_parts_and_has_the_last_drawn_in_first() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    for number in 0..5 {
        let room =
            server.room_with(json!({ "name": format!("Room {number}"), "visibility": "public" })).await;
        room.as_artist().join("Ada").await.act([stroke(&dot(1))]).await;
    }
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let part: Value =
            server.get(&format!("/api/rooms?limit=2&cursor={cursor}"), "").await.json().await.unwrap();
        for room in part["items"].as_array().unwrap() {
            assert_eq!((&room["role"], &room["strokes"]), (&json!("viewer"), &json!(1)));
            names.push(room["name"].as_str().unwrap().to_owned());
        }
        let Some(next) = part["next"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(names, ["Room 4", "Room 3", "Room 2", "Room 1", "Room 0"]);
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x", "page=2"] {
        assert_eq!(server.get(&format!("/api/rooms?{query}"), "").await.status(), 400, "{query}");
    }
}

#[tokio::test]
async fn a_page_from_elsewhere_opens_no_socket() {
    let directory = scratch();
    let server = Server::with(directory.path(), "origins = [\"https://draw.example.org\"]\n").await;
    let room = server.room("Harbour").await;
    let path = format!("/api/rooms/{}/socket", room.id);
    let knock = |origin: &str| {
        let request = server.http().get(server.url(&path)).header("origin", origin.to_owned());
        let request = request.header("connection", "upgrade").header("upgrade", "websocket");
        request
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .send()
    };
    assert_eq!(knock("https://evil.example").await.unwrap().status(), 403);
    assert_eq!(knock("https://draw.example.org").await.unwrap().status(), 101);
    let ours = format!("http://{}", server.address());
    assert_eq!(knock(&ours).await.unwrap().status(), 101);
    assert_eq!(server.get(&path, "").await.status(), 426);
}

#[tokio::test]
async fn rooms_are_made_by_whom_the_operator_says() {
    let directory = scratch();
    let server = Server::with(directory.path(), "create = \"nobody\"\n").await;
    let make = server.http().post(server.url("/api/rooms")).json(&json!({ "name": "x" }));
    assert_eq!(make.send().await.unwrap().status(), 403);
    let about: Value = server.get("/api/server", "").await.json().await.unwrap();
    assert_eq!((&about["may_create"], &about["protocol"]), (&json!(false), &json!(1)));
}

#[tokio::test]
async fn json_that_says_the_wrong_thing_is_told_from_what_is_no_json() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    for (body, status) in [
        (r#"{"name":null}"#, 422),
        (r#"{"name":"x","visibility":null}"#, 422),
        (r#"{"name":"x","visibility":7}"#, 422),
        (r#"{"name":"x","width":99999}"#, 422),
        (r#"{"name":"x","colour":"red"}"#, 422),
        (r#"{"name":"x""#, 400),
        (r#"{"name":"x"} and more"#, 400),
        ("", 400),
    ] {
        let request = server.http().post(server.url("/api/rooms")).header("content-type", "application/json");
        assert_eq!(request.body(body).send().await.unwrap().status(), status, "{body}");
    }
}

#[tokio::test]
async fn the_admin_listener_answers_only_to_names_of_this_machine() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    assert_eq!(server.status().await["totals"]["rooms"], 0);
    let url = format!("http://{}/api/status", server.admin());
    let rebound = server.http().get(&url).header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
    let form = server.http().post(format!("http://{}/api/orders", server.admin())).body("order=check");
    assert_eq!(form.header("content-type", "text/plain").send().await.unwrap().status(), 415);
    assert_eq!(server.get("/api/status", "").await.status(), 404, "the public listener has no such path");
    assert_eq!(server.get("/metrics", "").await.status(), 404);
    assert!(server.get_admin("/metrics").await.text().await.unwrap().contains("artnest_store_writable 1"));
    assert!(server.get_admin("/").await.text().await.unwrap().contains("<title>Artnest"));
}

#[tokio::test]
async fn the_admin_key_opens_in_whatever_case_the_scheme_is_written() {
    let directory = scratch();
    let key = "a key of ümlauts, which is long enough";
    let server = Server::with_admin_key(directory.path(), key).await;
    let url = format!("http://{}/api/status", server.admin());
    for (authorization, status) in [
        (format!("Bearer {key}"), 200),
        (format!("bearer {key}"), 200),
        (format!("BEARER {key}"), 200),
        (format!("Basic {key}"), 401),
        (format!("Bearer {key}!"), 401),
        ("Bearer".to_owned(), 401),
        (String::new(), 401),
    ] {
        let value = reqwest::header::HeaderValue::from_bytes(authorization.as_bytes()).unwrap();
        let answer = server.http().get(&url).header("authorization", value).send().await.unwrap();
        assert_eq!(answer.status(), status, "{authorization}");
    }
}

#[tokio::test]
async fn a_deleted_room_is_gone_for_everybody() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut ada = room.as_artist().join("Ada").await;
    let delete =
        server.http().delete(server.url(&format!("/api/rooms/{}", room.id))).bearer_auth(&room.owner);
    assert_eq!(delete.send().await.unwrap().status(), 204);
    assert_eq!(ada.ended().await, crate::support::End::Told(12));
    assert_eq!(server.get(&format!("/api/rooms/{}", room.id), &room.owner).await.status(), 404);
    assert!(room.as_artist().join_as(crate::support::key(), "Ada").await.is_err());
}
