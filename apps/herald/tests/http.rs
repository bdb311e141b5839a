//! The HTTP API from outside: what it promises, and what it refuses without storing anything.

use std::{
    collections::HashSet,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use futures_util::future::join_all;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{API_KEY, Server, eventually, http_client, scratch};

#[tokio::test]
async fn an_accepted_notification_has_a_place_and_a_plan() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;

    let response = post(&server, &mail()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let location = header(&response, "location");
    assert!(!header(&response, "x-request-id").is_empty());
    let plan: Value = response.json().await.unwrap();
    assert_eq!(location, format!("/v1/notifications/{}", plan["id"].as_str().unwrap()));
    assert_eq!(plan["deliveries"][0]["channel"], "email");
    assert_eq!(plan["deliveries"][0]["provider"], "outbox");
    assert_eq!(plan["deliveries"][0]["address"], "ada@example.org");

    let notification = server.get_json(&location).await.unwrap();
    assert_eq!(notification["subject"], "Hello");
    assert_eq!(notification["deliveries"][0]["id"], plan["deliveries"][0]["id"]);
}

#[tokio::test]
async fn two_hundred_posts_with_one_key_make_one_notification() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let body = mail();

    let posts = (0..200).map(async |number| {
        // Quoted and bare are the same key.
        let key = if number % 2 == 0 { "\"order-17\"" } else { "order-17" };
        let response = post(&server, &body).header("Idempotency-Key", key).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let replayed = response.headers().contains_key("idempotency-replayed");
        (replayed, response.text().await.unwrap())
    });
    let answers = join_all(posts).await;

    assert_eq!(answers.iter().filter(|(replayed, _)| !replayed).count(), 1);
    let bodies: HashSet<_> = answers.into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies.len(), 1, "every answer is the first one's");
    assert_eq!(stored(&server).await, 1);

    let other = json!({ "to": { "email": "eve@example.org" }, "subject": "Other", "text": "Other." });
    let response = post(&server, &other).header("Idempotency-Key", "order-17").send().await.unwrap();
    problem(response, 422, "idempotency-key-reused").await;
    assert_eq!(stored(&server).await, 1);
}

#[tokio::test]
async fn a_repeat_after_the_deadline_gets_the_first_answer() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let deadline = jiff::Timestamp::now() + Duration::from_millis(1_500);
    let mut body = mail();
    body["expires_at"] = deadline.to_string().into();
    let ask = |key: &'static str| post(&server, &body).header("Idempotency-Key", key);

    let first = ask("code-17").send().await.unwrap();
    assert_eq!(first.status(), StatusCode::ACCEPTED);
    let first = first.text().await.unwrap();
    eventually("the deadline passes", Duration::from_secs(10), async || {
        (jiff::Timestamp::now() > deadline).then_some(())
    })
    .await;
    let repeat = ask("code-17").send().await.unwrap();
    assert_eq!(repeat.status(), StatusCode::ACCEPTED);
    assert_eq!(header(&repeat, "idempotency-replayed"), "true");
    assert_eq!(repeat.text().await.unwrap(), first);

    let new = problem(ask("code-18").send().await.unwrap(), 422, "invalid").await;
    assert_eq!(new["errors"][0]["pointer"], "/expires_at");
    assert_eq!(stored(&server).await, 1);
}

#[tokio::test]
async fn bad_input_is_a_problem_and_is_not_stored() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let raw = |text: &str| post(&server, &Value::Null).body(text.to_owned());
    let with = |pointer: &str, value: Value| {
        let mut body = mail();
        *body.pointer_mut(pointer).unwrap() = value;
        post(&server, &body)
    };
    let and = |name: &str, value: Value| {
        let mut body = mail();
        body[name] = value;
        post(&server, &body)
    };

    problem(raw("{\"to\":").send().await.unwrap(), 400, "malformed-json").await;
    problem(raw("").send().await.unwrap(), 400, "malformed-json").await;
    let large = raw(&format!("{{\"text\": \"{}\"}}", "x".repeat(256 * 1024)));
    problem(large.send().await.unwrap(), 413, "too-large").await;
    let form = http_client().post(server.url("/v1/notifications")).bearer_auth(API_KEY).body("to=ada");
    let form = form.header("Content-Type", "application/x-www-form-urlencoded");
    problem(form.send().await.unwrap(), 415, "unsupported-media-type").await;

    for (request, pointer) in [
        (raw("[]"), ""),
        (raw("{}"), "/to"),
        (raw(r#"{"expires_at": "2100-01-01T00:00:00Z", "expires_at": null}"#), "/expires_at"),
        (with("/subject", "a\r\nBcc: eve@example.org".into()), "/subject"),
        (with("/subject", "a\nb".into()), "/subject"),
        (with("/subject", "a\0b".into()), "/subject"),
        (with("/subject", "".into()), "/subject"),
        (with("/subject", "x".repeat(999).into()), "/subject"),
        (with("/subject", 7.into()), "/subject"),
        (with("/to/email", "nobody".into()), "/to/email"),
        (with("/to/email", "a@b\r\nRCPT TO:<eve@example.org>".into()), "/to/email"),
        (and("bcc", "eve@example.org".into()), "/bcc"),
        (and("expires_at", "2001-01-01T00:00:00Z".into()), "/expires_at"),
        (and("send_at", "tomorrow".into()), "/send_at"),
        (and("category", "Not A Word!".into()), "/category"),
    ] {
        let body = problem(request.send().await.unwrap(), 422, "invalid").await;
        let pointers: Vec<_> =
            body["errors"].as_array().unwrap().iter().map(|fault| &fault["pointer"]).collect();
        assert!(pointers.contains(&&json!(pointer)), "expected {pointer} in {body}");
    }

    for key in ["", "\"open", &"k".repeat(256)] {
        let request = post(&server, &mail()).header("Idempotency-Key", key);
        problem(request.send().await.unwrap(), 400, "malformed-request").await;
    }
    assert_eq!(stored(&server).await, 0);
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_stored() {
    let directory = scratch();
    // No disk has so much free space.
    let server = Server::alive(directory.path(), &format!("disk_free_mib_min = {}\n", u32::MAX)).await;
    let response = post(&server, &mail()).send().await.unwrap();
    assert_eq!(header(&response, "retry-after"), "5");
    problem(response, 503, "disk-full").await;
    assert_eq!(stored(&server).await, 0);

    let ready = http_client().get(server.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let why = ready.text().await.unwrap();
    assert!(why.contains("disk: ") && why.contains("disk_free_mib_min"), "{why}");
}

#[tokio::test]
async fn without_the_key_nothing_is_told_or_stored() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let http = http_client();
    let paths = ["/v1/notifications", "/v1/deliveries", "/v1/counts", "/v1/outbox", "/v1/events"];
    for path in paths {
        let response = http.get(server.url(path)).send().await.unwrap();
        assert_eq!(header(&response, "www-authenticate"), "Bearer realm=\"herald\"");
        problem(response, 401, "unauthorized").await;
        let response = http.get(server.url(path)).bearer_auth("x".repeat(64)).send().await.unwrap();
        problem(response, 401, "unauthorized").await;
        let response = http.get(server.url(path)).basic_auth(API_KEY, None::<&str>).send().await.unwrap();
        problem(response, 401, "unauthorized").await;
    }
    let request = http.post(server.url("/v1/notifications")).json(&mail());
    problem(request.send().await.unwrap(), 401, "unauthorized").await;
    assert_eq!(stored(&server).await, 0);

    for path in ["/", "/assets/style.css", "/healthz", "/readyz", "/metrics"] {
        assert_eq!(http.get(server.url(path)).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    let proxied = http.get(server.url("/metrics")).header("X-Forwarded-For", "203.0.113.9");
    problem(proxied.send().await.unwrap(), 401, "unauthorized").await;
}

#[tokio::test]
async fn every_wrong_turn_is_a_problem() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let absent = "/v1/notifications/01890a5d-ac96-774b-bcce-b302099a8057";
    for (path, status, kind) in [
        ("/nowhere", 404, "not-found"),
        ("/v1/nowhere", 404, "not-found"),
        ("/assets/secret", 404, "not-found"),
        (absent, 404, "not-found"),
        ("/v1/notifications/nonsense", 404, "not-found"),
        ("/v1/deliveries?cursor=nonsense", 400, "malformed-request"),
        ("/v1/notifications?cursor=nonsense", 400, "malformed-request"),
        ("/v1/deliveries?state=lost", 400, "malformed-request"),
        ("/v1/deliveries?limit=0", 400, "malformed-request"),
        ("/v1/deliveries?limit=100000", 400, "malformed-request"),
        ("/v1/deliveries?colour=red", 400, "malformed-request"),
    ] {
        let response = http_client().get(server.url(path)).bearer_auth(API_KEY).send().await.unwrap();
        problem(response, status, kind).await;
    }
    let response =
        http_client().delete(server.url("/v1/notifications")).bearer_auth(API_KEY).send().await.unwrap();
    assert_eq!(header(&response, "allow"), "POST,GET,HEAD");
    problem(response, 405, "method-not-allowed").await;
    // Nothing has happened, so there is no first event yet.
    for id in ["x", "-1", "1", "18446744073709551615", "18446744073709551616"] {
        let wrong_id =
            http_client().get(server.url("/v1/events")).bearer_auth(API_KEY).header("Last-Event-ID", id);
        problem(wrong_id.send().await.unwrap(), 400, "malformed-request").await;
    }
}

#[tokio::test]
async fn a_client_that_sends_no_end_of_headers_or_too_many_is_let_go() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head =
        format!("GET /healthz HTTP/1.1\r\nHost: herald\r\nX-Filler: {}\r\n\r\n", "x".repeat(64 * 1024));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn deliveries_are_read_by_state_in_pages_newest_first() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    for number in 0..7 {
        let mut body = mail();
        body["subject"] = format!("Mail {number}").into();
        body["send_at"] = "2100-01-01T00:00:00Z".into();
        assert_eq!(post(&server, &body).send().await.unwrap().status(), StatusCode::ACCEPTED);
    }

    let mut subjects = Vec::new();
    let mut path = "/v1/deliveries?state=planned&limit=3".to_owned();
    loop {
        let page = server.get_json(&path).await.unwrap();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        subjects.extend(items.iter().map(|item| item["subject"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/deliveries?state=planned&limit=3&cursor={next}");
    }
    let expected: Vec<_> = (0..7).rev().map(|number| format!("Mail {number}")).collect();
    assert_eq!(subjects, expected);
    let none = server.get_json("/v1/deliveries?state=dead").await.unwrap();
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn events_resume_after_the_last_one_seen() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let id = accept(&server).await;

    let mut all = events(&server, "0").await;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|event: &Value| event["state"] != "accepted") {
        seen.push(all.next().await);
    }
    assert!(seen.iter().all(|event| event["notification"] == id.as_str()));
    let resume = seen[0]["seq"].as_u64().unwrap();
    let mut rest = events(&server, &resume.to_string()).await;
    for expected in &seen[1..] {
        assert_eq!(rest.next().await, *expected);
    }

    let second = accept(&server).await;
    assert_eq!(rest.next().await["notification"], second.as_str(), "live events follow the stored ones");
}

#[tokio::test]
async fn the_metrics_are_valid_and_tell_the_balance() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    accept(&server).await;
    eventually("it is delivered", Duration::from_secs(10), async || {
        let accepted = server.metric("herald_deliveries{state=\"accepted\"}").await?;
        (accepted == 1.0).then_some(())
    })
    .await;

    let text = http_client().get(server.url("/metrics")).send().await.unwrap().text().await.unwrap();
    let promtool = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/prometheus/usr/bin/promtool");
    let mut check = Command::new(&promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool does not start ({error}); run `cargo xtask setup`"));
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let checked = check.wait_with_output().unwrap();
    assert!(checked.status.success(), "{}\n{text}", String::from_utf8_lossy(&checked.stderr));

    for name in [
        "herald_accepted_total 1",
        "herald_deliveries_marked_unknown_total 0",
        "herald_balances 1",
        "herald_attempts_total{class=\"accepted\",provider=\"outbox\"} 1",
        "herald_provider_paused{provider=\"outbox\"} 0",
        "herald_accept_seconds_count 1",
        "herald_build_info{version=",
    ] {
        assert!(text.contains(name), "no {name} in\n{text}");
    }
}

#[tokio::test]
async fn the_page_says_what_a_browser_may_do_with_it() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let page = http_client().get(server.url("/")).send().await.unwrap();
    let policy = header(&page, "content-security-policy");
    for rule in ["default-src 'none'", "script-src 'self'", "frame-src 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    let api = http_client().get(server.url("/healthz")).send().await.unwrap();
    assert_eq!(header(&api, "x-content-type-options"), "nosniff");
    assert_eq!(header(&api, "cache-control"), "no-store");
}

/// One event stream, read event by event.
struct Events {
    response: Response,
    rest: String,
}

impl Events {
    async fn next(&mut self) -> Value {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let data = block.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                self.rest = rest.to_owned();
                if let Some(data) = data {
                    return serde_json::from_str(&data).expect("an event");
                }
                continue;
            }
            let chunk = self.response.chunk().await.expect("an open stream").expect("more events");
            self.rest.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }
}

async fn events(server: &Server, last: &str) -> Events {
    let request =
        http_client().get(server.url("/v1/events")).bearer_auth(API_KEY).header("Last-Event-ID", last);
    let response = request.send().await.expect("an answer");
    assert_eq!(header(&response, "content-type"), "text/event-stream");
    Events { response, rest: String::new() }
}

fn mail() -> Value {
    json!({ "to": { "email": "ada@example.org" }, "subject": "Hello", "text": "Hello Ada." })
}

fn post(server: &Server, body: &Value) -> RequestBuilder {
    http_client().post(server.url("/v1/notifications")).bearer_auth(API_KEY).json(body)
}

async fn accept(server: &Server) -> String {
    let accepted: Value =
        post(server, &mail()).send().await.expect("an answer").json().await.expect("a plan");
    accepted["id"].as_str().expect("an id").to_owned()
}

/// How many notifications the server has ever stored.
async fn stored(server: &Server) -> u64 {
    let counts = server.get_json("/v1/counts").await.expect("the counts");
    counts["accepted_total"].as_u64().expect("a number")
}

/// The body of an error answer, which must be problem details of this kind and tell nothing of the inside.
async fn problem(response: Response, status: u16, kind: &str) -> Value {
    let url = response.url().clone();
    assert_eq!(response.status(), status, "{url}: {kind}");
    assert_eq!(header(&response, "content-type"), "application/problem+json", "{url}");
    let body: Value = response.json().await.expect("problem details");
    assert_eq!(body["type"], format!("urn:herald:problem:{kind}"), "{url}");
    assert_eq!(body["status"], status, "{url}");
    let (title, detail) =
        (body["title"].as_str().expect("a title"), body["detail"].as_str().expect("a detail"));
    assert!(!detail.to_lowercase().contains(&title.to_lowercase()), "{url} says it twice: {body}");
    assert!(!detail.contains("deserialize"), "{url} speaks of our code: {body}");
    body
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
}
