//! The edge cases that every application's suite has, by the same names.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use ballet::Scope;
use futures_util::future::join_all;
use gateway::demo::Mode;
use gateway::{Config, Gateway, Identity};
use reqwest::header::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{NAMES, Plan, Result, Stand, listen, wait_until, with_stand};

const PAGE: &[u8] = b"GET /page/42 HTTP/1.1\r\nhost: gateway\r\n\r\n";

#[tokio::test]
async fn empty_a_page_without_parts_is_complete() -> Result {
    let gateway = Gateway::new(&Config::default())?;
    let visit = gateway.visit("42", Identity::from_headers(&HeaderMap::new()), None).unwrap();
    let page = gateway.page(visit).await?;
    assert!(page.is_complete() && !page.is_failed() && page.slots().is_empty());
    Ok(())
}

#[tokio::test]
async fn empty_an_answer_without_a_body_is_malformed() -> Result {
    with_stand(Plan::new("empty"), async |stand| {
        stand.set_all(Mode::Empty);
        let answer = stand.page("42").await?;
        assert_eq!((answer.status, answer.parts()[0]), (502, ("missing", Some("malformed"))));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn null_is_a_value_like_any_other() -> Result {
    with_stand(Plan::new("null"), async |stand| {
        stand.set_all(Mode::Null);
        let answer = stand.page("42").await?;
        assert_eq!((answer.status, answer.header("x-gateway-completed")), (200, "true"));
        assert!(NAMES.iter().all(|name| answer.body["data"][name].is_null()));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn missing_and_wrong_words_are_refused_before_any_upstream_is_asked() -> Result {
    with_stand(Plan::new("wrong"), async |stand| {
        let long = format!("/page/{}", "x".repeat(65));
        for (path, status) in [
            ("/page/", 404),
            ("/", 404),
            ("/page/a.b", 400),
            ("/page/%2e%2e%2fadmin", 400),
            ("/page/%ff", 400),
            (&*long, 400),
        ] {
            let answer = stand.get(path, &[]).await?;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
            assert_ne!(answer.header("x-request-id"), "", "{path}");
        }
        for wrong in ["soon", "-1", "1.5", ""] {
            assert_eq!(
                stand.get("/page/42", &[("x-request-timeout-ms", wrong)]).await?.status,
                400,
                "{wrong}"
            );
        }
        assert_eq!(stand.asked(), [0; 3]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn huge_an_answer_of_the_limit_passes_and_one_byte_more_does_not() -> Result {
    // The profile is 28 bytes long, and the longest of the three.
    for (bytes_max, code) in [(28, None), (27, Some("too_large"))] {
        let plan = Plan { needs: ["optional"; 3], ..Plan::new(&format!("limit-{bytes_max}")) };
        let plan = plan.of_parts(&format!("bytes_max = {bytes_max}"));
        with_stand(plan, async |stand| {
            let answer = stand.page("42").await?;
            assert_eq!(answer.parts()[0].1, code, "{answer:?}");
            assert_eq!(answer.parts()[1..], [("ok", None); 2]);
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn huge_headers_are_refused() -> Result {
    with_stand(Plan::new("headers"), async |stand| {
        let (too_long, too_many) = (format!("x: {}\r\n", "x".repeat(64 * 1024)), "x: y\r\n".repeat(100));
        for headers in [too_long, too_many] {
            let mut stream = TcpStream::connect(stand.address).await?;
            let request = format!("GET /page/42 HTTP/1.1\r\nhost: gateway\r\n{headers}\r\n");
            // The gateway may hang up before it has read all of it.
            let _ = stream.write_all(request.as_bytes()).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(
                answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"),
                "{}",
                String::from_utf8_lossy(&answer)
            );
        }
        assert_eq!(stand.asked(), [0; 3]);
        assert_eq!(stand.page("42").await?.status, 200);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn garbage_instead_of_a_request_costs_its_connection_and_nothing_else() -> Result {
    with_stand(Plan::new("garbage"), async |stand| {
        for garbage in
            [&b"\0\xff\xfe\x80garbage\r\n\r\n"[..], b"GET\r\n\r\n", b"GET /page/42 HTTP/9.9\r\n\r\n"]
        {
            let mut stream = TcpStream::connect(stand.address).await?;
            stream.write_all(garbage).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            assert!(
                answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"),
                "{}",
                String::from_utf8_lossy(&answer)
            );
        }
        assert_eq!(stand.page("42").await?.status, 200);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_for_one_page_ask_no_more_than_the_limit_allows() -> Result {
    const PAGES_MAX: u64 = 20;
    let plan = Plan::new("concurrent").deadline_ms(1_000);
    let plan = plan.settings(&format!("pages_max = {PAGES_MAX}\nbreaker = {{ failures = 1000000 }}"));
    with_stand(plan, async |stand| {
        assert_eq!(stand.page("42").await?.status, 200);
        stand.set_all(Mode::Hang);
        let before = stand.asked();
        let answers = join_all((0..200).map(|_| stand.page("42"))).await;
        let answers = answers.into_iter().collect::<Result<Vec<_>>>()?;
        let (refused, composed): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 503);
        assert!(!refused.is_empty() && composed.len() as u64 >= PAGES_MAX);
        assert!(refused.iter().all(|answer| answer.header("retry-after") == "1"));
        assert!(composed.iter().all(|answer| answer.parts() == [("stale", Some("timeout")); 3]));
        let asked = stand.asked()[0] - before[0];
        assert_eq!(asked, composed.len() as u64, "a refused request asks nobody");
        stand.wait_idle().await;
        stand.set_all(Mode::Ok);
        assert_eq!(stand.page("42").await?.header("x-gateway-completed"), "true", "there is room again");
        Ok(())
    })
    .await
}

/// Asks for a page on a connection of its own and hangs up when `moment` has come.
async fn hang_up(stand: &Stand, request: &[u8], what: &str, moment: impl Fn() -> bool) -> Result {
    let mut stream = TcpStream::connect(stand.address).await?;
    stream.write_all(request).await?;
    wait_until(what, moment).await;
    drop(stream);
    stand.wait_idle().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_a_client_that_hangs_up_takes_its_children_with_it_at_every_stage() -> Result {
    // Long enough that nothing here ends by itself.
    let plan = Plan::new("cancel").deadline_ms(600_000).of_parts("bytes_max = 1073741824");
    let plan = plan.settings("retry = { backoff_ms = 60000 }");
    with_stand(plan, async |stand| {
        for bytes in [0, 1, PAGE.len() / 2, PAGE.len() - 1] {
            hang_up(stand, &PAGE[..bytes], "it is connected", || true).await?;
        }
        assert_eq!(stand.asked(), [0; 3], "half a request is none");

        stand.set_all(Mode::Hang);
        let all_busy = || stand.upstreams.iter().all(|upstream| upstream.under_way() == 1);
        hang_up(stand, PAGE, "all upstreams are busy", all_busy).await?;

        stand.set_all(Mode::Huge);
        hang_up(stand, PAGE, "all answers are being read", all_busy).await?;

        stand.set_modes([Mode::ServerError, Mode::Ok, Mode::Ok]);
        let before = stand.asked()[0];
        let pauses = || stand.asked()[0] > before && stand.upstreams[0].under_way() == 0;
        hang_up(stand, PAGE, "it pauses before a retry", pauses).await?;
        assert_eq!(stand.asked()[0], before + 1, "nobody retries for a client that is gone");

        stand.set_all(Mode::Ok);
        assert_eq!(stand.page("42").await?.status, 200);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn cancel_a_page_dropped_at_any_of_its_yields_leaves_nothing() -> Result {
    with_stand(Plan::new("yields"), async |stand| {
        let gateway = &stand.gateway;
        for yields in 0.. {
            let visit = gateway.visit("42", Identity::from_headers(&HeaderMap::new()), None).unwrap();
            let page = {
                let (mut polls, mut page) = (0, pin!(gateway.page(visit)));
                poll_fn(|cx| {
                    if polls == yields {
                        return Poll::Ready(None);
                    }
                    polls += 1;
                    page.as_mut().poll(cx).map(Some)
                })
                .await
            };
            stand.wait_idle().await;
            if let Some(page) = page {
                assert!(page?.is_complete() && yields > 1, "it ended before the {yields}th yield");
                return Ok(());
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn panic_in_one_part_is_the_parts_own_however_often() -> Result {
    with_stand(Plan::new("panic"), async |stand| {
        stand.set_modes([Mode::Ok, Mode::Panic, Mode::Ok]);
        for _ in 0..20 {
            let parts = [("ok", None), ("missing", Some("panicked")), ("ok", None)];
            assert_eq!(stand.page("42").await?.parts(), parts);
        }
        stand.set_all(Mode::Ok);
        assert_eq!(stand.page("42").await?.header("x-gateway-completed"), "true", "no breaker opened for it");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn panic_in_an_upstream_is_a_broken_connection() -> Result {
    with_stand(Plan::new("crash"), async |stand| {
        stand.set_modes([Mode::Ok, Mode::Crash, Mode::Truncated]);
        let answer = stand.page("42").await?;
        assert_eq!(
            answer.parts()[1..],
            [("missing", Some("interrupted")), ("fallback", Some("interrupted"))]
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn slow_but_in_time_is_well() -> Result {
    with_stand(Plan::new("slow").slow_ms(200), async |stand| {
        stand.set_modes([Mode::Ok, Mode::Slow, Mode::Slow]);
        let answer = stand.page("42").await?;
        assert_eq!(answer.header("x-gateway-completed"), "true");
        assert!(answer.took >= Duration::from_millis(200), "{:?}", answer.took);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn slow_a_byte_at_a_time_ends_at_the_deadline() -> Result {
    ballet::scope(async |scope: Scope| {
        let listener = listen().await?;
        let address = listener.local_addr()?;
        scope.spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await?;
            // Until the gateway hangs up.
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        });
        let config = format!(
            "deadline_ms = 200\n[[part]]\nname = \"drip\"\nneed = \"optional\"\nurl = \"http://{address}/\""
        );
        let gateway = Gateway::new(&Config::parse(&config)?)?;
        let visit = gateway.visit("42", Identity::from_headers(&HeaderMap::new()), None).unwrap();
        let page = gateway.page(visit).await?;
        assert_eq!(page.slots()[0].fault(), Some(gateway::Fault::Timeout));
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn time_a_deadline_that_has_passed_asks_nobody_and_gives_what_is_kept() -> Result {
    with_stand(Plan::new("passed"), async |stand| {
        let now = [("x-request-timeout-ms", "0")];
        let answer = stand.get("/page/42", &now).await?;
        assert_eq!((answer.status, answer.parts()[0]), (502, ("missing", Some("timeout"))));
        assert_eq!(stand.asked(), [0; 3]);
        assert_eq!(stand.page("42").await?.status, 200);
        let answer = stand.get("/page/42", &now).await?;
        assert_eq!((answer.status, answer.parts()), (200, vec![("stale", Some("timeout")); 3]));
        assert_eq!(stand.asked(), [1; 3]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn time_a_client_may_hurry_the_gateway_and_not_slow_it_down() -> Result {
    with_stand(Plan::new("hurry").deadline_ms(1_000), async |stand| {
        stand.set_modes([Mode::Ok, Mode::Hang, Mode::Ok]);
        for (limit, at_least) in [("200", 200), ("1000000", 1_000), ("18446744073709551615", 1_000)] {
            let answer = stand.get("/page/42", &[("x-request-timeout-ms", limit)]).await?;
            assert_eq!(answer.parts()[1], ("missing", Some("timeout")));
            assert!(answer.took >= Duration::from_millis(at_least), "{limit}: {:?}", answer.took);
            let told: u64 = stand.upstreams[0].last_headers()["x-request-timeout-ms"].to_str()?.parse()?;
            assert!(told <= at_least, "an upstream was told {told} ms");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn identity_goes_through_to_the_upstreams_and_back() -> Result {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    with_stand(Plan::new("identity"), async |stand| {
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let headers = [
            ("x-request-id", "cart-7"),
            ("traceparent", &*parent),
            ("tracestate", "vendor=1"),
            ("cookie", "secret=1"),
        ];
        let answer = stand.get("/page/42", &headers).await?;
        assert_eq!(
            (answer.header("x-request-id"), &answer.body["meta"]["request_id"]),
            ("cart-7", &"cart-7".into())
        );
        assert!(answer.header("traceparent").starts_with(&format!("00-{TRACE}-")));
        for upstream in &stand.upstreams {
            let seen = upstream.last_headers();
            assert_eq!(
                (&seen["x-request-id"], &seen["tracestate"]),
                (&"cart-7".parse()?, &"vendor=1".parse()?)
            );
            assert_eq!(seen["traceparent"].to_str()?, answer.header("traceparent"));
            assert!(!seen.contains_key("cookie"), "nothing else of the client goes through");
        }
        Ok(())
    })
    .await
}
