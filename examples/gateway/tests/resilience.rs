//! Retries within their budget, breakers, and what may be kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use axum::{Json, Router};
use ballet::{Error, Scope};
use gateway::demo::Mode;
use gateway::{Config, Fault, Gateway, Identity, serve};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Plan, Result, client, listen, wait_until, with_stand};

const NO_BREAKER: &str = "breaker = { failures = 1000000 }";

#[tokio::test]
async fn retries_stay_within_the_budget_whatever_the_upstreams_do() -> Result {
    let settings = format!("{NO_BREAKER}\nretry = {{ burst = 3, percent = 0, backoff_ms = 0 }}");
    with_stand(Plan::new("budget").settings(&settings), async |stand| {
        stand.set_modes([Mode::Ok, Mode::ServerError, Mode::Ok]);
        for _ in 0..20 {
            assert_eq!(stand.page("42").await?.parts()[1], ("missing", Some("server_error")));
        }
        assert_eq!(stand.asked(), [20, 23, 20]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_retry_that_succeeds_makes_the_page_complete() -> Result {
    let settings = format!("{NO_BREAKER}\nretry = {{ attempts_max = 10, backoff_ms = 50 }}");
    with_stand(Plan::new("recovers").settings(&settings), async |stand| {
        stand.set_modes([Mode::Crash, Mode::Ok, Mode::Ok]);
        let recovers = async {
            wait_until("the first attempt has failed", || stand.asked()[0] == 1).await;
            stand.upstreams[0].set_mode(Mode::Ok);
        };
        let (answer, ()) = tokio::join!(stand.page("42"), recovers);
        assert_eq!(answer?.header("x-gateway-completed"), "true");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_may_not_be_safe_to_repeat_is_sent_once() -> Result {
    with_stand(Plan::new("post").of_parts("method = \"POST\""), async |stand| {
        assert_eq!(stand.page("42").await?.status, 200);
        for mode in [Mode::ServerError, Mode::Crash, Mode::Truncated] {
            let before = stand.asked();
            stand.set_modes([Mode::Ok, mode, Mode::Ok]);
            assert_eq!(stand.page("42").await?.parts()[1].0, "stale", "{mode}");
            assert_eq!(stand.asked(), before.map(|asked| asked + 1), "{mode}");
        }
        Ok(())
    })
    .await
}

/// Tells what it was asked, until it is ill.
async fn mirror(is_ill: Arc<AtomicBool>, listener: TcpListener) -> Result {
    let answer = async move |method: Method, body: String| {
        let is_ill = is_ill.load(Ordering::SeqCst);
        let status = if is_ill { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        (status, Json(format!("{method} {body}")))
    };
    ballet_http::serve(listener, Router::new().fallback(answer)).await
}

#[tokio::test]
async fn a_last_good_value_stands_in_only_for_the_same_question() -> Result {
    ballet::scope(async |scope: Scope| {
        let (is_ill, listener) = (Arc::new(AtomicBool::new(false)), listen().await?);
        let url = format!("http://{}/without-an-id", listener.local_addr()?);
        scope.spawn(mirror(Arc::clone(&is_ill), listener));
        let part = |name: &str, method: &str| {
            format!(
                "[[part]]\nname = \"{name}\"\nneed = \"optional\"\nurl = \"{url}\"\nmethod = \"{method}\"\n"
            )
        };
        let parts = format!("deadline_ms = 5000\n{}{}", part("get", "GET"), part("post", "POST"));
        let gateway = Gateway::new(&Config::parse(&parts)?)?;
        let (listener, client) = (listen().await?, client()?);
        let address = listener.local_addr()?;
        scope.spawn(serve(Arc::new(gateway), listener, None));
        let page = async |id| {
            let answer = client.get(format!("http://{address}/page/{id}")).send().await?;
            Ok::<Value, Error>(serde_json::from_str::<Value>(&answer.text().await?)?["data"].take())
        };
        let fresh = page("42").await?;
        assert_eq!(fresh, json!({ "get": "GET ", "post": "POST {\"id\":\"42\"}" }));
        is_ill.store(true, Ordering::SeqCst);
        assert_eq!(page("42").await?, fresh, "each has its own");
        let other = page("43").await?;
        assert_eq!(other, json!({ "get": "GET ", "post": null }), "a GET without an id is the same for all");
        scope.cancel_children();
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_neither_retried_nor_held_against_the_upstream() -> Result {
    with_stand(Plan::new("refusal").settings("breaker = { failures = 2 }"), async |stand| {
        stand.set_modes([Mode::Ok, Mode::NotFound, Mode::Ok]);
        for _ in 0..5 {
            assert_eq!(stand.page("42").await?.parts()[1], ("missing", Some("unexpected_status")));
        }
        assert_eq!(stand.asked(), [5; 3]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_sick_upstream_is_left_alone_and_comes_back_after_one_good_answer() -> Result {
    let plan = Plan::new("breaker")
        .settings("breaker = { failures = 3, open_ms = 300 }\nretry = { attempts_max = 1 }");
    with_stand(plan, async |stand| {
        stand.set_modes([Mode::Ok, Mode::ServerError, Mode::Ok]);
        for _ in 0..3 {
            assert_eq!(stand.page("42").await?.parts()[1].1, Some("server_error"));
        }
        assert_eq!(stand.page("42").await?.parts()[1], ("missing", Some("breaker_open")));
        assert_eq!(stand.asked()[1], 3, "it is not asked while the breaker is open");
        stand.upstreams[1].set_mode(Mode::Ok);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(stand.page("42").await?.header("x-gateway-completed"), "true");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn clients_in_a_hurry_cannot_open_a_breaker() -> Result {
    with_stand(Plan::new("hurried").settings("breaker = { failures = 2 }"), async |stand| {
        stand.set_all(Mode::Hang);
        for _ in 0..10 {
            stand.get("/page/42", &[("x-request-timeout-ms", "5")]).await?;
        }
        stand.set_all(Mode::Ok);
        assert_eq!(stand.page("42").await?.header("x-gateway-completed"), "true");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_required_part_that_fails_is_told_at_once_and_frees_the_others() -> Result {
    with_stand(Plan::new("at-once").deadline_ms(60_000), async |stand| {
        stand.set_modes([Mode::ServerError, Mode::Hang, Mode::Hang]);
        let answer = stand.page("42").await?;
        assert_eq!((answer.status, answer.parts()[0]), (502, ("missing", Some("server_error"))));
        assert!(answer.took < Duration::from_secs(20), "{:?}", answer.took);
        stand.wait_idle().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn half_an_answer_is_never_kept() -> Result {
    with_stand(Plan::new("half"), async |stand| {
        for mode in [Mode::Truncated, Mode::Garbage, Mode::Huge, Mode::Panic, Mode::Empty] {
            stand.set_modes([Mode::Ok, mode, Mode::Ok]);
            let answer = stand.get("/page/42", &[]).await?;
            assert_eq!(answer.parts()[1].0, "missing", "{mode}: {answer:?}");
            stand.upstreams[1].set_mode(Mode::NotFound);
            assert_eq!(stand.page("42").await?.parts()[1].0, "missing", "after {mode}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_last_good_value_is_for_one_id_and_not_for_ever() -> Result {
    with_stand(Plan::new("age").of_parts("stale_max_ms = 400"), async |stand| {
        assert_eq!(stand.page("42").await?.status, 200);
        stand.set_all(Mode::NotFound);
        let answer = stand.page("42").await?;
        assert_eq!(answer.parts(), [("stale", Some("unexpected_status")); 3]);
        assert_eq!(stand.page("43").await?.status, 502);
        tokio::time::sleep(Duration::from_millis(400)).await;
        let answer = stand.page("42").await?;
        assert_eq!((answer.status, answer.parts()[0].0), (502, "missing"), "{answer:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_operator_may_forbid_last_good_values() -> Result {
    with_stand(Plan::new("never").of_parts("stale_max_ms = 0"), async |stand| {
        assert_eq!(stand.page("42").await?.status, 200);
        stand.set_all(Mode::NotFound);
        assert_eq!(stand.page("42").await?.status, 502);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_unreachable() -> Result {
    let address = listen().await?.local_addr()?;
    assert_eq!(fault(&format!("http://{address}/")).await?, Some(Fault::Unreachable));
    Ok(())
}

#[tokio::test]
async fn an_upstream_cannot_send_the_gateway_elsewhere() -> Result {
    let (listener, elsewhere) = (listen().await?, listen().await?);
    let (address, other) = (listener.local_addr()?, elsewhere.local_addr()?);
    let redirects = async {
        let (mut stream, _) = listener.accept().await?;
        let _ = stream.read(&mut [0; 1_024]).await?;
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: http://{other}/\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await?;
        Ok::<(), Error>(())
    };
    let url = format!("http://{address}/");
    let (fault, redirected) = tokio::join!(fault(&url), redirects);
    redirected?;
    assert_eq!(fault?, Some(Fault::UnexpectedStatus));
    let nobody = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(nobody.is_err(), "somebody followed");
    Ok(())
}

/// Why a page of one part is not complete.
async fn fault(url: &str) -> Result<Option<Fault>> {
    let config =
        format!("deadline_ms = 5000\n[[part]]\nname = \"part\"\nneed = \"optional\"\nurl = \"{url}\"");
    let gateway = Gateway::new(&Config::parse(&config)?)?;
    let Some(visit) = gateway.visit("42", Identity::from_headers(&HeaderMap::new()), None) else {
        panic!("42 is an id");
    };
    Ok(gateway.page(visit).await?.slots()[0].fault())
}
