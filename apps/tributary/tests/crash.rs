//! `kill -9` fifty times: every entry of every feed arrives at every sink, in order, and once after its id is looked at.

use std::{
    collections::{HashMap, HashSet},
    env, fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Daemon, ON_LOOPBACK, Reply, Site, eventually, rss, scratch, source_of};

const KILLS: usize = 50;
/// A kill comes this long after the start, at the latest.
const KILL_MILLIS_MAX: u64 = 350;
const SOURCES: usize = 4;

/// How many entries each feed has, by its path.
#[derive(Clone, Default)]
struct Lengths {
    by_path: Arc<Mutex<HashMap<String, usize>>>,
    is_frozen: Arc<AtomicBool>,
}

impl Lengths {
    /// One entry more each time, until they are frozen.
    fn next(&self, path: &str) -> usize {
        let mut lengths = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
        let length = lengths.entry(path.to_owned()).or_default();
        *length += usize::from(!self.is_frozen.load(Ordering::SeqCst) || *length == 0);
        *length
    }

    fn of(&self, path: &str) -> usize {
        self.by_path.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied().unwrap_or_default()
    }
}

fn settings(site: &Site) -> String {
    let mut text = format!(
        "[schedule]\nfloor = \"100ms\"\nceiling = \"100ms\"\n{ON_LOOPBACK}\
         [[sink]]\nname = \"lines\"\nkind = \"ndjson\"\npath = \"items.ndjson\"\n\
         [[sink]]\nname = \"rows\"\nkind = \"sqlite\"\npath = \"items.db\"\n"
    );
    for number in 0..SOURCES {
        let url = site.url(&format!("/{number}"));
        text += &format!("[[source]]\nname = \"s{number}\"\nkind = \"feed\"\nurl = \"{url}\"\n");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_lose_nothing_and_change_no_order() {
    let seed = env::var("TRIBUTARY_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random());
    println!("to repeat this run: TRIBUTARY_CRASH_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let lengths = Lengths::default();
    let growing = lengths.clone();
    let site = Site::start(move |asked| Reply::feed(rss(growing.next(&asked.path))));
    let folder = scratch();
    let mut daemon = Daemon::start(folder.path(), &settings(&site)).await;
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..=KILL_MILLIS_MAX))).await;
        daemon.kill();
        daemon.launch();
    }
    daemon.wait_until_ready().await;
    lengths.is_frozen.store(true, Ordering::SeqCst);
    eventually("every entry is delivered", Duration::from_secs(30), async || {
        let status = daemon.status().await;
        let have =
            |number| source_of(&status, &format!("s{number}"))["items"] == lengths.of(&format!("/{number}"));
        ((0..SOURCES).all(have) && status["spill"]["items"] == 0).then_some(())
    })
    .await;
    daemon.signal("TERM");
    assert!(daemon.end().await.success());

    let lines = lines(&folder.path().join("items.ndjson"));
    let mut once = HashSet::new();
    let distinct: Vec<_> = lines.iter().filter(|item| once.insert(item["id"].to_string())).collect();
    for number in 0..SOURCES {
        let name = format!("s{number}");
        let titles: Vec<_> =
            distinct.iter().filter(|item| item["source"] == *name).map(|item| &item["title"]).collect();
        let length = lengths.of(&format!("/{number}"));
        let expected: Vec<_> = (1..=length).map(|entry| Value::from(format!("Entry {entry}"))).collect();
        assert_eq!(titles, expected.iter().collect::<Vec<_>>(), "{name}: every entry, in order");
    }
    let rows: usize = Connection::open(folder.path().join("items.db"))
        .and_then(|file| file.query_row("SELECT count(*) FROM items", [], |row| row.get(0)))
        .expect("the table");
    assert_eq!(rows, distinct.len());
    println!(
        "{KILLS} kills: 0 of {} items lost, {} lines came twice",
        distinct.len(),
        lines.len() - distinct.len()
    );
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the file of the sink");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is whole")).collect()
}
