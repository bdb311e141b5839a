//! The kinds that read JSON APIs, against servers that speak them.

use std::time::Duration;

use serde_json::{Value, json};
use tributary::source::{Mark, Trouble, Visit, Visited};

use crate::support::{Asked, Reply, Site, settings, source, try_source, visit, with_web};

fn query(asked: &Asked, name: &str) -> Option<String> {
    let url = url::Url::parse("http://x").and_then(|base| base.join(&asked.path)).expect("a path");
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn once(source: &dyn Visit, mark: Option<&Mark>) -> Result<Visited, Trouble> {
    with_web(settings(), async |web| visit(&web, source, mark).await).await
}

fn titles(visited: &Visited) -> Vec<&str> {
    visited.items.iter().filter_map(|item| item.title.as_deref()).collect()
}

/// Ids of posts as a test counts them, in base 36 as Reddit does.
fn base_36(number: u64) -> String {
    let digits: Vec<char> = "0123456789abcdefghijklmnopqrstuvwxyz".chars().collect();
    let (mut left, mut text) = (1_000_000 + number, String::new());
    while left > 0 {
        text.insert(0, digits[usize::try_from(left % 36).expect("a digit")]);
        left /= 36;
    }
    text
}

/// A subreddit with posts up to a number, three on a page.
fn subreddit(newest: u64) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked| {
        let after = query(asked, "after")
            .and_then(|name| (1..=newest).find(|number| name == format!("t3_{}", base_36(*number))));
        let from = after.map_or(newest, |after| after - 1);
        let page: Vec<u64> = (1..=from).rev().take(3).collect();
        let post = |number: &u64| {
            json!({"kind": "t3", "data": {"id": base_36(*number), "name": format!("t3_{}", base_36(*number)), "title": format!("Post {number}"),
                "permalink": format!("/r/rust/comments/{number}/"), "url": "https://a.example/?a=1&b=2", "author": "ada",
                "created_utc": 1_795_726_800 + number, "selftext_html": null, "is_self": false, "stickied": false}})
        };
        let after = page.last().filter(|last| **last > 1).map(|last| format!("t3_{}", base_36(*last)));
        Reply::json(
            &json!({"kind": "Listing", "data": {"after": after, "children": page.iter().map(post).collect::<Vec<_>>()}}),
        )
    }
}

fn reddit(site: &Site) -> Box<dyn Visit> {
    source("reddit", &format!("subreddit = \"rust\"\nbase = \"{}\"", site.url("/")))
}

#[tokio::test]
async fn reddit_is_read_back_to_what_is_known() {
    let site = Site::start(subreddit(5));
    let first = once(&*reddit(&site), None).await.unwrap();
    assert_eq!(titles(&first), ["Post 3", "Post 4", "Post 5"], "the first visit is one page");
    let item = &first.items[2];
    assert_eq!(item.link.as_ref().unwrap().as_str(), "https://www.reddit.com/r/rust/comments/5/");
    assert!(
        item.content_html.as_ref().unwrap().contains("href=\"https://a.example/?a=1&amp;b=2\""),
        "{item:?}"
    );
    assert_eq!((item.author.as_deref(), item.published), (Some("ada"), "2026-11-26T21:00:05Z".parse().ok()));

    let site = Site::start(subreddit(12));
    let second = once(&*reddit(&site), Some(&first.mark)).await.unwrap();
    assert_eq!(second.items.len(), 7, "{:?}", titles(&second));
    assert_eq!((titles(&second)[0], titles(&second)[6]), ("Post 6", "Post 12"));
    assert_eq!(site.log().len(), 3);
    assert!(site.log()[0].path.starts_with("/r/rust/new.json?raw_json=1&limit=100"));

    let third = once(&*reddit(&site), Some(&second.mark)).await.unwrap();
    assert!(third.items.is_empty() && third.is_unchanged);
}

#[tokio::test]
async fn reddit_is_not_read_for_ever() {
    let site = Site::start(subreddit(1_000));
    let old = Mark::of(&json!({"newest": 1}));
    let visited = once(&*reddit(&site), Some(&old)).await.unwrap();
    assert_eq!((site.log().len(), visited.items.len()), (10, 30));
}

#[tokio::test]
async fn a_walk_that_is_cut_off_is_walked_again() {
    let whole = subreddit(12);
    let site = Site::start(move |asked| match query(asked, "after") {
        Some(_) => Reply::new(500, &[], ""),
        None => whole(asked),
    });
    let mark = Mark::of(&json!({"newest": u64::from_str_radix(&base_36(5), 36).unwrap()}));
    let visited = once(&*reddit(&site), Some(&mark)).await.unwrap();
    assert_eq!(titles(&visited), ["Post 10", "Post 11", "Post 12"]);
    assert_eq!(visited.mark, mark, "what lies between is not passed over");
}

#[tokio::test]
async fn reddits_quota_slows_all_who_ask_it() {
    let site = Site::start(|_| {
        Reply::new(
            200,
            &[("x-ratelimit-remaining", "0.0"), ("x-ratelimit-reset", "417")],
            r#"{"data": {"children": []}}"#,
        )
    });
    let source = reddit(&site);
    with_web(settings(), async |web| {
        visit(&web, &*source, None).await.unwrap();
        let trouble = visit(&web, &*source, None).await.unwrap_err();
        let Trouble::Later { wait, why } = trouble else { panic!("{trouble:?}") };
        assert!((Duration::from_secs(410)..=Duration::from_secs(417)).contains(&wait), "{wait:?}");
        assert!(why.contains("its quota (x-ratelimit) is used up"), "{why}");
    })
    .await;
    assert_eq!(site.log().len(), 1);
}

/// A timeline with posts up to a number, two on a page, read forward by `min_id`.
fn timeline(newest: u64) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked| {
        let known: Option<u64> = query(asked, "min_id").and_then(|id| id.parse().ok());
        let page: Vec<u64> = match known {
            Some(known) => (known + 1..=newest).take(2).collect::<Vec<_>>().into_iter().rev().collect(),
            None => (1..=newest).rev().take(2).collect(),
        };
        let post = |number: &u64| {
            json!({"id": number.to_string(), "created_at": format!("2026-11-26T21:00:{number:02}.000Z"), "edited_at": null,
                "url": format!("https://m.example/@ada/{number}"), "content": "<p>x<script>1</script></p>", "spoiler_text": format!("Post {number}"),
                "account": {"acct": "ada"}, "tags": [{"name": "rust"}], "reblog": null,
                "media_attachments": [{"type": "image", "url": "https://m.example/1.png"}]})
        };
        let host = &asked.headers["host"];
        let link = page
            .first()
            .map(|last| format!("<http://{host}/api/v1/timelines/tag/rust?min_id={last}>; rel=\"prev\""))
            .unwrap_or_default();
        let body = Value::from(page.iter().map(post).collect::<Vec<_>>()).to_string();
        Reply::new(200, &[("link", &link)], body)
    }
}

fn mastodon(site: &Site) -> Box<dyn Visit> {
    source("mastodon", &format!("base = \"{}\"\ntag = \"rust\"", site.url("/")))
}

#[tokio::test]
async fn mastodon_is_read_forward_and_nothing_is_left_out() {
    let site = Site::start(timeline(5));
    let first = once(&*mastodon(&site), None).await.unwrap();
    assert_eq!(titles(&first), ["Post 4", "Post 5"]);
    let item = &first.items[0];
    assert_eq!(item.content_html.as_deref(), Some("<p>x</p>"));
    assert_eq!((item.tags.as_slice(), item.attachments.len()), (&["rust".to_owned()][..], 1));

    let site = Site::start(timeline(10));
    let second = once(&*mastodon(&site), Some(&first.mark)).await.unwrap();
    assert_eq!(titles(&second), ["Post 6", "Post 7", "Post 8", "Post 9", "Post 10"]);

    // More than one visit takes: the rest is the next one's.
    let site = Site::start(timeline(55));
    let third = once(&*mastodon(&site), Some(&second.mark)).await.unwrap();
    let fourth = once(&*mastodon(&site), Some(&third.mark)).await.unwrap();
    assert_eq!((third.items.len(), fourth.items.len()), (20, 20));
    assert_eq!((titles(&third)[19], titles(&fourth)[0]), ("Post 30", "Post 31"));
}

#[tokio::test]
async fn mastodons_pages_that_fail_half_way_lose_nothing() {
    let whole = timeline(10);
    let site = Site::start(move |asked| match asked.path.as_str() {
        // The second page of the first visit; the second visit's first page has a limit as well.
        "/api/v1/timelines/tag/rust?min_id=7" => Reply::new(429, &[], ""),
        _ => whole(asked),
    });
    let mark = Mark::of(&json!({"newest": "5"}));
    let first = once(&*mastodon(&site), Some(&mark)).await.unwrap();
    let second = once(&*mastodon(&site), Some(&first.mark)).await.unwrap();
    assert_eq!(
        (titles(&first), titles(&second)),
        (vec!["Post 6", "Post 7"], vec!["Post 8", "Post 9", "Post 10"])
    );
}

/// X's search with posts up to a number, two on a page.
fn search(newest: u64) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked| {
        assert_eq!(asked.headers["authorization"], "Bearer secret");
        let known: u64 = query(asked, "since_id").and_then(|id| id.parse().ok()).unwrap_or_default();
        let from = query(asked, "next_token").and_then(|token| token.parse().ok()).unwrap_or(newest);
        let page: Vec<u64> = (known + 1..=from).rev().take(2).collect();
        let post = |number: &u64| {
            json!({"id": number.to_string(), "text": format!("Post {number} &amp; &lt;b&gt;"), "author_id": "7",
                "created_at": format!("2026-11-26T21:00:{number:02}.000Z")})
        };
        let next = page.last().map(|last| last - 1).filter(|next| *next > known).map(|next| next.to_string());
        let posts: Vec<_> = page.iter().map(post).collect();
        let mut body = json!({"meta": {"result_count": posts.len(), "next_token": next}, "includes": {"users": [{"id": "7", "username": "ada"}]}});
        if !posts.is_empty() {
            body["data"] = posts.into();
        }
        Reply::json(&body)
    }
}

fn x(site: &Site) -> Box<dyn Visit> {
    source("x", &format!("query = \"rust lang:en\"\ntoken = \"secret\"\nbase = \"{}\"", site.url("/")))
}

#[tokio::test]
async fn x_is_read_back_to_what_is_known() {
    let site = Site::start(search(3));
    let first = once(&*x(&site), None).await.unwrap();
    assert_eq!(first.items.len(), 2);
    let item = &first.items[1];
    assert_eq!(item.content_html.as_deref(), Some("Post 3 &amp; &lt;b&gt;"));
    assert_eq!(
        (item.author.as_deref(), item.link.as_ref().unwrap().as_str()),
        (Some("ada"), "https://x.com/i/web/status/3")
    );
    assert_eq!(query(&site.log()[0], "query").as_deref(), Some("rust lang:en"));

    let site = Site::start(search(8));
    let second = once(&*x(&site), Some(&first.mark)).await.unwrap();
    assert_eq!((second.items.len(), site.log().len()), (5, 3));
    let third = once(&*x(&site), Some(&second.mark)).await.unwrap();
    assert!(third.is_unchanged);
}

#[tokio::test]
async fn x_is_asked_afresh_where_what_is_known_is_too_old() {
    let whole = search(3);
    let site = Site::start(move |asked| match query(asked, "since_id") {
        Some(_) => Reply::new(400, &[], r#"{"title": "Invalid Request"}"#),
        None => whole(asked),
    });
    let mark = Mark::of(&json!({"newest": 1}));
    let visited = once(&*x(&site), Some(&mark)).await.unwrap();
    assert_eq!((visited.items.len(), site.log().len()), (2, 2));

    let site = Site::start(|_| Reply::new(401, &[], ""));
    assert!(matches!(once(&*x(&site), Some(&mark)).await, Err(Trouble::Refused { .. })));
}

#[tokio::test]
async fn what_is_no_listing_is_broken_and_a_complaint_is_passed_on() {
    let site =
        Site::start(|_| Reply::json(&json!({"title": "Unsupported", "detail": "This query is too long"})));
    let Err(Trouble::Broken { why }) = once(&*x(&site), None).await else { panic!("no listing") };
    assert!(why.ends_with("This query is too long"), "{why}");
    for source in [reddit(&site), mastodon(&site)] {
        assert!(matches!(once(&*source, None).await, Err(Trouble::Broken { .. })));
    }
    let site = Site::start(|_| Reply::new(200, &[], "<html>"));
    for source in [reddit(&site), mastodon(&site), x(&site)] {
        assert!(matches!(once(&*source, None).await, Err(Trouble::Broken { .. })));
    }
}

#[test]
fn settings_that_do_not_fit_are_refused_with_a_remedy() {
    for (kind, toml, remedy) in [
        ("reddit", "", "write its name"),
        ("reddit", "subreddit = \"r/rust\"", "without `r/`"),
        ("mastodon", "tag = \"rust\"", "`source.base`: is missing"),
        ("mastodon", "base = \"https://m.example\"", "give either"),
        ("mastodon", "base = \"https://m.example\"\ntag = \"a\"\naccount = \"1\"", "give either"),
        ("mastodon", "base = \"https://m.example\"\naccount = \"@ada\"", "lookup?acct=NAME"),
        ("x", "query = \"rust\"", "without a token"),
        ("x", "user = \"ada\"\ntoken = \"a\"", "the user's number"),
        ("x", "query = \"rust\"\ntoken = \"a\"\nother = 1", "is not known here"),
    ] {
        let wrong = try_source(kind, toml).unwrap_err();
        assert!(wrong.contains(remedy), "{kind} {toml}: {wrong}");
    }
}
