//! What strangers wrote, made safe to show: clean HTML, plain text, bounded lengths.
//!
//! HTML is cleaned by ammonia's allow list, after a look at its shape (`shape`): a parser that follows the HTML standard
//! can be made to build a tree that is far larger than its text, so text that would is not given to it. Plain text and
//! links are read from the same tokens (`tokens`).

mod shape;
mod tokens;

use std::{borrow::Cow, sync::LazyLock};

use ammonia::{Builder, UrlRelative};
use url::Url;

pub(crate) use tokens::{feeds_named, plain};

/// Of HTML that is cleaned; what is beyond is cut off before.
pub(crate) const HTML_BYTES_MAX: usize = 256 << 10;
/// Of HTML once it is clean. Links that become absolute and tags that are closed make it longer; what grows beyond this is
/// taken as plain text.
const CLEAN_BYTES_MAX: usize = 1 << 20;
/// Told to browsers about every link: nobody is sent along, and nobody is vouched for.
const LINK_REL: &str = "noopener noreferrer nofollow";

/// For HTML without any address of its own.
static BARE: LazyLock<Cleaner> = LazyLock::new(|| Cleaner(allowed()));

fn allowed() -> Builder<'static> {
    let mut builder = Builder::default();
    builder.link_rel(Some(LINK_REL)).url_relative(UrlRelative::Deny);
    builder.url_schemes(["http", "https", "mailto"].into());
    builder
}

/// Cleans the HTML of one document. Making one costs as much as cleaning a short text.
pub(crate) struct Cleaner(Builder<'static>);

impl Cleaner {
    /// Makes links absolute against this address.
    pub(crate) fn new(base: &Url) -> Self {
        let mut builder = allowed();
        builder.url_relative(UrlRelative::RewriteWithBase(base.clone()));
        Self(builder)
    }

    /// HTML without what could do harm. None where nothing is left.
    pub(crate) fn clean(&self, html: &str) -> Option<String> {
        let html = bounded(html.trim(), HTML_BYTES_MAX);
        let cleaned = shape::is_harmless(html).then(|| self.0.clean(html).to_string());
        let cleaned = cleaned.filter(|cleaned| cleaned.len() <= CLEAN_BYTES_MAX);
        let cleaned = cleaned.unwrap_or_else(|| escape(&plain(html)).into_owned());
        let cleaned = cleaned.trim();
        (!cleaned.is_empty()).then(|| cleaned.to_owned())
    }
}

/// HTML without what could do harm, and without relative links. None where nothing is left.
pub(crate) fn clean(html: &str) -> Option<String> {
    BARE.clean(html)
}

/// Plain text as the HTML that shows it.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    quick_xml::escape::escape(bounded(text, HTML_BYTES_MAX))
}

/// Text on one line: without control characters, with single spaces, and at most so many characters. None where nothing
/// is left.
pub(crate) fn line(text: &str, chars_max: usize) -> Option<String> {
    let mut line = String::new();
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()) {
        if !word.is_empty() && !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() > chars_max {
            let end = line.char_indices().nth(chars_max.saturating_sub(1)).map_or(0, |(at, _)| at);
            line.truncate(end);
            line.push('…');
            break;
        }
    }
    (!line.is_empty()).then_some(line)
}

/// The text up to a number of bytes, cut between two characters.
pub(crate) fn bounded(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(html: &str) -> String {
        let base = "https://a.example/blog/feed.xml".parse().unwrap();
        Cleaner::new(&base).clean(html).unwrap_or_default()
    }

    #[test]
    fn what_could_do_harm_is_gone() {
        for html in [
            "<script>alert(1)</script>",
            "<style>body { display: none }</style>",
            "<img src=x onerror=alert(1)>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
            "<iframe src=\"https://evil.example\"></iframe>",
            "<svg/onload=alert(1)>",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
            "<form action=\"https://evil.example\"><input name=password></form>",
            "<base href=\"https://evil.example\">",
        ] {
            let clean = cleaned(html).to_ascii_lowercase();
            for word in ["script", "onerror", "onload", "alert(1)>", "<iframe", "<form", "<style", "<base"] {
                assert!(!clean.contains(word), "{html} became {clean}");
            }
        }
    }

    #[test]
    fn links_become_absolute_and_vouch_for_nobody() {
        assert_eq!(
            cleaned("<a href=\"../about\">x</a>"),
            format!("<a href=\"https://a.example/about\" rel=\"{LINK_REL}\">x</a>")
        );
        assert_eq!(cleaned("<img src=\"/1.png\">"), "<img src=\"https://a.example/1.png\">");
    }

    #[test]
    fn nothing_is_none() {
        assert_eq!(clean(" <script>1</script> "), None);
        assert_eq!(line(" \n\u{0} ", 10), None);
    }

    #[test]
    fn a_line_is_one_line_of_bounded_length() {
        assert_eq!(line(" a\n b\u{7}c\t", 10).unwrap(), "a b c");
        assert_eq!(line("Größe und Länge", 6).unwrap(), "Größe…");
        assert_eq!(line(&"wort ".repeat(100_000), 50).unwrap().chars().count(), 50);
    }

    #[test]
    fn the_worst_that_is_let_through_is_cleaned_in_time_and_size() {
        let formats: String = (0..16).map(|number| format!("<b title={number}>")).collect();
        let began = std::time::Instant::now();
        let cleaned = clean(&format!("{formats}{}", "<p>x".repeat(16_000))).unwrap();
        assert!(cleaned.len() <= CLEAN_BYTES_MAX, "{}", cleaned.len());
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }

    #[test]
    fn links_that_would_outgrow_their_text_become_plain_text() {
        let base = format!("https://a.example/{}/", "b".repeat(1_000)).parse().unwrap();
        let cleaned = Cleaner::new(&base).clean(&"<a href=c>x</a> ".repeat(2_000)).unwrap();
        assert!(cleaned.len() < CLEAN_BYTES_MAX && cleaned.starts_with("x x"), "{}", cleaned.len());
    }

    #[test]
    fn a_tree_that_would_outgrow_its_text_becomes_plain_text() {
        let formats: String = (0..2_000).map(|number| format!("<b id={number}>")).collect();
        let html = format!("{formats}{}", "<p>x".repeat(2_000));
        let cleaned = clean(&html).unwrap();
        assert!(cleaned.len() < html.len() && !cleaned.contains('<'), "{}", cleaned.len());
    }
}
