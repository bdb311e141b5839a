//! Text and links from the tokens of HTML, without a tree.

use std::cell::RefCell;

use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};
use url::Url;

/// Feeds that one page is believed to have.
const FEEDS_MAX: usize = 16;
const FEED_TYPES: [&str; 5] = [
    "application/rss+xml",
    "application/atom+xml",
    "application/feed+json",
    "application/rdf+xml",
    "application/json",
];
/// Elements that begin a line of their own; between two words that only they part, there is a space.
const BLOCKS: [&str; 14] =
    ["br", "p", "div", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"];

/// Takes the tokens of a text one by one.
pub(super) trait Reader {
    fn tag(&mut self, tag: &Tag);
    fn text(&mut self, _text: &str) {}
}

/// Reads HTML to its end.
pub(super) fn read<R: Reader>(html: &str, reader: R) -> R {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Sink(RefCell::new(reader)), TokenizerOpts::default());
    // It stops at the end of each script, to have it run.
    while !input.is_empty() {
        let _ = tokenizer.feed(&input);
    }
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

struct Sink<R>(RefCell<R>);

impl<R: Reader> TokenSink for Sink<R> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut reader = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => reader.text(&text),
            Token::TagToken(tag) => {
                reader.tag(&tag);
                // A tree builder would say this: in these, what looks like a tag is none.
                if tag.kind == TagKind::StartTag && matches!(&*tag.name, "script" | "style") {
                    return TokenSinkResult::RawData(RawKind::Rawtext);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// The text of HTML, as a reader sees it.
pub(crate) fn plain(html: &str) -> String {
    if !html.contains(['<', '&']) {
        return html.to_owned();
    }
    read(html, Plain::default()).text
}

#[derive(Default)]
struct Plain {
    text: String,
    /// Inside an element whose text nobody sees.
    is_hidden: bool,
}

impl Reader for Plain {
    fn tag(&mut self, tag: &Tag) {
        let name = &*tag.name;
        if matches!(name, "script" | "style") {
            self.is_hidden = tag.kind == TagKind::StartTag;
        }
        if BLOCKS.contains(&name) && !self.text.ends_with([' ', '\n']) {
            self.text.push('\n');
        }
    }

    fn text(&mut self, text: &str) {
        if !self.is_hidden {
            self.text.push_str(text);
        }
    }
}

/// The feeds that a page names with `<link rel="alternate">`, in its order.
pub(crate) fn feeds_named(html: &str, base: &Url) -> Vec<Url> {
    read(html, Feeds { base: base.clone(), found: Vec::new() }).found
}

struct Feeds {
    base: Url,
    found: Vec<Url>,
}

impl Reader for Feeds {
    fn tag(&mut self, tag: &Tag) {
        let value = |name: &str| {
            let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == name);
            found.map(|attribute| attribute.value.trim().to_ascii_lowercase())
        };
        let is_feed = tag.kind == TagKind::StartTag
            && &*tag.name == "link"
            && value("rel").is_some_and(|rel| rel.split_whitespace().any(|word| word == "alternate"))
            && value("type").is_some_and(|media_type| FEED_TYPES.contains(&&*media_type));
        let href = tag.attrs.iter().find(|attribute| &*attribute.name.local == "href").filter(|_| is_feed);
        let url = href.and_then(|href| self.base.join(href.value.trim()).ok());
        if let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https"))
            && self.found.len() < FEEDS_MAX
            && !self.found.contains(&url)
        {
            self.found.push(url);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_a_reader_sees() {
        assert_eq!(plain("AT&amp;T <b>rises</b>"), "AT&T rises");
        assert_eq!(plain("one<br>two<p>three"), "one\ntwo\nthree");
        assert_eq!(plain("a<script>if (x < y) {}</script>b<style>p{}</style>c"), "abc");
        assert_eq!(plain("3 < 4 & 5 > 4"), "3 < 4 & 5 > 4");
    }

    #[test]
    fn feeds_are_found_by_their_links() {
        let page = "<!doctype html><html><head><title>x</title>\
            <link rel=alternate type=application/rss+xml href=/feed.xml>\
            <LINK REL='home Alternate' TYPE='application/atom+xml' HREF='https://b.example/atom'>\
            <link rel=alternate type=application/rss+xml href=/feed.xml>\
            <link rel=alternate hreflang=de href=/de><link rel=stylesheet type=text/css href=/x.css>\
            <link rel=alternate type=application/rss+xml href='javascript:1'>";
        let found = feeds_named(page, &"https://a.example/blog/".parse().unwrap());
        let found: Vec<_> = found.iter().map(Url::as_str).collect();
        assert_eq!(found, ["https://a.example/feed.xml", "https://b.example/atom"]);
    }
}
