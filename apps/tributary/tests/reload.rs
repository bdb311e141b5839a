//! The file is edited while the daemon runs: what changed is restarted, everything else goes on, and a mistake changes nothing.

use std::{
    fs,
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;
use tributary::{clock::Clock, kinds::KINDS};

use crate::support::{
    Daemon, IN_HASTE, Local, ON_LOOPBACK, Reply, Site, eventually, free_address, rss, scratch, source_of,
};

const WITHIN: Duration = Duration::from_secs(20);
/// How often the daemon reads its file.
const LOOK: Duration = Duration::from_secs(1);
const HEAD: &str = "listen = \"127.0.0.1:0\"\n[schedule]\nfloor = \"200ms\"\nceiling = \"200ms\"\n";

fn source(site: &Site, name: &str, more: &str) -> String {
    format!(
        "[[source]]\nname = \"{name}\"\nkind = \"feed\"\nurl = \"{}\"\n{more}\n",
        site.url(&format!("/{name}"))
    )
}

async fn reloaded(daemon: &Local, times: u64) -> Value {
    eventually("the file is in force", WITHIN, async || {
        Some(daemon.status().await).filter(|status| status["settings"]["reloads"] == times)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_is_restarted() {
    let (site, folder) = (Site::bad(), scratch());
    let [a, b, c] = ["a", "b", "c"].map(|name| source(&site, name, ""));
    let first = format!("{HEAD}{ON_LOOPBACK}{a}{b}{c}");
    let daemon = Local::start(folder.path(), &first, KINDS, Clock::system()).await;
    let before = eventually("the sources are there", WITHIN, async || {
        Some(daemon.status().await).filter(|status| source_of(status, "c").is_object())
    })
    .await;
    let started = |status: &Value, name: &str| source_of(status, name)["started_at"].clone();

    // Another floor for b, c is gone, d is new; a comment and another order are no change.
    let (b, d) = (source(&site, "b", "floor = \"300ms\""), source(&site, "d", ""));
    daemon.write(&format!("# A comment.\n{HEAD}{ON_LOOPBACK}{d}{b}{a}"));
    let after = reloaded(&daemon, 1).await;
    assert_eq!(started(&after, "a"), started(&before, "a"), "a goes on");
    assert_ne!(started(&after, "b"), started(&before, "b"), "b is restarted");
    assert!(source_of(&after, "c").is_null() && started(&after, "d").is_string());

    // The network's settings are everybody's.
    let slower = ON_LOOPBACK.replace("timeout = \"1s\"", "timeout = \"900ms\"");
    daemon.write(&format!("{HEAD}{slower}{d}{b}{a}"));
    let last = reloaded(&daemon, 2).await;
    assert_ne!(started(&last, "a"), started(&after, "a"));
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_changes_nothing_and_says_what_is_wrong() {
    let (site, folder) = (Site::bad(), scratch());
    let sound = format!("{HEAD}{ON_LOOPBACK}{}", source(&site, "a", ""));
    let daemon = Local::start(folder.path(), &sound, KINDS, Clock::system()).await;
    let before = eventually("the source is there", WITHIN, async || {
        Some(daemon.source("a").await).filter(Value::is_object)
    })
    .await;
    daemon.write(&format!("{sound}[[source]]\nkind = \"feed\"\nulr = \"https://example.org/\"\n"));
    let fault = eventually("the mistake is told", WITHIN, async || {
        daemon.status().await["settings"]["fault"].as_str().map(str::to_owned)
    })
    .await;
    assert!(fault.contains("`source.url`: is missing") && fault.contains("line "), "{fault}");
    assert_eq!(daemon.source("a").await["started_at"], before["started_at"]);
    daemon.write(&sound);
    eventually("it is mended", WITHIN, async || {
        daemon.status().await["settings"]["fault"].is_null().then_some(())
    })
    .await;
    assert_eq!(daemon.status().await["settings"]["reloads"], 0);
    // What cannot change while it runs is named.
    daemon.write(&sound.replace("127.0.0.1:0", "127.0.0.1:1"));
    let status = reloaded(&daemon, 1).await;
    assert_eq!(status["settings"]["waits_for_restart"], serde_json::json!(["listen"]));
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_at_the_same_time_and_of_the_same_length_is_seen() {
    let (site, folder) = (Site::bad(), scratch());
    let with =
        |floor: &str| format!("{HEAD}{ON_LOOPBACK}{}", source(&site, "a", &format!("floor = \"{floor}\"")));
    let daemon = Local::start(folder.path(), &with("300ms"), KINDS, Clock::system()).await;
    let time = SystemTime::now();
    daemon.write_at(&with("301ms"), time);
    reloaded(&daemon, 1).await;
    daemon.write_at(&with("302ms"), time);
    reloaded(&daemon, 2).await;
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_a_source_is_reloaded_while_it_fetches_and_a_storm_of_reloads_ends_at_the_last() {
    let (site, folder) = (Site::bad(), scratch());
    let hang = |more: &str| format!("{HEAD}{ON_LOOPBACK}{}", source(&site, "hang", more));
    let daemon = Local::start(folder.path(), &hang(""), KINDS, Clock::system()).await;
    eventually("it fetches", WITHIN, async || {
        (daemon.source("hang").await["state"] == "visiting").then_some(())
    })
    .await;
    for number in 0..100 {
        daemon.write(&hang(&format!("floor = \"{}ms\"", 200 + number)));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let last = format!("{HEAD}{ON_LOOPBACK}{}", source(&site, "last", ""));
    daemon.write(&last);
    eventually("the last is in force", WITHIN, async || {
        let status = daemon.status().await;
        (source_of(&status, "last")["items"] == 3 && source_of(&status, "hang").is_null()).then_some(())
    })
    .await;
    let reloads = daemon.status().await["settings"]["reloads"].as_u64().expect("a number");
    assert!(reloads <= 10, "{reloads} reloads for 101 writes");
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_go_on_when_the_sink_that_filled_the_outbox_is_removed() {
    let (site, folder) = (Site::start(|asked| Reply::feed(rss((2 * (1 + asked.before)).min(40)))), scratch());
    let rest = |sinks: &str| {
        let kept = folder.path().join("kept.ndjson");
        let kept = format!("[[sink]]\nname = \"kept\"\nkind = \"ndjson\"\npath = \"{}\"\n", kept.display());
        format!("{HEAD}{ON_LOOPBACK}[spill]\nitems_max = 10\n{kept}{sinks}{}", source(&site, "news", ""))
    };
    let dead =
        format!("[[sink]]\nname = \"dead\"\nkind = \"webhook\"\nurl = \"http://{}/\"\n", free_address());
    let daemon = Local::start(folder.path(), &rest(&dead), KINDS, Clock::system()).await;
    eventually("the outbox is full", WITHIN, async || {
        (daemon.source("news").await["waits_for"] == "spill").then_some(())
    })
    .await;
    daemon.write(&rest(""));
    eventually("the source goes on", WITHIN, async || {
        let status = daemon.status().await;
        (source_of(&status, "news")["items"] == 40 && status["spill"]["items"] == 0).then_some(())
    })
    .await;
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_comes_back_is_given_what_it_was_owed_when_it_went() {
    let (site, folder) = (Site::start(|_| Reply::feed(rss(5))), scratch());
    let rest = |sinks: &str| {
        let kept = folder.path().join("kept.ndjson");
        let kept = format!("[[sink]]\nname = \"kept\"\nkind = \"ndjson\"\npath = \"{}\"\n", kept.display());
        format!("{HEAD}{ON_LOOPBACK}{kept}{sinks}{}", source(&site, "news", ""))
    };
    let dead =
        format!("[[sink]]\nname = \"dead\"\nkind = \"webhook\"\nurl = \"http://{}/\"\n", free_address());
    let daemon = Local::start(folder.path(), &rest(&dead), KINDS, Clock::system()).await;
    eventually("it is owed all", WITHIN, async || {
        (daemon.status().await["spill"]["items"] == 5).then_some(())
    })
    .await;
    daemon.write(&rest(""));
    let status = reloaded(&daemon, 1).await;
    assert_eq!(status["spill"]["items"], 0, "the outbox is free");
    let path = folder.path().join("mended.ndjson");
    let mended = format!("[[sink]]\nname = \"dead\"\nkind = \"ndjson\"\npath = \"{}\"\n", path.display());
    daemon.write(&rest(&mended));
    let lines = eventually("it is given them", WITHIN, async || {
        fs::read_to_string(&path).ok().filter(|lines| lines.lines().count() >= 5)
    })
    .await;
    let title = |line| serde_json::from_str::<Value>(line).expect("JSON")["title"].clone();
    let titles: Vec<Value> = lines.lines().map(title).collect();
    assert_eq!(titles, ["Entry 1", "Entry 2", "Entry 3", "Entry 4", "Entry 5"]);
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_being_written_is_not_taken_before_it_is_whole() {
    let (site, folder) = (Site::bad(), scratch());
    let whole = format!("{HEAD}{ON_LOOPBACK}{}", source(&site, "a", ""));
    let daemon = Local::start(folder.path(), &whole, KINDS, Clock::system()).await;
    eventually("the source is there", WITHIN, async || {
        Some(daemon.source("a").await).filter(Value::is_object)
    })
    .await;
    // A writer that is as slow as can be: each look finds a sound file, and none twice.
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    for line in 0.. {
        let written = Instant::now();
        daemon.write(&format!("{HEAD}{ON_LOOPBACK}# Line {line}.\n"));
        tokio::time::sleep(Duration::from_millis(20)).await;
        longest = longest.max(written.elapsed());
        if began.elapsed() > 3 * LOOK {
            break;
        }
    }
    daemon.write(&whole);
    assert!(longest < LOOK, "this machine stood still for {longest:?}");
    assert!(daemon.source("a").await.is_object());
    assert_eq!(daemon.status().await["settings"]["reloads"], 0);
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_file_changes_nothing_however_it_is_taken() {
    let (site, folder) = (Site::bad(), scratch());
    let daemon =
        Daemon::start(folder.path(), &format!("{IN_HASTE}{ON_LOOPBACK}{}", source(&site, "a", ""))).await;
    let whole = fs::read_to_string(daemon.path()).expect("the file");
    let fault = async |what: &str| {
        eventually(what, WITHIN, async || {
            let status = daemon.status().await;
            assert!(source_of(&status, "a").is_object() && status["settings"]["reloads"] == 0, "{status}");
            status["settings"]["fault"].as_str().map(str::to_owned)
        })
        .await
    };
    fs::write(daemon.path(), "\n  # Nothing yet.\n").expect("it is written");
    let told = fault("that there is nothing is told").await;
    assert!(told.contains("the file is empty; write into it"), "{told}");
    fs::write(daemon.path(), &whole).expect("it is written");
    eventually("it is mended", WITHIN, async || {
        daemon.status().await["settings"]["fault"].is_null().then_some(())
    })
    .await;
    fs::write(daemon.path(), "").expect("it is emptied");
    daemon.signal("HUP");
    fault("that it is empty is told").await;
    daemon.signal("TERM");
    assert!(daemon.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reloads_at_once() {
    let (site, folder) = (Site::bad(), scratch());
    let daemon = Daemon::start(folder.path(), &format!("{IN_HASTE}{ON_LOOPBACK}")).await;
    let text = fs::read_to_string(daemon.path()).expect("the file");
    fs::write(daemon.path(), format!("{text}{}", source(&site, "a", ""))).expect("it is written");
    daemon.signal("HUP");
    eventually("it is visited", WITHIN, async || {
        (source_of(&daemon.status().await, "a")["items"] == 3).then_some(())
    })
    .await;
    daemon.signal("TERM");
    assert!(daemon.end().await.success());
}
