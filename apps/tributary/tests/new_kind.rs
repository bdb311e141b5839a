//! A new source is one new file and one registration line.
//!
//! The kinds that are there are held to it: no other file of the program may know one of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use futures_util::{FutureExt, future::BoxFuture};
use toml::de::DeTable;
use tributary::{
    fields::{Fields, Wrong},
    item::{Item, ItemId},
    kinds::{KINDS, for_address},
    source::{Errand, Kind, Mark, Trouble, Visit, Visited},
    web::Request,
};
use url::Url;

use crate::support::{Reply, Site, settings, visit, with_web};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("its entry").path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn each_kind_is_one_file_and_one_line_and_no_other_file_names_it() {
    let table = fs::read_to_string(format!("{SOURCES}/kinds.rs")).unwrap();
    for kind in KINDS {
        let name = kind.name();
        let own = Path::new(SOURCES).join("kinds").join(format!("{name}.rs"));
        assert!(own.is_file(), "the kind `{name}` stands in src/kinds/{name}.rs");
        let lines = table.lines().filter(|line| line.trim_start().starts_with(&format!("{name}::")));
        assert_eq!(lines.count(), 1, "the kind `{name}` has one line in src/kinds.rs");

        let folder = own.with_extension("");
        let others = rust_files(Path::new(SOURCES)).into_iter();
        for path in others.filter(|path| *path != own && !path.starts_with(&folder)) {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let is_named = code.contains(&format!("kinds::{name}::"));
            assert!(!is_named, "{} knows the kind `{name}`", path.display());
        }
    }
}

#[test]
fn every_kind_says_in_a_sentence_what_it_is_and_no_two_share_a_name() {
    let mut names: Vec<_> = KINDS.iter().map(|kind| kind.name()).collect();
    assert!(KINDS.iter().all(|kind| kind.about().len() > 20));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KINDS.len());
}

#[test]
fn a_pasted_address_finds_its_kind() {
    for (address, kind, settings) in [
        ("https://www.reddit.com/r/rust/", "reddit", vec![("subreddit", "rust")]),
        ("https://old.reddit.com/r/rust/top", "reddit", vec![("subreddit", "rust")]),
        (
            "https://mastodon.social/tags/rust",
            "mastodon",
            vec![("base", "https://mastodon.social"), ("tag", "rust")],
        ),
        ("https://x.com/rustlang", "x", vec![("query", "from:rustlang"), ("token_env", "X_TOKEN")]),
        ("https://twitter.com/search?q=a%20b", "x", vec![("query", "a b"), ("token_env", "X_TOKEN")]),
        ("https://www.reddit.com/r/rust/.rss", "feed", vec![("url", "https://www.reddit.com/r/rust/.rss")]),
        ("https://notreddit.com/r/rust", "feed", vec![("url", "https://notreddit.com/r/rust")]),
        ("https://blog.example/tags/rust/", "feed", vec![("url", "https://blog.example/tags/rust/")]),
        ("https://x.com/home", "feed", vec![("url", "https://x.com/home")]),
        ("https://blog.example/feed.xml", "feed", vec![("url", "https://blog.example/feed.xml")]),
    ] {
        let (found, with) = for_address(&address.parse().unwrap());
        let with: Vec<_> = with.iter().map(|(key, value)| (*key, value.as_str())).collect();
        assert_eq!((found, with), (kind, settings), "{address}");
    }
}

/// A kind that this program does not have: a page whose lines are entries.
#[derive(Debug)]
struct Lines;

impl Kind for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn about(&self) -> &'static str {
        "a page at `url` whose lines are entries"
    }

    fn read(&self, fields: &Fields<'_>) -> Result<Box<dyn Visit>, Wrong> {
        Ok(Box::new(Page { url: fields.url("url")? }))
    }
}

#[derive(Debug)]
struct Page {
    url: Url,
}

impl Visit for Page {
    fn address(&self) -> &Url {
        &self.url
    }

    fn visit<'a>(&'a self, errand: &'a Errand<'a>) -> BoxFuture<'a, Result<Visited, Trouble>> {
        async move {
            let request = Request {
                url: errand.at,
                accept: "text/plain",
                authorization: None,
                known: None,
                progress: errand.progress,
            };
            let answer = errand.web.get(request).await?;
            let body = String::from_utf8_lossy(answer.body.as_deref().unwrap_or_default()).into_owned();
            let known: usize = errand.mark.and_then(Mark::read).unwrap_or_default();
            let item = |line: &str| Item {
                id: ItemId::of(errand.source, line),
                source: errand.source.clone(),
                title: Some(line.to_owned()),
                link: None,
                author: None,
                published: None,
                updated: None,
                summary_html: None,
                content_html: None,
                tags: Vec::new(),
                attachments: Vec::new(),
            };
            let items: Vec<_> = body.lines().skip(known).map(item).collect();
            Ok(Visited {
                mark: Mark::of(&(known + items.len())),
                is_unchanged: items.is_empty(),
                items,
                moved: answer.moved,
                wait: None,
                bytes: answer.bytes,
            })
        }
        .boxed()
    }
}

/// It reaches everything that the program's own kinds reach, through nothing but what is public.
#[tokio::test]
async fn a_kind_of_ones_own_is_one_file() {
    let site = Site::start(|asked| match asked.before {
        0 => Reply::new(200, &[], "one\ntwo\n"),
        _ => Reply::new(200, &[], "one\ntwo\nthree\n"),
    });
    let toml = format!("url = \"{}\"", site.url("/"));
    let table = DeTable::parse(&toml).unwrap();
    let fields = Fields::new(&toml, "source", &table);
    let source = Lines.read(&fields).unwrap();
    assert_eq!(fields.finish(), Ok(()));
    with_web(settings(), async |web| {
        let first = visit(&web, &*source, None).await.unwrap();
        let second = visit(&web, &*source, Some(&first.mark)).await.unwrap();
        assert_eq!((first.items.len(), second.items.len()), (2, 1));
        assert_eq!(second.items[0].title.as_deref(), Some("three"));
    })
    .await;
}
