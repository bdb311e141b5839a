//! The wall clock jumps by an hour, both ways: schedules are kept, while it runs and over a restart.

use std::time::{Duration, Instant};

use tributary::{clock::Clock, kinds::KINDS};

use crate::support::{Local, ON_LOOPBACK, Reply, Site, eventually, rss, scratch};

const WITHIN: Duration = Duration::from_secs(20);
const HOUR_SECONDS: i64 = 3_600;

fn settings(site: &Site, floor: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\n[schedule]\nfloor = \"{floor}\"\nceiling = \"{floor}\"\n{ON_LOOPBACK}\
         [[source]]\nname = \"news\"\nkind = \"feed\"\nurl = \"{}\"\n",
        site.url("/feed")
    )
}

async fn visited(daemon: &Local, times: u64) {
    eventually("it is visited again", WITHIN, async || {
        (daemon.source("news").await["visits"].as_u64()? >= times).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_jumps_by_an_hour_both_ways_and_the_schedule_is_kept() {
    let site = Site::start(|asked| Reply::feed(rss(1 + asked.before)));
    let (folder, clock) = (scratch(), Clock::system());
    let daemon = Local::start(folder.path(), &settings(&site, "200ms"), KINDS, clock.clone()).await;
    visited(&daemon, 2).await;
    for shift in [-HOUR_SECONDS, HOUR_SECONDS, 0] {
        clock.shift(shift);
        let (before, since) = (site.log().len(), Instant::now());
        eventually("it is visited five times more", WITHIN, async || {
            (site.log().len() >= before + 5).then_some(())
        })
        .await;
        let took = since.elapsed();
        println!("clock off by {shift:>5} s: 5 visits at least 0.2 s apart took {took:.1?}");
        // Not sooner than the floor allows: a jump forward is no reason to ask at once.
        assert!(took >= Duration::from_millis(4 * 200), "{took:?}");
        let source = daemon.source("news").await;
        assert_eq!(source["failures"], 0, "{source}");
    }
    assert!(!daemon.end().await.is_lossy());
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_went_back_over_a_restart_makes_no_wait_longer_than_it_was_planned() {
    let site = Site::start(|asked| Reply::feed(rss(1 + asked.before)));
    let (folder, clock) = (scratch(), Clock::system());
    clock.shift(HOUR_SECONDS);
    let daemon = Local::start(folder.path(), &settings(&site, "2s"), KINDS, clock.clone()).await;
    visited(&daemon, 1).await;
    assert!(!daemon.end().await.is_lossy());

    clock.shift(0);
    let daemon = Local::start(folder.path(), &settings(&site, "2s"), KINDS, clock).await;
    visited(&daemon, 2).await;
    assert!(!daemon.end().await.is_lossy());
}
