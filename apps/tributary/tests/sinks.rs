//! Sinks that go away and come back, each the real thing: everything arrives, in order, and once after its id is looked at.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::jetstream::{self, consumer::AckPolicy};
use futures_util::StreamExt;
use serde_json::Value;

use crate::support::{
    Daemon, Gate, ON_LOOPBACK, Reply, Site, TRIBUTARY, eventually, free_address, http_client, rss, scratch,
    source_of,
};

const WITHIN: Duration = Duration::from_secs(30);

/// A source whose feed has two entries more each time, up to 40.
fn growing() -> Site {
    growing_to(&Arc::new(AtomicUsize::new(40)))
}

/// The same up to a limit, which may be raised.
fn growing_to(limit: &Arc<AtomicUsize>) -> Site {
    let (limit, length) = (Arc::clone(limit), AtomicUsize::new(0));
    Site::start(move |_| {
        let grown = (length.load(Ordering::Relaxed) + 2).min(limit.load(Ordering::Relaxed));
        length.store(grown, Ordering::Relaxed);
        Reply::feed(rss(grown))
    })
}

fn settings(site: &Site, sink: &str) -> String {
    let url = site.url("/feed");
    format!(
        "[schedule]\nfloor = \"100ms\"\nceiling = \"100ms\"\n{ON_LOOPBACK}\
         [spill]\nitems_max = 20\n[[sink]]\nname = \"sink\"\n{sink}\n\
         [[source]]\nname = \"news\"\nkind = \"feed\"\nurl = \"{url}\"\n"
    )
}

fn all_titles() -> Vec<String> {
    (1..=40).map(|number| format!("Entry {number}")).collect()
}

/// The titles in a file of lines, as far as they are whole; none where there is no file.
fn titles(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let items = lines.map(|line| serde_json::from_str::<Value>(line).expect("each line is whole"));
    items.map(|item| item["title"].as_str().expect("a title").to_owned()).collect()
}

const LINES: &str = "kind = \"ndjson\"\npath = \"items.ndjson\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_moved_away_is_followed_by_a_new_one_and_every_item_is_there_once() {
    // However late the test is, the file is gone before the last item comes.
    let limit = Arc::new(AtomicUsize::new(10));
    let (site, folder) = (growing_to(&limit), scratch());
    let (path, moved) = (folder.path().join("items.ndjson"), folder.path().join("items.1.ndjson"));
    let daemon = Daemon::start(folder.path(), &settings(&site, LINES)).await;
    eventually("the first items are there", WITHIN, async || (!titles(&path).is_empty()).then_some(())).await;
    fs::rename(&path, &moved).unwrap();
    limit.store(40, Ordering::Relaxed);
    let all = eventually("everything is there", WITHIN, async || {
        let all = [titles(&moved), titles(&path)].concat();
        (all.len() >= 40).then_some(all)
    })
    .await;
    assert_eq!(all, all_titles());
    assert!(path.exists(), "it goes on under its name");
    daemon.signal("TERM");
    assert!(daemon.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_removed_is_made_anew_for_what_comes_after() {
    // However late the test is, the file is gone before the last item comes.
    let limit = Arc::new(AtomicUsize::new(10));
    let (site, folder) = (growing_to(&limit), scratch());
    let path = folder.path().join("items.ndjson");
    let daemon = Daemon::start(folder.path(), &settings(&site, LINES)).await;
    eventually("the first items are there", WITHIN, async || (!titles(&path).is_empty()).then_some(())).await;
    fs::remove_file(&path).unwrap();
    limit.store(40, Ordering::Relaxed);
    let after = eventually("the last item is there", WITHIN, async || {
        Some(titles(&path)).filter(|after| after.last().is_some_and(|title| title == "Entry 40"))
    })
    .await;
    assert!(all_titles().ends_with(&after), "{after:?}");
    daemon.signal("TERM");
    assert!(daemon.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_down_gets_everything_in_order_when_it_is_back() {
    let (gate, site, folder) = (Gate::open(), growing(), scratch());
    gate.set_open(false);
    let sink = format!("kind = \"webhook\"\nurl = \"{}\"", gate.url());
    let daemon = Daemon::start(folder.path(), &settings(&site, &sink)).await;

    // The sources pause when the outbox is full, and say why.
    let full = eventually("the outbox is full", WITHIN, async || {
        let status = daemon.status().await;
        (source_of(&status, "news")["waits_for"] == "spill").then_some(status)
    })
    .await;
    assert_eq!(full["spill"]["items"], 20, "it has its bound, and not one more");
    assert_eq!(full["sinks"][0]["state"], "waiting");
    assert!(full["sinks"][0]["why"].as_str().unwrap().contains("503"), "{}", full["sinks"][0]);
    assert!(full["sinks"][0]["next_at"].is_string());
    let asked = site.log().len();

    gate.set_open(true);
    eventually("everything is delivered", WITHIN, async || (gate.titles().len() >= 40).then_some(())).await;
    assert_eq!(gate.titles(), all_titles());
    assert!(site.log().len() > asked, "the source goes on");
    daemon.signal("TERM");
    assert!(daemon.end().await.success());
}

/// NATS with a stream on disk.
struct Nats {
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl Nats {
    fn start(folder: &Path) -> Nats {
        let port = free_address().port();
        Nats { process: Nats::launch(folder, port), folder: folder.to_owned(), port }
    }

    fn launch(folder: &Path, port: u16) -> Child {
        let program =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/nats-server/usr/sbin/nats-server");
        let mut command = Command::new(&program);
        command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(folder);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.unwrap_or_else(|error| panic!("nats-server does not start ({error}); run `cargo xtask setup`"))
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn kill(&mut self) {
        self.process.kill().expect("SIGKILL");
        self.process.wait().expect("its end");
    }

    fn launch_again(&mut self) {
        self.process = Nats::launch(&self.folder, self.port);
    }

    /// The titles of the items in the stream, in its order.
    async fn titles(&self) -> Option<Vec<String>> {
        let client = async_nats::connect(self.url()).await.ok()?;
        let stream = jetstream::new(client).get_stream("TRIBUTARY").await.ok()?;
        let config = jetstream::consumer::pull::Config { ack_policy: AckPolicy::None, ..Default::default() };
        let consumer = stream.create_consumer(config).await.ok()?;
        let mut messages = consumer.fetch().max_messages(100).messages().await.ok()?;
        let mut titles = Vec::new();
        while let Some(Ok(message)) = messages.next().await {
            let item: Value = serde_json::from_slice(&message.payload).ok()?;
            assert_eq!(message.subject.as_str(), "tributary.news");
            titles.push(item["title"].as_str()?.to_owned());
        }
        Some(titles)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_has_everything_in_order_and_once() {
    let (site, folder) = (growing(), scratch());
    let mut nats = Nats::start(&folder.path().join("nats"));
    let sink = format!("kind = \"nats\"\nserver = \"{}\"", nats.url());
    let daemon = Daemon::start(folder.path(), &settings(&site, &sink)).await;
    eventually("the first items are there", WITHIN, async || {
        nats.titles().await.filter(|titles| !titles.is_empty())
    })
    .await;
    nats.kill();
    eventually("the sink is known to be down", WITHIN, async || {
        (daemon.status().await["sinks"][0]["state"] == "waiting").then_some(())
    })
    .await;
    nats.launch_again();
    let titles = eventually("everything is there", WITHIN, async || {
        nats.titles().await.filter(|titles| titles.len() >= 40)
    })
    .await;
    assert_eq!(titles, all_titles());
    daemon.signal("TERM");
    assert!(daemon.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn herald_turns_each_item_into_one_notification() {
    const KEY: &str = "integration-test-key-0123456789abcdef";
    let herald = Path::new(TRIBUTARY).with_file_name("herald");
    let (site, folder, address) = (Site::bad(), scratch(), free_address());
    let mut command = Command::new(&herald);
    command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(folder.path().join("herald"));
    command.env("HERALD_API_KEY", KEY).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut herald = command
        .spawn()
        .unwrap_or_else(|error| panic!("herald does not start ({error}); run `cargo build -p herald`"));
    let sink = format!(
        "kind = \"herald\"\nurl = \"http://{address}\"\nkey = \"{KEY}\"\nemail = \"ada@example.org\""
    );
    let daemon = Daemon::start(folder.path(), &settings(&site, &sink)).await;
    let http = http_client();
    let subjects = eventually("Herald has them", WITHIN, async || {
        let outbox =
            http.get(format!("http://{address}/v1/outbox?limit=100")).bearer_auth(KEY).send().await.ok()?;
        let outbox: Value = outbox.json().await.ok()?;
        let mails = outbox["items"].as_array()?.clone();
        (mails.len() >= 3).then_some(mails)
    })
    .await;
    assert_eq!(subjects.len(), 3, "{subjects:?}");
    assert!(subjects.iter().any(|mail| mail["subject"] == "Entry 1"), "{subjects:?}");
    drop(daemon);
    herald.kill().expect("SIGKILL");
    herald.wait().expect("its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_webhook_will_never_take_is_kept_aside_and_the_rest_goes_on() {
    // Of a webhook, all that matters here is its answer to the first item.
    let hook = Site::start(|asked| Reply::new(if asked.before == 0 { 422 } else { 200 }, &[], ""));
    let (site, folder) = (Site::bad(), scratch());
    let sink = format!("kind = \"webhook\"\nurl = \"{}\"", hook.url("/hook"));
    let daemon = Daemon::start(folder.path(), &settings(&site, &sink)).await;
    let status = eventually("all are settled", WITHIN, async || {
        let status = daemon.status().await;
        (status["sinks"][0]["delivered"] == 3 && status["spill"]["items"] == 0).then_some(status)
    })
    .await;
    assert_eq!(status["sinks"][0]["refused"], 1, "{}", status["sinks"]);
    assert_eq!(hook.log().len(), 3);
    assert!(hook.log().iter().all(|asked| asked.headers.contains_key("webhook-id")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_too_large_for_a_stream_is_kept_aside_and_the_rest_goes_on() {
    let large = format!("<title>Entry 2</title><description>{}</description>", "x".repeat(10_000));
    let site = Site::start(move |_| Reply::feed(rss(3).replace("<title>Entry 2</title>", &large)));
    let folder = scratch();
    let nats = Nats::start(&folder.path().join("nats"));
    eventually("there is a stream for small messages", WITHIN, async || {
        let client = async_nats::connect(nats.url()).await.ok()?;
        let small = jetstream::stream::Config {
            name: "TRIBUTARY".to_owned(),
            subjects: vec!["tributary.>".to_owned()],
            max_message_size: 4_096,
            ..Default::default()
        };
        jetstream::new(client).create_stream(small).await.ok()
    })
    .await;
    let sink = format!("kind = \"nats\"\nserver = \"{}\"", nats.url());
    let daemon = Daemon::start(folder.path(), &settings(&site, &sink)).await;
    let status = eventually("all are settled", WITHIN, async || {
        let status = daemon.status().await;
        (status["sinks"][0]["delivered"] == 3 && status["spill"]["items"] == 0).then_some(status)
    })
    .await;
    assert_eq!(status["sinks"][0]["refused"], 1, "{}", status["sinks"]);
    assert_eq!(nats.titles().await, Some(vec!["Entry 1".to_owned(), "Entry 3".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_may_say_by_a_date_when_it_goes_on() {
    // By its own clock, half an hour from now.
    let dates = [("date", "Thu, 26 Nov 2026 12:00:00 GMT"), ("retry-after", "Thu, 26 Nov 2026 12:30:00 GMT")];
    let hook = Site::start(move |_| Reply::new(503, &dates, ""));
    let (site, folder) = (Site::bad(), scratch());
    let sink = format!("kind = \"webhook\"\nurl = \"{}\"", hook.url("/hook"));
    let daemon = Daemon::start(folder.path(), &settings(&site, &sink)).await;
    let status = eventually("it is sent away", WITHIN, async || {
        Some(daemon.status().await).filter(|status| status["sinks"][0]["state"] == "waiting")
    })
    .await;
    let time = |at: &Value| at.as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    let wait = time(&status["sinks"][0]["next_at"]).duration_since(time(&status["now"])).as_secs();
    assert!((1_700..=1_800).contains(&wait), "{wait} s: {}", status["sinks"][0]);
}
