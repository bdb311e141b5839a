//! The feeds of feedparser's own tests, read by us and by feedparser.
//!
//! The corpus is a museum of everything that has ever been wrong with a feed. `cargo xtask setup` unpacks it and lets the
//! real feedparser say what it makes of each file (`corpus/expect.py`). Here nothing may panic, and the agreement on
//! titles, links and dates is counted, printed and held at what it was when it was last looked at.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tributary::{item::Item, kinds::feed};
use url::Url;

/// What feedparser makes of a file.
#[derive(Deserialize)]
struct Expected {
    path: String,
    content_type: String,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    title: Option<String>,
    link: Option<String>,
    date: Option<i64>,
}

/// How often both agree, of how often feedparser has something to say.
#[derive(Default)]
struct Agreement {
    agreed: usize,
    of: usize,
    /// The files in which they do not, with both answers.
    apart: Vec<String>,
}

impl Agreement {
    /// Counts what of theirs is among ours, each of ours once.
    fn count<T: PartialEq + std::fmt::Debug>(&mut self, path: &str, theirs: Vec<T>, mut ours: Vec<T>) {
        for theirs in theirs {
            self.of += 1;
            match ours.iter().position(|ours| *ours == theirs) {
                Some(at) => {
                    ours.swap_remove(at);
                    self.agreed += 1;
                }
                None => self.apart.push(format!("{path}: theirs {theirs:?}, ours {ours:?}")),
            }
        }
    }

    fn percent(&self) -> usize {
        self.agreed * 100 / self.of.max(1)
    }

    fn report(&self, what: &str) {
        println!("{what}: {} of {} agree, {} %", self.agreed, self.of, self.percent());
        self.apart.iter().for_each(|apart| println!("  {apart}"));
    }
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools")
}

fn expected() -> Vec<Expected> {
    let path = tools().join("feedparser-expected/expected.json");
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask setup`", path.display()));
    serde_json::from_str(&text).expect("what expect.py wrote")
}

fn read(file: &Expected) -> Result<Vec<Item>, String> {
    let body = fs::read(tools().join("feedparser/tests").join(&file.path)).expect("a file of the corpus");
    let base =
        Url::parse("https://corpus.example/").and_then(|base| base.join(&file.path)).expect("an address");
    feed::items(&"corpus".parse().expect("a name"), &body, Some(&file.content_type), &base)
}

/// A link that leads to the web, written as we write it.
fn web_link(link: &str) -> Option<Url> {
    Url::parse(link).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

#[test]
fn feedparsers_corpus_is_read_without_a_panic_and_mostly_as_feedparser_reads_it() {
    let files = expected();
    assert!(files.len() > 2_000, "the corpus has {} files only", files.len());
    let [mut titles, mut links, mut dates, mut entries] = [(); 4].map(|()| Agreement::default());
    for file in &files {
        let items = read(file).unwrap_or_default();
        let path = &file.path;
        entries.count(path, vec![file.entries.len()], vec![items.len()]);
        let theirs = file.entries.iter();
        titles.count(
            path,
            theirs.clone().filter_map(|entry| entry.title.clone()).collect(),
            items.iter().filter_map(|item| item.title.clone()).collect(),
        );
        links.count(
            path,
            theirs.clone().filter_map(|entry| web_link(entry.link.as_deref()?)).collect(),
            items.iter().filter_map(|item| item.link.clone()).collect(),
        );
        dates.count(
            path,
            theirs.filter_map(|entry| entry.date).collect(),
            items.iter().filter_map(|item| Some(item.published?.as_second())).collect(),
        );
    }
    println!("{} files", files.len());
    entries.report("numbers of entries");
    titles.report("titles");
    links.report("links");
    dates.report("dates");
    let measured = [entries.percent(), titles.percent(), links.percent(), dates.percent()];
    let floors = [99, 89, 89, 93];
    assert!(
        measured.iter().zip(floors).all(|(measured, floor)| *measured >= floor),
        "{measured:?} < {floors:?}"
    );
}
