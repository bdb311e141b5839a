//! The guarded client against a web server, and a name server, that mean no good.

use std::{future::poll_fn, net::Ipv4Addr, pin::pin, task::Poll, time::Duration};

use tokio::time::{Instant, timeout};
use tributary::{
    source::{Progress, Trouble},
    web::{Answer, Request, Settings, Validators},
};
use url::Url;

use crate::support::{Names, Record, Reply, Site, bomb, get, rss, settings, with_web};

/// What became of a visit, in one word.
fn word(result: &Result<Answer, Trouble>) -> &'static str {
    match result {
        Ok(_) => "good",
        Err(Trouble::Later { .. }) => "later",
        Err(Trouble::Gone { .. }) => "gone",
        Err(Trouble::Refused { .. }) => "refused",
        Err(Trouble::Unreachable { .. }) => "unreachable",
        Err(Trouble::Broken { .. }) => "broken",
    }
}

fn why(result: Result<Answer, Trouble>) -> String {
    result.expect_err("no good answer").to_string()
}

/// Visits each path of the bad server by itself, so that no path's word holds another one back.
async fn visits(paths: &[(&str, &str)], settings: &Settings) {
    for (path, expected) in paths {
        let site = Site::bad();
        let result = with_web(settings.clone(), async |web| get(&web, &site.url(path)).await).await;
        assert_eq!(word(&result), *expected, "{path}: {result:?}");
    }
}

#[tokio::test]
async fn each_status_is_the_trouble_it_means() {
    let expected = [
        ("/sound", "good"),
        ("/to/sound", "good"),
        ("/401", "refused"),
        ("/403", "refused"),
        ("/404", "refused"),
        ("/410", "gone"),
        ("/500", "broken"),
        ("/503", "later"),
        // Nobody asked whether anything had changed.
        ("/304", "broken"),
    ];
    visits(&expected, &settings()).await;
}

#[tokio::test]
async fn each_dialect_of_too_many_requests_is_waited_for_as_it_says() {
    for (path, seconds) in [
        ("/429", 120),
        ("/429/silent", 60),
        ("/429/date", 120),
        ("/429/mastodon", 300),
        ("/429/x", 900),
        ("/429/reddit", 417),
    ] {
        let site = Site::bad();
        let result = with_web(settings(), async |web| get(&web, &site.url(path)).await).await;
        assert!(
            matches!(&result, Err(Trouble::Later { wait, .. }) if wait.as_secs() == seconds),
            "{path}: {result:?}"
        );
    }
}

#[tokio::test]
async fn what_one_source_hears_all_sources_of_its_host_heed_and_no_others() {
    let (site, other) = (Site::bad(), Site::bad());
    with_web(settings(), async |web| {
        assert_eq!(word(&get(&web, &site.url("/429")).await), "later");
        let result = get(&web, &site.url("/sound")).await;
        assert_eq!(word(&result), "later");
        assert!(why(result).ends_with("it answered 429 with Retry-After, 120 s"));
        assert_eq!(site.log().len(), 1, "the second one never asked");
        assert_eq!(word(&get(&web, &other.url("/sound")).await), "good");
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_too_many_or_no_answer_are_broken() {
    let expected = [
        ("/bomb", "broken"),
        ("/packed/badly", "broken"),
        ("/packed/strangely", "broken"),
        ("/garbage", "broken"),
        ("/head/large", "broken"),
        ("/truncated", "broken"),
        ("/flapping", "unreachable"),
    ];
    visits(&expected, &settings()).await;
}

#[tokio::test]
async fn bombs_of_every_coding_end_at_the_limit() {
    let gzip = bomb(8 << 20);
    let zstd = zstd::encode_all(vec![0; 8 << 20].as_slice(), 1).unwrap();
    let site = Site::start(move |asked| match asked.path.as_str() {
        "/gzip" => Reply::new(200, &[("content-encoding", "gzip")], &gzip),
        _ => Reply::new(200, &[("content-encoding", "zstd")], &zstd),
    });
    let small = Settings { body_bytes_max: 1 << 20, ..settings() };
    with_web(small, async |web| {
        for path in ["/gzip", "/zstd"] {
            let said = why(get(&web, &site.url(path)).await);
            assert!(said.ends_with("its body is larger than 1048576 bytes when unpacked"), "{said}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_limit_and_no_byte_larger() {
    let site = Site::start(|asked| {
        let bytes = asked.path[1..].parse().unwrap();
        // Without a length, so that only counting tells.
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        Reply::Raw([head.as_bytes(), &vec![b'x'; bytes]].concat())
    });
    let small = Settings { body_bytes_max: 100_000, ..settings() };
    with_web(small, async |web| {
        let answer = get(&web, &site.url("/100000")).await.unwrap();
        assert_eq!(answer.body.unwrap().len(), 100_000);
        assert_eq!(word(&get(&web, &site.url("/100001")).await), "broken");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_hangs_or_drips_is_left_in_time() {
    let hasty = Settings {
        first_byte_timeout: Duration::from_millis(300),
        timeout: Duration::from_millis(700),
        ..settings()
    };
    let began = Instant::now();
    visits(&[("/hang", "unreachable"), ("/drip", "broken"), ("/drip/head", "unreachable")], &hasty).await;
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn redirects_that_lead_nowhere_end() {
    let expected = [
        ("/loop", "broken"),
        ("/loop/two", "broken"),
        ("/for/ever", "broken"),
        ("/to/nowhere", "broken"),
        ("/to/file", "broken"),
    ];
    visits(&expected, &settings()).await;
    let site = Site::bad();
    with_web(settings(), async |web| {
        assert!(why(get(&web, &site.url("/for/ever")).await).starts_with("more than 5 redirects"));
    })
    .await;
    assert_eq!(site.log().len(), 6);
}

#[tokio::test]
async fn a_redirect_into_the_machine_or_its_network_is_refused() {
    let expected =
        [("/to/loopback", "refused"), ("/to/loopback/six", "refused"), ("/to/metadata", "refused")];
    visits(&expected, &settings()).await;
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_spelling_before_anything_is_sent() {
    let site = Site::bad();
    let port = site.address().port();
    with_web(Settings { guard: tributary::web::Guard::default(), ..settings() }, async |web| {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "localhost",
            "LOCALHOST.",
            "127.0.0.1.",
            "10.0.0.1",
            "169.254.169.254",
            "[fd00:ec2::254]",
            "１２７.0.0.1",
        ] {
            let url: Url = format!("http://{host}:{port}/").parse().unwrap();
            let result = get(&web, &url).await;
            assert_eq!(word(&result), "refused", "{host}: {result:?}");
        }
    })
    .await;
    assert!(site.log().is_empty());
}

#[tokio::test]
async fn names_that_lead_into_the_machine_are_refused_and_each_answer_is_looked_at() {
    // The first answer is what the operator allows, every later one is not: a name that is rebound.
    let names = Names::start(|name, before| match name {
        "rebound.example" if before > 0 => Record::Addresses(vec![Ipv4Addr::new(127, 0, 0, 2)]),
        "rebound.example" => Record::Addresses(vec![Ipv4Addr::LOCALHOST]),
        "metadata.example" => {
            Record::Addresses(vec![Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(10, 0, 0, 1)])
        }
        "mixed.example" => Record::Addresses(vec![Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::LOCALHOST]),
        "failing.example" => Record::Failure,
        _ => Record::Unknown,
    });
    let site = Site::start(|_| Reply::feed(rss(1)));
    let forbidden = Site::start_at(Ipv4Addr::new(127, 0, 0, 2), |_| Reply::feed(rss(1)));
    let at = |name: &str, port: u16| format!("http://{name}:{port}/").parse::<Url>().unwrap();
    let settings = Settings { name_servers: vec![names.address()], ..settings() };
    with_web(settings, async |web| {
        let port = site.address().port();
        assert_eq!(word(&get(&web, &at("rebound.example", port)).await), "good");
        let again = get(&web, &at("rebound.example", forbidden.address().port())).await;
        assert_eq!(word(&again), "refused", "{again:?}");
        assert!(why(again).contains("127.0.0.2 is loopback"));
        assert_eq!(word(&get(&web, &at("metadata.example", port)).await), "refused");
        assert_eq!(word(&get(&web, &at("mixed.example", port)).await), "good");
        assert_eq!(word(&get(&web, &at("failing.example", port)).await), "unreachable");
        assert_eq!(word(&get(&web, &at("unknown.example", port)).await), "unreachable");
    })
    .await;
    assert!(forbidden.log().is_empty());
    assert!(names.asked() >= 5);
}

#[tokio::test]
async fn a_name_that_flaps_is_reached_when_it_is_back() {
    let names = Names::start(|_, before| match before {
        // As often as the resolver tries by itself, and once more.
        0..=3 => Record::Failure,
        _ => Record::Addresses(vec![Ipv4Addr::LOCALHOST]),
    });
    let site = Site::bad();
    let settings = Settings { name_servers: vec![names.address()], ..settings() };
    let url: Url = format!("http://flapping.example:{}/sound", site.address().port()).parse().unwrap();
    with_web(settings, async |web| {
        assert_eq!(word(&get(&web, &url).await), "unreachable");
        let mut tries = 0;
        while word(&get(&web, &url).await) != "good" {
            tries += 1;
            assert!(tries < 10, "a failure is remembered for ever");
        }
    })
    .await;
}

#[tokio::test]
async fn what_has_moved_for_good_is_told_and_what_has_moved_for_now_is_not() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/good" => Reply::redirect(308, "/better"),
        "/better" => Reply::redirect(301, "/best"),
        "/now" => Reply::redirect(307, "/best"),
        _ => Reply::feed(rss(1)),
    });
    with_web(settings(), async |web| {
        let moved = async |path| get(&web, &site.url(path)).await.unwrap().moved;
        assert_eq!(moved("/good").await, Some(site.url("/best")));
        assert_eq!(moved("/now").await, None);
        assert_eq!(moved("/best").await, None);
    })
    .await;
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let site = Site::start(|asked| match asked.headers.get("if-none-match").map(String::as_str) {
        Some("\"1\"") => Reply::new(304, &[("etag", "\"1\"")], ""),
        _ => {
            Reply::new(200, &[("etag", "\"1\""), ("last-modified", "Thu, 26 Nov 2026 21:00:00 GMT")], rss(1))
        }
    });
    with_web(settings(), async |web| {
        let url = site.url("/");
        let first = get(&web, &url).await.unwrap();
        let known = Validators::of(&first, jiff::Timestamp::now()).unwrap();
        let progress = Progress::default();
        let request = Request {
            url: &url,
            accept: "*/*",
            authorization: None,
            known: Some(&known),
            progress: &progress,
        };
        let second = web.get(request).await.unwrap();
        assert!(first.body.is_some() && second.body.is_none());
    })
    .await;
    assert_eq!(site.log()[1].headers["if-modified-since"], "Thu, 26 Nov 2026 21:00:00 GMT");
}

#[tokio::test]
async fn a_secret_is_told_to_nobody_it_is_redirected_to() {
    let other = Site::start(|_| Reply::feed(rss(1)));
    let there = other.url("/there");
    let site = Site::start(move |asked| match asked.path.as_str() {
        "/away" => Reply::redirect(302, there.as_str()),
        "/here" => Reply::redirect(302, "/sound"),
        _ => Reply::feed(rss(1)),
    });
    with_web(settings(), async |web| {
        for path in ["/away", "/here"] {
            let (url, progress) = (site.url(path), Progress::default());
            let authorization = Some("Bearer secret".parse().unwrap());
            let request =
                Request { url: &url, accept: "*/*", authorization, known: None, progress: &progress };
            web.get(request).await.unwrap();
        }
    })
    .await;
    assert!(site.log().iter().all(|asked| asked.headers["authorization"] == "Bearer secret"));
    assert_eq!(other.log()[0].headers.get("authorization"), None);
}

#[tokio::test]
async fn every_request_says_who_asks_and_what_is_understood() {
    let site = Site::bad();
    with_web(settings(), async |web| get(&web, &site.url("/sound?a=1#b")).await).await.unwrap();
    let asked = &site.log()[0];
    assert_eq!(asked.path, "/sound?a=1");
    assert!(asked.headers["user-agent"].starts_with("tributary/"));
    assert_eq!(asked.headers["accept-encoding"], "gzip, br, zstd, deflate");
    assert_eq!(asked.headers["host"], site.address().to_string());
}

#[tokio::test]
async fn a_visit_that_is_dropped_ends_its_connection_and_the_client_goes_on() {
    let site = Site::bad();
    with_web(settings(), async |web| {
        for path in ["/hang", "/drip", "/drip/head"] {
            let dropped = timeout(Duration::from_millis(100), get(&web, &site.url(path))).await;
            assert!(dropped.is_err(), "{path}: {dropped:?}");
        }
        assert_eq!(word(&get(&web, &site.url("/sound")).await), "good");
    })
    .await;
}

/// Polls a future so many times, and drops it where that was not enough.
async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut left) = (pin!(future), times);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn a_visit_may_be_dropped_at_every_await() {
    // A redirect, a packed body and one that comes in pieces, so that there is an await of every sort.
    let site = Site::start(|asked| match asked.path.as_str() {
        "/" => Reply::redirect(302, "/packed"),
        _ => Reply::new(200, &[("content-encoding", "gzip")], bomb(100_000)),
    });
    with_web(settings(), async |web| {
        let mut awaits = 0;
        let whole = loop {
            if let Some(answer) = polled(awaits, get(&web, &site.url("/"))).await {
                break answer.unwrap();
            }
            awaits += 1;
            assert!(awaits < 1_000, "it never ends");
        };
        assert!(awaits > 3, "{awaits}");
        assert_eq!(whole.body.unwrap().len(), 100_000);
        assert_eq!(word(&get(&web, &site.url("/")).await), "good");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_comes_and_goes_is_reached_while_it_is_there() {
    let site = Site::bad();
    with_web(settings(), async |web| {
        for is_up in [true, false, true, false, true] {
            site.set_up(is_up);
            let expected = if is_up { "good" } else { "unreachable" };
            assert_eq!(word(&get(&web, &site.url("/sound")).await), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_tls_is_unreachable_over_https() {
    let site = Site::bad();
    let url: Url = site.url("/sound").as_str().replace("http:", "https:").parse().unwrap();
    let result = with_web(settings(), async |web| get(&web, &url).await).await;
    assert_eq!(word(&result), "unreachable", "{result:?}");
}
