//! The status page in headless Chromium, over a daemon whose sources are in every state that one can be in. What is clicked
//! and expected is in `page/page.test.mjs`.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use tributary::clock::Clock;

use crate::{
    crowd::kinds,
    support::{Local, ON_LOOPBACK, Reply, Site, eventually, free_address, rss, scratch},
};

const WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_of_each_source_why_it_waits() {
    assert!(
        tests().join("node_modules/playwright-core").exists(),
        "playwright-core is missing; run `cargo xtask setup`"
    );
    let site = Site::start(|asked| match asked.path.as_str() {
        "/gone" => Reply::new(410, &[], ""),
        _ => Reply::feed(rss(1 + asked.before)),
    });
    // A host of its own, since one that said 429 is left alone by whoever reads from it.
    let busy =
        Site::start_at(Ipv4Addr::new(127, 0, 2, 1), |_| Reply::new(429, &[("retry-after", "7200")], ""));
    let folder = scratch();
    let daemon = Local::start(folder.path(), &settings(&site, &busy), kinds(), Clock::system()).await;
    for (name, state, waits_for) in [
        ("calm", "waiting", Some("schedule")),
        ("busy", "waiting", Some("server")),
        ("dead", "waiting", Some("backoff")),
        ("gone", "disabled", None),
        ("panics", "parked", None),
    ] {
        eventually(name, WITHIN, async || {
            let source = daemon.source(name).await;
            (source["state"] == state && source["waits_for"].as_str() == waits_for).then_some(())
        })
        .await;
    }

    // This thread is none of the runtime's workers, on which the daemon goes on.
    let output = node().env("TRIBUTARY_URL", daemon.url("/")).output();
    let output =
        output.unwrap_or_else(|error| panic!("node does not start ({error}); run `cargo xtask setup`"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!daemon.end().await.is_lossy());
}

/// The panicking one is visited often, so that it is parked soon; `lively` brings something new every other second.
fn settings(site: &Site, busy: &Site) -> String {
    let dead = free_address();
    let source = |name: &str, kind: &str, url: &str, pace: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{url}\"\nfloor = \"{pace}\"\nceiling = \"{pace}\"\n"
        )
    };
    let at_site = |name: &str, pace: &str| source(name, "feed", site.url(&format!("/{name}")).as_str(), pace);
    [
        format!("listen = \"127.0.0.1:0\"\n{ON_LOOPBACK}"),
        at_site("calm", "300s"),
        at_site("lively", "2s"),
        source("busy", "feed", busy.url("/feed").as_str(), "300s"),
        at_site("gone", "300s"),
        source("dead", "feed", &format!("http://{dead}/feed"), "300s"),
        source("panics", "panics", "http://panics.example/", "100ms"),
    ]
    .concat()
}

fn node() -> Command {
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-timeout=60000", "page.test.mjs"])
        .current_dir(tests())
        .stdin(Stdio::null());
    command
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page")
}
