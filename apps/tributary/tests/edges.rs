//! The edge cases that every application's suite shares, by the same names. What a single visit meets of them stands in `web` and
//! `feeds`, a full disk in the store's own tests; here is what meets the daemon.

use std::{fs, io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};
use futures_util::future::BoxFuture;
use serde_json::Value;
use tributary::{
    clock::Clock,
    fields::{Fields, Wrong},
    kinds::KINDS,
    source::{Errand, Kind, Mark, Trouble, Visit, Visited},
};
use url::Url;

use crate::support::{
    Daemon, Gate, IN_HASTE, Local, ON_LOOPBACK, Reply, Site, eventually, free_address, http_client, rss,
    scratch, source_of,
};

const WITHIN: Duration = Duration::from_secs(20);
const HEAD: &str = "listen = \"127.0.0.1:0\"\n[schedule]\nfloor = \"200ms\"\nceiling = \"200ms\"\n";

fn source(site: &Site, name: &str, path: &str) -> String {
    format!("[[source]]\nname = \"{name}\"\nkind = \"feed\"\nurl = \"{}\"\n", site.url(path))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_the_server_asked_for_is_cut_short_by_nobody() {
    let (site, folder) = (Site::bad(), scratch());
    let text = format!("{HEAD}{ON_LOOPBACK}{}", source(&site, "later", "/429"));
    let daemon = Local::start(folder.path(), &text, KINDS, Clock::system()).await;
    let waits = async || (daemon.source("later").await["waits_for"] == "server").then_some(());
    eventually("it waits as its server asked", WITHIN, waits).await;
    let url = daemon.url("/api/sources/later/visit");
    let answer = http_client().post(url).header("x-tributary", "test").send().await.expect("an answer");
    assert!(answer.status().is_success());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let source = daemon.source("later").await;
    assert_eq!((&source["waits_for"], &source["visits"]), (&"server".into(), &1.into()), "{source}");
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_and_garbage_answers_are_told_and_the_source_goes_on() {
    let (site, folder) = (Site::bad(), scratch());
    let ways = ["empty", "garbage", "html", "broken", "truncated", "loop"];
    let sources: String = ways.iter().map(|way| source(&site, way, &format!("/{way}"))).collect();
    let daemon =
        Local::start(folder.path(), &format!("{HEAD}{ON_LOOPBACK}{sources}"), KINDS, Clock::system()).await;
    for way in ways {
        let source = eventually(way, WITHIN, async || {
            Some(daemon.source(way).await).filter(|source| source["visits"].as_u64() > Some(0))
        })
        .await;
        assert!(source["state"] == "waiting" || source["state"] == "visiting", "{source}");
        println!("{way}: {}", source["why"]);
    }
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_gone_is_disabled_over_a_restart_and_a_change_gives_it_another_chance() {
    let (site, folder) = (Site::bad(), scratch());
    let text = format!("{HEAD}{ON_LOOPBACK}{}", source(&site, "news", "/410"));
    let disabled = async |daemon: &Local| {
        eventually("it is disabled", WITHIN, async || {
            Some(daemon.source("news").await).filter(|source| source["state"] == "disabled")
        })
        .await
    };
    let daemon = Local::start(folder.path(), &text, KINDS, Clock::system()).await;
    assert!(disabled(&daemon).await["why"].as_str().unwrap().contains("410"));
    assert!(!daemon.end().await.is_lossy());
    let asked = site.log().len();

    let daemon = Local::start(folder.path(), &text, KINDS, Clock::system()).await;
    disabled(&daemon).await;
    assert_eq!(site.log().len(), asked, "nobody asks again");
    daemon.write(&text.replace("/410", "/sound"));
    eventually("it is read", WITHIN, async || (daemon.source("news").await["items"] == 3).then_some(()))
        .await;
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_moved_for_good_is_asked_at_its_new_address() {
    let (site, folder) = (Site::bad(), scratch());
    let text = format!("{HEAD}{ON_LOOPBACK}{}", source(&site, "news", "/to/sound"));
    let daemon = Local::start(folder.path(), &text, KINDS, Clock::system()).await;
    let moved = eventually("it has moved", WITHIN, async || {
        Some(daemon.source("news").await).filter(|source| source["visits"].as_u64() > Some(2))
    })
    .await;
    assert_eq!(moved["moved_to"], site.url("/sound").as_str());
    assert_eq!(site.log().iter().filter(|asked| asked.path == "/to/sound").count(), 1);
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_a_terminated_daemon_ends_in_time_whatever_it_is_at() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/hang" => Reply::Hang,
        _ => Reply::feed(rss(1 + asked.before)),
    });
    let (folder, gate) = (scratch(), Gate::open());
    let sink = format!("[[sink]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\n", gate.url());
    let sources = source(&site, "news", "/news") + &source(&site, "hang", "/hang");
    let text = format!(
        "drain = \"2s\"\n[schedule]\nfloor = \"100ms\"\nceiling = \"100ms\"\n{ON_LOOPBACK}{sink}{sources}"
    );
    for round in 0..6 {
        let daemon = Daemon::start(folder.path(), &text).await;
        tokio::time::sleep(Duration::from_millis(60 * round)).await;
        daemon.signal("TERM");
        assert!(daemon.end().await.success());
    }
    // Nothing came twice without a crash, and nothing is missing in between.
    let titles = gate.titles();
    let expected: Vec<_> = (1..=titles.len()).map(|number| format!("Entry {number}")).collect();
    assert_eq!(titles, expected);
}

/// A kind that gives a sink something to panic about, or hangs for ever in a visit.
#[derive(Debug)]
struct Stuck;

#[derive(Debug)]
struct Sticking(Url);

impl Kind for Stuck {
    fn name(&self) -> &'static str {
        "stuck"
    }

    fn about(&self) -> &'static str {
        "never comes back from a visit, for the tests"
    }

    fn read(&self, fields: &Fields<'_>) -> Result<Box<dyn Visit>, Wrong> {
        Ok(Box::new(Sticking(fields.url("url")?)))
    }
}

impl Visit for Sticking {
    fn address(&self) -> &Url {
        &self.0
    }

    fn visit<'a>(&'a self, _: &'a Errand<'a>) -> BoxFuture<'a, Result<Visited, Trouble>> {
        Box::pin(std::future::pending())
    }
}

/// A kind whose server asks for time.
#[derive(Debug)]
struct Later;

#[derive(Debug)]
struct Asking(Url, Duration);

impl Kind for Later {
    fn name(&self) -> &'static str {
        "later"
    }

    fn about(&self) -> &'static str {
        "asks for time, for the tests"
    }

    fn read(&self, fields: &Fields<'_>) -> Result<Box<dyn Visit>, Wrong> {
        let wait = fields.duration("wait", Duration::ZERO, Duration::MAX)?.unwrap_or(Duration::MAX);
        Ok(Box::new(Asking(fields.url("url")?, wait)))
    }
}

impl Visit for Asking {
    fn address(&self) -> &Url {
        &self.0
    }

    fn visit<'a>(&'a self, errand: &'a Errand<'a>) -> BoxFuture<'a, Result<Visited, Trouble>> {
        let first = errand.mark.is_none();
        let visited = Visited {
            items: Vec::new(),
            mark: Mark::of(&true),
            moved: None,
            wait: None,
            is_unchanged: false,
            bytes: 0,
        };
        let later = Trouble::Later { wait: self.1, why: "it says so".to_owned() };
        Box::pin(async move { if first { Ok(visited) } else { Err(later) } })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_a_visit_that_never_ends_holds_up_no_end_and_says_that_it_hangs() {
    static ALL: [&dyn Kind; 1] = [&Stuck];
    let folder = scratch();
    let text = format!(
        "drain = \"200ms\"\n{HEAD}[[source]]\nname = \"a\"\nkind = \"stuck\"\nurl = \"http://a.example/\"\n"
    );
    let daemon = Local::start(folder.path(), &text, &ALL, Clock::system()).await;
    let source = eventually("it hangs", WITHIN, async || {
        Some(daemon.source("a").await).filter(|source| source["state"] == "visiting")
    })
    .await;
    assert!(source["why"].as_str().unwrap().contains("for "), "{source}");
    let curtain = tokio::time::timeout(WITHIN, daemon.end()).await.expect("it ends all the same");
    println!("{curtain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn time_a_server_that_asks_for_ages_is_heeded_for_a_week_and_no_longer() {
    static ALL: [&dyn Kind; 1] = [&Later];
    let folder = scratch();
    let text = format!("{HEAD}[[source]]\nname = \"a\"\nkind = \"later\"\nurl = \"http://a.example/\"\n");
    let daemon = Local::start(folder.path(), &text, &ALL, Clock::system()).await;
    let status = eventually("it waits for its server", WITHIN, async || {
        let status = daemon.status().await;
        (source_of(&status, "a")["waits_for"] == "server").then_some(status)
    })
    .await;
    let source = source_of(&status, "a");
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let wait = time(&source["next_at"]).duration_since(time(&status["now"]));
    assert!(wait.as_hours() <= 7 * 24 && wait.as_hours() >= 7 * 24 - 1, "{wait:?}");
    assert_eq!((&source["why"], &source["failures"]), (&Value::from("it says so"), &Value::from(0)));
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_metrics_are_there_for_this_machine_alone() {
    let (site, folder) = (Site::bad(), scratch());
    let daemon =
        Daemon::start(folder.path(), &format!("{IN_HASTE}{ON_LOOPBACK}{}", source(&site, "news", "/sound")))
            .await;
    eventually("it is read and delivered", WITHIN, async || {
        let status = daemon.status().await;
        (source_of(&status, "news")["items"] == 3 && status["spill"]["items"] == 0).then_some(())
    })
    .await;
    let page = daemon.get("/").await.expect("a page");
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(page.text().await.unwrap().contains("<title>Tributary</title>"));
    let metrics = daemon.get("/metrics").await.expect("metrics").text().await.unwrap();
    for line in [
        "tributary_items_total{source=\"news\"} 3",
        "tributary_sources{state=\"waiting\"} 1",
        "tributary_sink_behind{sink=\"items\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    promtool(&metrics);
    assert_eq!(daemon.get("/nowhere").await.expect("an answer").status(), 404);
    let url = page_url(&daemon).await;
    let other = http_client().get(&url).header("host", "evil.example").send().await.expect("an answer");
    assert_eq!(other.status(), 403, "a name that somebody else may own");
    let order = http_client().post(format!("{url}api/sources/news/visit")).send().await.expect("an answer");
    assert_eq!(order.status(), 403, "a form could send this");
}

async fn page_url(daemon: &Daemon) -> String {
    daemon.get("/").await.expect("a page").url().to_string()
}

/// Prometheus's own checker has nothing to say.
fn promtool(metrics: &str) {
    use std::{
        io::Write,
        path::Path,
        process::{Command, Stdio},
    };
    let promtool = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools/prometheus/usr/bin/promtool");
    let mut check = Command::new(&promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool does not start ({error}); run `cargo xtask setup`"));
    check.stdin.take().expect("a pipe").write_all(metrics.as_bytes()).expect("it reads");
    let said = check.wait_with_output().expect("its end");
    assert!(said.status.success() && said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// Answers of some KiB that are as large as may be when they are unpacked, and gigabytes if every value in them were kept.
#[tokio::test(flavor = "multi_thread")]
async fn huge_a_small_answer_that_unpacks_to_millions_of_values_takes_little_memory() {
    const FEED: usize = 16 << 20;
    const PAGE: usize = 8 << 20;
    let fill = |bytes: usize, head: &str, unit: &str, tail: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let units = unit.repeat((bytes - head.len() - tail.len()) / unit.len());
        for part in [head, &units, tail] {
            encoder.write_all(part.as_bytes()).expect("it is written to memory");
        }
        encoder.finish().expect("it is written to memory")
    };
    let feed = "{\"version\":\"https://jsonfeed.org/version/1\",";
    let shapes = [
        ("zeros", "mastodon", fill(PAGE, "[", "0,", "0]")),
        ("posts", "mastodon", fill(PAGE, "[", "{\"id\":\"1\"},", "0]")),
        ("items", "feed", fill(FEED, &format!("{feed}\"items\":["), "0,", "0]}")),
        ("tags", "feed", fill(FEED, &format!("{feed}\"items\":[{{\"tags\":["), "0,", "0]}]}")),
        ("other", "feed", fill(FEED, &format!("{feed}\"x\":["), "[],", "[]],\"items\":[]}")),
        (
            "enclosures",
            "feed",
            fill(FEED, "<rss><channel><item>", "<enclosure url=\"/\"/>", "</item></channel></rss>"),
        ),
    ];
    for (name, kind, packed) in shapes {
        let site = Site::start(move |_| Reply::new(200, &[("content-encoding", "gzip")], &packed));
        let place = match kind {
            "feed" => format!("url = \"{}\"", site.url("/feed")),
            _ => format!("base = \"{}\"\ntag = \"x\"", site.url("").origin().ascii_serialization()),
        };
        let folder = scratch();
        let patient = ON_LOOPBACK.replace("timeout = \"1s\"", "timeout = \"60s\"");
        let settings =
            format!("{IN_HASTE}{patient}[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\n{place}\n");
        let daemon = Daemon::start(folder.path(), &settings).await;
        let source = eventually(name, Duration::from_secs(60), async || {
            Some(source_of(&daemon.status().await, name))
                .filter(|source| source["visits"].as_u64() >= Some(1))
        })
        .await;
        let peak = daemon.peak_mib();
        println!("{name}: {peak} MiB, {}", source["last_error"]);
        // feed-rs keeps all elements of an entry, each as what it means.
        let bound = if name == "enclosures" { 640 } else { 128 };
        assert!(peak < bound, "{name}: {peak} MiB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_a_dead_host_is_no_sign_that_the_host_that_redirects_is_dead() {
    let (dead, folder) = (free_address(), scratch());
    let site = Site::start(move |_| Reply::redirect(302, &format!("http://{dead}/feed")));
    let text = format!("{HEAD}{ON_LOOPBACK}{}", source(&site, "away", "/away"));
    let daemon = Local::start(folder.path(), &text, KINDS, Clock::system()).await;
    // Five in a row would be enough.
    let source = eventually("it is tried again and again", WITHIN, async || {
        Some(daemon.source("away").await).filter(|source| source["failures_in_a_row"].as_u64() >= Some(8))
    })
    .await;
    assert!(
        source["last_error"].as_str().is_some_and(|error| error.contains("cannot be reached")),
        "{source}"
    );
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn resource_a_daemon_that_cannot_write_where_it_listens_runs_all_the_same() {
    let (site, folder) = (Site::bad(), scratch());
    // Nothing can be written there, as on a disk that is full.
    fs::create_dir_all(folder.path().join("tributary-data/address")).expect("a directory");
    let text = format!("{IN_HASTE}{ON_LOOPBACK}{}", source(&site, "a", "/a"));
    let daemon = Daemon::start(folder.path(), &text).await;
    eventually("it is visited", WITHIN, async || {
        (source_of(&daemon.status().await, "a")["items"] == 3).then_some(())
    })
    .await;
    daemon.signal("TERM");
    assert!(daemon.end().await.success());
}
