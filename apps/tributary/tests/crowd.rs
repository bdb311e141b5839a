//! Fifty sources, of which one is bad, in turn in every way there is: the others keep their schedule.

use std::{
    collections::HashMap,
    fmt::Write,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tributary::{
    clock::Clock,
    fields::{Fields, Wrong},
    kinds::KINDS,
    source::{Errand, Kind, Trouble, Visit, Visited},
};
use url::Url;

use crate::support::{Local, Names, ON_LOOPBACK, Record, Reply, Site, eventually, rss, scratch};

const GOOD: usize = 49;
/// The schedule: never sooner than this, and with its jitter never later than a tenth more.
const FLOOR: Duration = Duration::from_millis(500);
const LATEST: Duration = Duration::from_millis(550);
/// How long the others are watched beside each bad one.
const WATCHED: Duration = Duration::from_millis(1_700);
/// A machine that does other things as well may be late by this. What it comes to on a quiet one, the test prints.
const DEVIATION_MAX: Duration = Duration::from_secs(10);
const WITHIN: Duration = Duration::from_secs(60);

/// A kind whose parser panics at every visit.
#[derive(Debug)]
pub(crate) struct Panics;

#[derive(Debug)]
struct Panicking(Url);

impl Kind for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn about(&self) -> &'static str {
        "panics at every visit, for the tests"
    }

    fn read(&self, fields: &Fields<'_>) -> Result<Box<dyn Visit>, Wrong> {
        Ok(Box::new(Panicking(fields.url("url")?)))
    }
}

impl Visit for Panicking {
    fn address(&self) -> &Url {
        &self.0
    }

    fn visit<'a>(&'a self, _: &'a Errand<'a>) -> BoxFuture<'a, Result<Visited, Trouble>> {
        Box::pin(async { panic!("an entry that nobody can parse") })
    }
}

/// All kinds of the program, and the one that panics.
pub(crate) fn kinds() -> &'static [&'static dyn Kind] {
    let mut kinds = KINDS.to_vec();
    kinds.push(&Panics);
    kinds.leak()
}

/// When each good source was asked for its feed.
type Log = Arc<Mutex<HashMap<usize, Vec<Instant>>>>;

/// A good source is a host of its own, so that nothing is shared but the program.
fn good(number: usize, log: &Log) -> Site {
    let (log, last) = (Arc::clone(log), u8::try_from(number + 1).expect("a byte"));
    Site::start_at(Ipv4Addr::new(127, 0, 1, last), move |asked| {
        log.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default().push(Instant::now());
        Reply::feed(rss(1 + asked.before))
    })
}

fn settings(good: &[Site], names: &Names, bad: &str) -> String {
    let mut text = format!(
        "listen = \"127.0.0.1:0\"\n{ON_LOOPBACK}name_servers = [\"{}\"]\n[schedule]\nfloor = \"{FLOOR:?}\"\nceiling = \"{FLOOR:?}\"\n",
        names.address()
    );
    for (number, site) in good.iter().enumerate() {
        let url = site.url("/feed");
        writeln!(text, "[[source]]\nname = \"good-{number}\"\nkind = \"feed\"\nurl = \"{url}\"")
            .expect("memory");
    }
    text + bad
}

/// The largest gap between two visits of a good source since a moment, beyond what its schedule has.
fn largest_deviation(log: &Log, since: Instant) -> Duration {
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let of_one = |asked: &Vec<Instant>| {
        let mut asked: Vec<_> = asked.iter().copied().filter(|at| *at >= since - LATEST).collect();
        // One that is not asked any more has a gap as well.
        asked.push(now);
        let gaps = asked.windows(2).map(|pair| (pair[1] - pair[0]).saturating_sub(LATEST));
        gaps.max().unwrap_or(DEVIATION_MAX * 2)
    };
    assert_eq!(log.len(), GOOD, "each is visited");
    log.values().map(of_one).max().expect("there are some")
}

/// What the status has to say of a bad source.
type Told = fn(&Value) -> bool;

fn says(source: &Value, words: &str) -> bool {
    [&source["why"], &source["last_error"]]
        .iter()
        .any(|text| text.as_str().is_some_and(|text| text.contains(words)))
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_nine_sources_keep_their_schedule_whatever_the_fiftieth_does() {
    // Every other time there is no such name, and no answer in between.
    let names = Names::start(|_, asked| match asked % 3 {
        0 => Record::Unknown,
        1 => Record::Failure,
        _ => Record::Addresses(vec![Ipv4Addr::LOCALHOST]),
    });
    let log = Log::default();
    let sites: Vec<_> = (0..GOOD).map(|number| good(number, &log)).collect();
    // Each way on a host of its own, since a host that said 429 is left alone by whoever reads from it.
    let feed = |path: &str| {
        let url = Site::bad().url(path);
        format!("[[source]]\nname = \"NAME\"\nkind = \"feed\"\nurl = \"{url}\"\n")
    };
    let flapping = feed("/sound").replace("127.0.0.1", "flap.example");
    let panics =
        "[[source]]\nname = \"NAME\"\nkind = \"panics\"\nurl = \"http://panics.example/\"\n".to_owned();
    let ways: [(&str, String, Told); 9] = [
        ("nothing", String::new(), |source| source.is_null()),
        ("429", feed("/429"), |source| source["waits_for"] == "server" && source["failures"] == 0),
        ("403", feed("/403"), |source| says(source, "403")),
        ("hanging", feed("/hang"), |source| says(source, "did not answer") || says(source, "took longer")),
        ("dripping", feed("/drip"), |source| says(source, "took longer")),
        ("a bomb", feed("/bomb"), |source| source["failures"].as_u64() > Some(0)),
        ("invalid UTF-8", feed("/invalid"), |source| source["visits"].as_u64() > Some(0)),
        ("flapping DNS", flapping, |source| source["visits"].as_u64() > Some(0)),
        ("panicking", panics, |source| source["panics"].as_u64() > Some(1)),
    ];

    let folder = scratch();
    let daemon = Local::start(folder.path(), &settings(&sites, &names, ""), kinds(), Clock::system()).await;
    eventually("all are visited", WITHIN, async || {
        (log.lock().unwrap_or_else(PoisonError::into_inner).len() == GOOD).then_some(())
    })
    .await;
    let mut largest = Duration::ZERO;
    for (number, (way, bad, told)) in ways.into_iter().enumerate() {
        // A name of its own, so that nothing is known of it.
        let name = format!("bad-{number}");
        daemon.write(&settings(&sites, &names, &bad.replace("NAME", &name)));
        let since = Instant::now();
        let source = eventually(way, WITHIN, async || {
            let source = daemon.source(&name).await;
            (told(&source) && since.elapsed() > WATCHED).then_some(source)
        })
        .await;
        let deviation = largest_deviation(&log, since);
        println!("{way:>14}: the largest deviation of the others is {deviation:.1?}; {}", source["why"]);
        largest = largest.max(deviation);
    }
    println!("the largest deviation of {GOOD} sources from their schedule: {largest:.1?}");
    assert!(largest < DEVIATION_MAX, "{largest:?}");
    let status = daemon.status().await;
    for source in
        status["sources"].as_array().expect("a list").iter().filter(|source| source["kind"] == "feed")
    {
        // A busy machine may make one of them miss its server's second; nothing else may happen to it.
        assert!(source["panics"] == 0 && source["failures_in_a_row"].as_u64() <= Some(1), "{source}");
    }
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_keeps_panicking_is_parked_and_says_when_it_is_tried_again() {
    let folder = scratch();
    let text = "listen = \"127.0.0.1:0\"\n[schedule]\nfloor = \"100ms\"\nceiling = \"100ms\"\n\
                [[source]]\nname = \"bad\"\nkind = \"panics\"\nurl = \"http://panics.example/\"\n";
    let daemon = Local::start(folder.path(), text, kinds(), Clock::system()).await;
    let parked = eventually("it is parked", WITHIN, async || {
        Some(daemon.source("bad").await).filter(|source| source["state"] == "parked")
    })
    .await;
    assert_eq!(parked["panics"], 3, "{parked}");
    assert!(parked["next_at"].is_string(), "{parked}");
    assert!(says(&parked, "an entry that nobody can parse"), "{parked}");

    // Half-open: one more try, whenever it comes, parks it again.
    let http = crate::support::http_client();
    let visit = http.post(daemon.url("/api/sources/bad/visit")).header("x-tributary", "test").send().await;
    assert!(visit.expect("an answer").status().is_success());
    eventually("it was tried once, and is parked again", WITHIN, async || {
        let source = daemon.source("bad").await;
        (source["panics"] == 4 && source["state"] == "parked").then_some(())
    })
    .await;
    assert!(!daemon.end().await.is_lossy());
}
