//! Who may do what: every role against everything that is guarded, over the socket and over HTTP.

use artnest::{
    model::Role,
    wire::{ClientFrame, Op, Points},
};
use serde_json::json;

use crate::support::{Client, End, Room, Server, begin, key, scratch};

/// The codes of PROTOCOL.md.
const FORBIDDEN: u16 = 3;
const NO_ENTRY: u16 = 4;
const BANNED: u16 = 5;
const KICKED: u16 = 6;

#[tokio::test]
async fn each_role_may_do_what_the_table_says_and_nothing_else() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut olga = room.as_owner().join("Olga").await;
    let doors =
        [(Role::Viewer, room.as_viewer()), (Role::Artist, room.as_artist()), (Role::Owner, room.as_owner())];
    for (role, door) in doors {
        let mut somebody = door.join("Somebody").await;
        assert_eq!(somebody.welcome.role, role);
        let begun = somebody.act([begin(0, Points::NONE)]).await;
        let draws = [
            Op::Points { stroke: begun, ends: false, points: Points::NONE },
            Op::Undo { stroke: begun },
            Op::Redo { stroke: begun },
        ];
        somebody.act(draws).await;
        somebody.act([Op::Say { text: "hello" }]).await;
        let refused_draws = somebody.refused.len();
        assert_eq!(refused_draws, if role.may_draw() { 0 } else { 4 }, "{role:?}");
        somebody.act([Op::Lock { layer: 2, locked: false }, Op::Clear { layer: 2 }]).await;
        assert_eq!(somebody.refused.len() - refused_draws, if role.may_manage() { 0 } else { 2 }, "{role:?}");
        assert!(somebody.refused.iter().all(|&(_, code)| code == FORBIDDEN), "{:?}", somebody.refused);
        for frame in [
            ClientFrame::SetRole { member: olga.member(), role: Role::Owner },
            ClientFrame::Kick { member: 999, ban: false },
        ] {
            somebody.send_frame(&frame).await;
        }
        let expected = if role.may_manage() { 1 } else { 2 };
        somebody.until("the notices are there", |client| client.notices.len() == expected).await;
        assert_eq!(somebody.notices[0] == FORBIDDEN, !role.may_manage(), "{:?}", somebody.notices);
    }
    assert_eq!(olga.end, None);
    olga.act([Op::Say { text: "still here" }]).await;
}

#[tokio::test]
async fn each_route_asks_for_its_role() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let (room, other) = (server.room("Harbour").await, server.room("Other").await);
    let path = |rest: &str| server.url(&format!("/api/rooms/{}{rest}", room.id));
    let seen_by_viewers = ["", "/thumbnail.png", "/export.png", "/export.svg", "/history"];
    let seen_by_owners = ["/links", "/members"];
    let tokens = ["", "nonsense", &other.owner, &room.viewer, &room.artist, &room.owner];
    for (index, token) in tokens.iter().enumerate() {
        let may_see = index >= 3;
        let may_manage = index == 5;
        for rest in seen_by_viewers {
            let status = server.get(&format!("/api/rooms/{}{rest}", room.id), token).await.status();
            assert_eq!(status, if may_see { 200 } else { 404 }, "{token} {rest}");
        }
        let expected = |good: u16| {
            if may_manage {
                good
            } else if may_see {
                403
            } else {
                404
            }
        };
        for rest in seen_by_owners {
            let status = server.get(&format!("/api/rooms/{}{rest}", room.id), token).await.status();
            assert_eq!(status, expected(200), "{token} {rest}");
        }
        let http = server.http();
        let requests = [
            (http.patch(path("")).json(&json!({ "name": "Harbour" })), 200),
            (http.post(path("/forget")), 200),
            (http.delete(path("/bans/7")), 404),
            (http.post(path("/links/viewer")), 200),
            (http.delete(path("")), 204),
        ];
        for (request, good) in requests {
            let request = if token.is_empty() { request } else { request.bearer_auth(token) };
            assert_eq!(request.send().await.unwrap().status(), expected(good), "{token}");
        }
    }
}

#[tokio::test]
async fn an_owner_changes_a_role_and_it_stays() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut owner = room.as_owner().join("Olga").await;
    let ada_key = key();
    let mut ada = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    let set = |role| ClientFrame::SetRole { member: ada.member(), role };
    owner.send_frame(&set(Role::Viewer)).await;
    let member = ada.member();
    ada.until("she is a viewer", |ada| ada.replica.roster.get(&member).is_some_and(|line| line.1 == 0)).await;
    ada.act([begin(0, Points::NONE)]).await;
    assert_eq!(ada.refused, [(1, FORBIDDEN)]);
    // Her link makes her an artist no more, nor does a restart.
    drop(ada);
    let ada = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    assert_eq!((ada.member(), ada.welcome.role), (member, Role::Viewer));
    owner.send_frame(&ClientFrame::SetRole { member, role: Role::Owner }).await;
    owner
        .until("she is an owner", |owner| owner.replica.roster.get(&member).is_some_and(|line| line.1 == 2))
        .await;
    let ada = room.as_viewer().join_as(ada_key, "Ada").await.unwrap();
    assert_eq!(ada.welcome.role, Role::Owner);
}

#[tokio::test]
async fn a_better_link_raises_a_role_and_a_worse_one_does_not_lower_it() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let ada_key = key();
    let roles = [
        (room.as_viewer(), Role::Viewer),
        (room.as_artist(), Role::Artist),
        (room.as_viewer(), Role::Artist),
    ];
    for (door, role) in roles {
        assert_eq!(door.join_as(ada_key, "Ada").await.unwrap().welcome.role, role);
    }
}

#[tokio::test]
async fn whoever_is_kicked_may_come_back_and_whoever_is_banned_may_not() {
    let directory = scratch();
    let mut server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut owner = room.as_owner().join("Olga").await;
    let ada_key = key();
    let mut ada = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    let member = ada.member();
    owner.send_frame(&ClientFrame::Kick { member, ban: false }).await;
    assert_eq!(ada.ended().await, End::Told(KICKED));
    owner.until("she has left", |owner| owner.replica.roster.get(&member).is_some_and(|line| !line.0)).await;
    let mut ada = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    owner.send_frame(&ClientFrame::Kick { member, ban: true }).await;
    assert_eq!(ada.ended().await, End::Told(BANNED));
    assert_eq!(join_code(&room.as_artist(), ada_key).await, Some(BANNED));
    server.crash().await;
    assert_eq!(join_code(&room.as_artist(), ada_key).await, Some(BANNED));
    let members = server.get(&format!("/api/rooms/{}/members", room.id), &room.owner).await;
    let members: serde_json::Value = members.json().await.unwrap();
    let of_ada = members["items"].as_array().unwrap().iter().find(|row| row["member"] == member).unwrap();
    assert_eq!((of_ada["name"].as_str(), of_ada["banned"].as_bool()), (Some("Ada"), Some(true)));
    let unban = server.http().delete(server.url(&format!("/api/rooms/{}/bans/{member}", room.id)));
    assert_eq!(unban.bearer_auth(&room.owner).send().await.unwrap().status(), 204);
    assert_eq!(join_code(&room.as_artist(), ada_key).await, None);
}

/// The status of everything over HTTP that is for owners, asked by a link and perhaps as a member.
async fn owners_routes(server: &Server, room: &Room, token: &str, key: Option<[u8; 16]>) -> Vec<u16> {
    let http = server.http();
    let path = |rest: &str| server.url(&format!("/api/rooms/{}{rest}", room.id));
    let requests = [
        http.get(path("/links")),
        http.get(path("/members")),
        http.patch(path("")).json(&json!({ "name": "Harbour" })),
        http.post(path("/forget")),
        http.post(path("/links/viewer")),
        http.delete(path("/bans/999")),
    ];
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(send_as(request.bearer_auth(token), key).await);
    }
    statuses
}

async fn send_as(request: reqwest::RequestBuilder, key: Option<[u8; 16]>) -> u16 {
    let request = match key {
        Some(key) => request.header("Artnest-Member", format!("{:032x}", u128::from_be_bytes(key))),
        None => request,
    };
    request.send().await.expect("an answer").status().as_u16()
}

const ALL_DONE: [u16; 6] = [200, 200, 200, 200, 200, 404];

#[tokio::test]
async fn a_member_made_an_owner_may_do_over_http_what_owners_do() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut owner = room.as_owner().join("Olga").await;
    let ada_key = key();
    let mut ada = room.as_artist().join_as(ada_key, "Ada").await.unwrap();
    let member = ada.member();
    assert_eq!(owners_routes(&server, &room, &room.artist, Some(ada_key)).await, [403; 6]);
    owner.send_frame(&ClientFrame::SetRole { member, role: Role::Owner }).await;
    ada.until("she is an owner", |ada| ada.replica.roster.get(&member).is_some_and(|line| line.1 == 2)).await;
    assert_eq!(owners_routes(&server, &room, &room.artist, Some(ada_key)).await, ALL_DONE);
    assert_eq!(owners_routes(&server, &room, "", Some(ada_key)).await, ALL_DONE, "members stay members");
    assert_eq!(
        owners_routes(&server, &room, &room.artist, None).await,
        [403; 6],
        "the link alone is no owner's"
    );
    assert_eq!(
        owners_routes(&server, &room, &room.artist, Some(key())).await,
        [403; 6],
        "nor is another's key"
    );
    let delete = server.http().delete(server.url(&format!("/api/rooms/{}", room.id)));
    assert_eq!(send_as(delete.bearer_auth(&room.artist), Some(ada_key)).await, 204);
}

#[tokio::test]
async fn an_owner_who_is_demoted_or_banned_manages_no_more_as_that_member() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let mut olga = room.as_owner().join("Olga").await;
    let eve_key = key();
    let mut eve = room.as_owner().join_as(eve_key, "Eve").await.unwrap();
    let member = eve.member();
    olga.send_frame(&ClientFrame::SetRole { member, role: Role::Viewer }).await;
    eve.until("she is a viewer", |eve| eve.replica.roster.get(&member).is_some_and(|line| line.1 == 0)).await;
    assert_eq!(owners_routes(&server, &room, &room.owner, Some(eve_key)).await, [403; 6]);
    olga.send_frame(&ClientFrame::Kick { member, ban: true }).await;
    assert_eq!(eve.ended().await, End::Told(BANNED));
    assert_eq!(owners_routes(&server, &room, &room.owner, Some(eve_key)).await, [403; 6]);
    let path = server.url(&format!("/api/rooms/{}", room.id));
    let as_eve = |token: &str| send_as(server.http().get(&path).bearer_auth(token), Some(eve_key));
    assert_eq!(as_eve(&room.owner).await, 403, "who is banned sees nothing either");

    // The link is the owner's still, for whoever comes as nobody; the remedy is to renew it.
    assert_eq!(owners_routes(&server, &room, &room.owner, None).await, ALL_DONE);
    let renew = server.http().post(format!("{path}/links/owner"));
    assert_eq!(renew.bearer_auth(&room.owner).send().await.unwrap().status(), 200);
    assert_eq!(owners_routes(&server, &room, &room.owner, None).await, [404; 6]);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_with_its_form() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let path = server.url(&format!("/api/rooms/{}", room.id));
    for wrong in ["", "abc", "+0000000000000000000000000000000", "zz000000000000000000000000000000"] {
        let request = server.http().get(&path).bearer_auth(&room.owner).header("Artnest-Member", wrong);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 400, "{wrong}");
        assert!(answer.text().await.unwrap().contains("32 hexadecimal digits"));
    }
}

async fn join_code(door: &crate::support::Door, key: [u8; 16]) -> Option<u16> {
    match door.join_as(key, "Ada").await {
        Ok(_) => None,
        Err(End::Told(code)) => Some(code),
        Err(End::Lost) => Some(0),
    }
}

#[tokio::test]
async fn a_renewed_link_keeps_newcomers_out_and_members_in() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let room = server.room("Harbour").await;
    let ada_key = key();
    drop(room.as_artist().join_as(ada_key, "Ada").await.unwrap());
    let renew = server.http().post(server.url(&format!("/api/rooms/{}/links/artist", room.id)));
    let links: serde_json::Value = renew.bearer_auth(&room.owner).send().await.unwrap().json().await.unwrap();
    let fresh = links["artist"]["token"].as_str().unwrap();
    assert_ne!(fresh, room.artist);
    assert_eq!(join_code(&room.as_artist(), key()).await, Some(NO_ENTRY));
    assert_eq!(join_code(&room.as_artist(), ada_key).await, None);
    assert_eq!(join_code(&room.door(fresh), key()).await, None);
    assert_eq!(join_code(&room.as_viewer(), key()).await, None, "the other links are as they were");
}

#[tokio::test]
async fn a_public_room_lets_everybody_look_and_a_private_one_nobody() {
    let directory = scratch();
    let server = Server::start(directory.path()).await;
    let private = server.room("Private").await;
    let public = server.room_with(json!({ "name": "Public", "visibility": "public" })).await;
    assert_eq!(join_code(&private.door(""), key()).await, Some(NO_ENTRY));
    assert_eq!(join_code(&private.door("AAAAAAAAAAAAAAAAAAAAAA"), key()).await, Some(NO_ENTRY));
    let looker: Client = public.door("").join("Somebody").await;
    assert_eq!(looker.welcome.role, Role::Viewer);
    let gallery: serde_json::Value = server.get("/api/rooms", "").await.json().await.unwrap();
    let names: Vec<_> = gallery["items"].as_array().unwrap().iter().map(|room| &room["name"]).collect();
    assert_eq!(names, ["Public"]);
}
