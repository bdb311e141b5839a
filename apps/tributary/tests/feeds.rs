//! Visits to feeds, as the loop makes them: what comes, what is kept, and what is said where nothing comes.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use tributary::{
    kinds::feed,
    source::{SourceName, Trouble, Visited},
};
use url::Url;

use crate::support::{Reply, Site, rss, settings, source, try_source, visit, with_web};

fn titles(visited: &Visited) -> Vec<&str> {
    visited.items.iter().filter_map(|item| item.title.as_deref()).collect()
}

/// One visit to a path of the bad server.
async fn bad(path: &str) -> Result<Visited, Trouble> {
    let site = Site::bad();
    let feed = source("feed", &format!("url = \"{}\"", site.url(path)));
    with_web(settings(), async |web| visit(&web, &*feed, None).await).await
}

#[tokio::test]
async fn a_feed_gives_its_entries_the_oldest_first() {
    let visited = bad("/sound").await.unwrap();
    assert_eq!(titles(&visited), ["Entry 1", "Entry 2", "Entry 3"]);
    assert_eq!(visited.items[0].link.as_ref().unwrap().as_str(), "https://blog.example/1");
    assert_eq!(visited.items[0].published, "2026-11-26T00:01:00Z".parse().ok());
    assert!(!visited.is_unchanged && visited.bytes > 100);
}

#[tokio::test]
async fn a_feed_that_is_the_same_is_known_again_with_validators_and_without() {
    for validators in [&[("etag", "\"1\"")][..], &[]] {
        let site = Site::start(move |asked| match asked.headers.get("if-none-match") {
            Some(_) => Reply::new(304, validators, ""),
            None => Reply::new(200, validators, rss(2)),
        });
        let feed = source("feed", &format!("url = \"{}\"", site.url("/")));
        with_web(settings(), async |web| {
            let first = visit(&web, &*feed, None).await.unwrap();
            let second = visit(&web, &*feed, Some(&first.mark)).await.unwrap();
            assert_eq!((first.items.len(), second.items.len()), (2, 0));
            assert!(!first.is_unchanged && second.is_unchanged);
            let third = visit(&web, &*feed, Some(&second.mark)).await.unwrap();
            assert!(third.is_unchanged);
        })
        .await;
    }
}

#[tokio::test]
async fn the_same_entry_has_the_same_id_wherever_the_feed_lives_and_whatever_is_edited() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/old" => Reply::feed(rss(2)),
        _ => Reply::feed(rss(2).replace("Entry", "Edited entry").replace("https://blog", "https://new.blog")),
    });
    let ids = async |path| {
        let feed = source("feed", &format!("url = \"{}\"", site.url(path)));
        let visited = with_web(settings(), async |web| visit(&web, &*feed, None).await).await.unwrap();
        visited.items.iter().map(|item| item.id).collect::<Vec<_>>()
    };
    assert_eq!(ids("/old").await, ids("/new").await);
}

#[tokio::test]
async fn a_feed_that_has_moved_for_good_says_so() {
    let visited = bad("/to/sound").await.unwrap();
    assert!(visited.moved.unwrap().as_str().ends_with("/sound"));
}

#[tokio::test]
async fn a_web_page_is_no_feed_and_names_those_that_it_has() {
    let Err(Trouble::Broken { why }) = bad("/html").await else { panic!("a page is no feed") };
    assert!(why.contains("a web page and no feed; it names http://127.0.0.1:"), "{why}");
    assert!(why.ends_with("/sound"), "{why}");
}

#[tokio::test]
async fn nothing_and_nonsense_are_broken_with_a_reason() {
    let Err(Trouble::Broken { why }) = bad("/empty").await else { panic!("nothing is no feed") };
    assert!(why.ends_with("the answer is empty"), "{why}");
    for (body, reason) in [
        ("just text", "neither XML nor JSON"),
        ("<opml><body/></opml>", "its outermost element is <opml>"),
        ("{\"a\": 1}", "no JSON Feed"),
        ("<rss", "cannot be read"),
    ] {
        let site = Site::start(move |_| Reply::feed(body));
        let feed = source("feed", &format!("url = \"{}\"", site.url("/")));
        let result = with_web(settings(), async |web| visit(&web, &*feed, None).await).await;
        let Err(Trouble::Broken { why }) = result else { panic!("{body} is no feed: {result:?}") };
        assert!(why.contains(reason), "{body}: {why}");
    }
}

#[tokio::test]
async fn an_empty_feed_is_a_good_visit_without_items() {
    let site = Site::start(|_| Reply::feed(rss(0)));
    let feed = source("feed", &format!("url = \"{}\"", site.url("/")));
    let visited = with_web(settings(), async |web| visit(&web, &*feed, None).await).await.unwrap();
    assert!(visited.items.is_empty() && !visited.is_unchanged);
}

#[tokio::test]
async fn what_is_half_broken_gives_what_is_whole() {
    assert_eq!(titles(&bad("/broken").await.unwrap()), ["Entry 3"]);
    let invalid = bad("/invalid").await.unwrap();
    assert_eq!(titles(&invalid), ["Entry 1", "Entry 2", "Entry 3"]);
    assert_eq!(titles(&bad("/charset").await.unwrap()), ["Größe 1", "Größe 2", "Größe 3"]);
}

#[tokio::test]
async fn a_wish_for_the_next_visit_is_passed_on() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/control" => Reply::new(200, &[("cache-control", "max-age=7200")], rss(1)),
        _ => Reply::feed(rss(1).replace("<title>Blog", "<ttl>90</ttl><title>Blog")),
    });
    for (path, seconds) in [("/control", 7_200), ("/ttl", 5_400)] {
        let feed = source("feed", &format!("url = \"{}\"", site.url(path)));
        let visited = with_web(settings(), async |web| visit(&web, &*feed, None).await).await.unwrap();
        assert_eq!(visited.wait.unwrap().length.as_secs(), seconds, "{path}");
    }
}

#[tokio::test]
async fn a_name_and_a_password_in_the_address_are_sent_and_not_shown() {
    let site = Site::bad();
    let address = site.address();
    let feed = source("feed", &format!("url = \"http://me:secret@{address}/sound\""));
    assert_eq!(feed.address(), &site.url("/sound"));
    assert!(!format!("{feed:?}").contains("secret"));
    with_web(settings(), async |web| visit(&web, &*feed, None).await).await.unwrap();
    assert_eq!(site.log()[0].headers["authorization"], "Basic bWU6c2VjcmV0");
}

#[test]
fn settings_that_do_not_fit_are_refused_by_name() {
    assert!(try_source("feed", "").unwrap_err().contains("`source.url`: is missing"));
    assert!(try_source("feed", "url = \"file:///etc/passwd\"").is_err());
    assert!(try_source("feed", "url = \"https://a.example\"\nulr = 1").unwrap_err().contains("source.ulr"));
}

fn items(body: &[u8]) -> Result<usize, String> {
    let name: SourceName = "test".parse().expect("a name");
    let base = Url::parse("https://a.example/feed").expect("an address");
    feed::items(&name, body, None, &base).map(|items| items.len())
}

#[test]
fn a_hundred_thousand_entries_are_read_up_to_the_bound() {
    assert_eq!(items(rss(100_000).as_bytes()), Ok(10_000));
}

#[test]
fn what_feed_rs_panics_on_is_kept_from_it() {
    for inner in [
        "<itunes:duration>99999999999999999999:00:00</itunes:duration>",
        "<itunes:duration>1.99999999999999999999999999999999999999999</itunes:duration>",
        "<media:content url=\"https://a.example/\" duration=\"99999999999999999999\"/>",
        "<media:text start=\"99999999999999999999\">x</media:text>",
        "<author>Jörg “ada@a.example”</author>",
        "<author>&#8220;ada@a.example&#8221;</author>",
        "<dc:creator>ada@a.example→ someone with a long name</dc:creator>",
        "<itunes:author>→ada@a.example</itunes:author>",
    ] {
        let feed = format!("<rss><channel><item><guid>1</guid>{inner}</item></channel></rss>");
        assert_eq!(items(feed.as_bytes()), Ok(1), "{inner}");
    }
}

#[test]
fn nesting_does_not_end_the_program() {
    for open in [
        "<a>",
        "<item><title>",
        "<media:group xmlns:media=\"http://search.yahoo.com/mrss/\">",
        "<content type=\"xhtml\"><b>",
    ] {
        let _ = items(format!("<rss><channel>{}", open.repeat(200_000)).as_bytes());
        let _ = items(
            format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><entry>{}", open.repeat(200_000)).as_bytes(),
        );
    }
    let _ = items(format!("{{\"items\": {}", "[".repeat(1_000_000)).as_bytes());
    let _ = items(format!("<rss><channel><item><description>{}", "&lt;b>".repeat(200_000)).as_bytes());
}

/// Feeds of every form, to be spoilt.
fn seeds() -> [String; 4] {
    let atom = "<?xml version=\"1.0\" encoding=\"utf-8\"?><feed xmlns=\"http://www.w3.org/2005/Atom\" xml:base=\"https://a.example/\">\
        <title>x</title><entry><id>urn:1</id><title type=\"html\">a &amp;amp; b</title><link href=\"/1\"/>\
        <updated>2026-11-26T21:00:00+01:00</updated><content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x</p></div></content>\
        <media:group xmlns:media=\"http://search.yahoo.com/mrss/\"><media:content url=\"https://a.example/v\" duration=\"10\"/></media:group>\
        </entry></feed>";
    let rdf = "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\" \
        xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel rdf:about=\"x\"><title>x</title></channel>\
        <item rdf:about=\"y\"><title>y</title><link>https://a.example/</link><dc:date>2026-11-26</dc:date></item></rdf:RDF>";
    let json = "{\"version\": \"https://jsonfeed.org/version/1.1\", \"title\": \"x\", \"items\": [{\"id\": \"1\", \"url\": \"https://a.example/\", \
        \"content_html\": \"<p>x</p>\", \"date_published\": \"2026-11-26T21:00:00Z\", \"tags\": [\"a\"], \"authors\": [{\"name\": \"b\"}]}]}";
    let enclosed = rss(2).replace(
        "<guid>",
        "<enclosure url=\"https://a.example/a.mp3\" length=\"1\" type=\"audio/mpeg\"/><itunes:duration>1:02:03</itunes:duration><guid>",
    );
    [enclosed, atom.to_owned(), rdf.to_owned(), json.to_owned()]
}

/// One change to a feed: bytes overwritten, taken out, doubled, or put in.
#[derive(Debug, Clone)]
enum Change {
    Set(u8),
    Cut(usize),
    Twice(usize),
    Insert(&'static str),
}

fn change() -> impl Strategy<Value = (prop::sample::Index, Change)> {
    let words = vec![
        "<",
        ">",
        "&",
        "&#x110000;",
        "&#0;",
        "]]>",
        "<![CDATA[",
        "<!--",
        "<!DOCTYPE x [",
        "\"",
        "'",
        "/",
        ":",
        "xmlns=\"\"",
        "</item>",
        "<item>",
        "<entry>",
        "99999999999999999999",
        "-1",
        "\u{0}",
        "\u{feff}",
        "é",
        "{",
        "[",
        "null",
        "1e400",
        "xml:base=\"http://[\"",
        "type=\"x/y;z\"",
        "2026-13-45T99:99:99Z",
        "<?xml version=\"1.0\" encoding=\"utf-16\"?>",
        "“ada@a.example”",
        "<author>",
        "<itunes:author>→a@b.cd→",
    ];
    let change = prop_oneof![
        any::<u8>().prop_map(Change::Set),
        (1_usize..40).prop_map(Change::Cut),
        (1_usize..40).prop_map(Change::Twice),
        prop::sample::select(words).prop_map(Change::Insert),
    ];
    (any::<prop::sample::Index>(), change)
}

fn apply(body: &mut Vec<u8>, at: prop::sample::Index, change: &Change) {
    if body.is_empty() {
        return;
    }
    let at = at.index(body.len());
    match change {
        Change::Set(byte) => body[at] = *byte,
        Change::Cut(length) => drop(body.drain(at..(at + length).min(body.len()))),
        Change::Twice(length) => {
            let piece = body[at..(at + length).min(body.len())].to_vec();
            body.splice(at..at, piece);
        }
        Change::Insert(word) => drop(body.splice(at..at, word.bytes())),
    }
}

#[test]
fn ten_thousand_spoilt_feeds_are_read_or_refused() {
    let seeds = seeds();
    let mut runner = TestRunner::new(Config::default());
    let changes = prop::collection::vec(change(), 1..8);
    let mut good = 0;
    for number in 0..10_000 {
        let mut body = seeds[number % seeds.len()].clone().into_bytes();
        for (at, change) in changes.new_tree(&mut runner).expect("changes").current() {
            apply(&mut body, at, &change);
        }
        let read = std::panic::catch_unwind(|| items(&body));
        let read = read.unwrap_or_else(|_| panic!("it panicked on {:?}", String::from_utf8_lossy(&body)));
        good += usize::from(read.is_ok());
    }
    // About half are only scratched, and a reader that refuses them all would pass otherwise.
    assert!(good > 3_000, "only {good} could be read");
}
