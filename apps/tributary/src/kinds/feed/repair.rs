//! Feeds as they come, made into feeds as they should be.
//!
//! feed-rs reads well-formed documents of the versions that are in use. A good part of the real world's are not quite
//! that: an `&` by itself, an end tag too many, HTML's entities, a namespace of ten years ago, a version nobody knows. So
//! each document is read once without mercy for its rules and written anew: tags nest, entities are text, known old
//! names have become the new ones. What it breaks off in the middle of an entry ends before that entry, because half an
//! entry would be kept for a whole one.
//!
//! Nothing is taken from a document type: no entities of its own, so no bombs made of them, and no files.

use std::ops::ControlFlow;

use quick_xml::{
    Reader,
    escape::{minimal_escape, resolve_html5_entity},
    events::{BytesStart, Event},
};

use crate::kinds::draft::URL_BYTES_MAX;

/// Elements inside each other; what is deeper is left out.
const DEPTH_MAX: usize = 128;
/// Of one element; more are left out.
const ATTRIBUTES_MAX: usize = 64;
/// HTML's longest name of an entity has 31.
const ENTITY_BYTES_MAX: usize = 32;

const RSS: &str = "http://purl.org/rss/1.0/";
const ATOM: &str = "http://www.w3.org/2005/Atom";
const ATOM_OF_OLD: &str = "http://purl.org/atom/ns#";

/// Namespaces under which the same elements have been written.
const NAMESPACES_OF_OLD: [(&str, &str); 14] = [
    (ATOM_OF_OLD, ATOM),
    ("http://purl.org/atom/0.3", ATOM),
    ("http://example.com/necho", ATOM),
    ("http://www.w3.org/2005/atom", ATOM),
    ("https://www.w3.org/2005/atom", ATOM),
    ("http://www.w3.org/2005/atom/", ATOM),
    ("http://my.netscape.com/rdf/simple/0.9/", RSS),
    ("http://channel.netscape.com/rdf/simple/0.9/", RSS),
    ("http://my.netscape.com/publish/formats/rss-0.91.dtd", RSS),
    ("http://purl.org/net/rss1.1#", RSS),
    ("http://backend.userland.com/rss", RSS),
    ("http://backend.userland.com/rss2", RSS),
    ("http://backend.userland.com/rss2-newsgator", RSS),
    ("http://blogs.law.harvard.edu/tech/rss", RSS),
];

/// Prefixes that are used without being declared.
const PREFIXES: [(&str, &str); 5] = [
    ("xmlns:atom", ATOM),
    ("xmlns:content", "http://purl.org/rss/1.0/modules/content/"),
    ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
    ("xmlns:itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
    ("xmlns:media", "http://search.yahoo.com/mrss/"),
];

/// Elements of Atom whose `type` says how their text is meant.
const TEXTS: [&str; 8] =
    ["title", "subtitle", "tagline", "summary", "content", "rights", "copyright", "info"];

/// Elements that hold a person. feed-rs looks for an address of e-mail in them.
const PERSONS: [&str; 7] =
    ["author", "contributor", "creator", "managingEditor", "name", "owner", "webMaster"];

/// A document that can be read.
#[derive(Debug, Default)]
pub(super) struct Repaired {
    pub(super) xml: String,
    /// The name of its outermost element, in lower case and without its prefix.
    pub(super) root: String,
    /// Where it could not be read on, and why.
    pub(super) damage: Option<String>,
    /// The hours in which it asks not to be visited, as they stand there.
    pub(super) skip_hours: Vec<u8>,
}

/// Writes a document anew, up to a number of entries.
pub(super) fn repair(text: &str, entries_max: usize) -> Repaired {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    config.trim_markup_names_in_closing_tags = true;
    let mut scribe = Scribe { entries_left: entries_max, ..Scribe::default() };
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) if scribe.write(&event).is_break() => break,
            Ok(_) => {}
            Err(error) => {
                scribe.done.damage = Some(format!("{error}, at byte {}", reader.error_position()));
                break;
            }
        }
    }
    scribe.end()
}

#[derive(Default)]
struct Scribe {
    done: Repaired,
    open: Vec<Open>,
    /// How many elements below those are open that are left out.
    skipped: usize,
    /// Where the entry began that is being written, and how many elements were open there.
    entry: Option<(usize, usize)>,
    entries_left: usize,
    is_atom_of_old: bool,
    /// What an entry of RDF is about, until it has a link.
    about: Option<String>,
}

/// An element that is open.
struct Open {
    /// As it is written.
    name: String,
    /// Its tags are text of the element around it.
    is_text: bool,
}

impl Open {
    /// Writes one of its tags, of which this is what stands between the brackets.
    fn write(&self, tag: &str, xml: &mut String) {
        if self.is_text {
            // Once more escaped, as all of a text is.
            xml.extend(["&lt;", &minimal_escape(tag), "&gt;"]);
        } else {
            xml.extend(["<", tag, ">"]);
        }
    }
}

impl Scribe {
    fn write(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Start(start) => self.start(start),
            Event::Empty(start) => {
                self.start(start);
                return self.close(start.name().as_ref());
            }
            Event::End(end) => return self.close(end.name().as_ref()),
            Event::Text(text) => self.text(text),
            Event::CData(text) => self.text(text),
            Event::GeneralRef(reference) => self.text(&meant(reference)),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn start(&mut self, start: &BytesStart<'_>) {
        if self.skipped > 0 || self.open.len() >= DEPTH_MAX {
            self.skipped += 1;
            return;
        }
        let attributes = self.attributes(start);
        let name = self.renamed(start.name().as_ref());
        let local = local_name(&name);
        if self.done.root.is_empty() {
            self.done.root = local.to_ascii_lowercase();
        }
        if self.open.len() == 1 && self.done.root == "rss" && matches!(local, "item" | "title" | "link") {
            let channel = Open { name: "channel".to_owned(), is_text: false };
            channel.write("channel", &mut self.done.xml);
            self.open.push(channel);
        }
        if self.entry.is_none() && matches!(local, "item" | "entry") {
            self.entry = Some((self.done.xml.len(), self.open.len()));
            let about =
                attributes.iter().find(|(key, _)| local_name(key) == "about" && self.done.root == "rdf");
            self.about = about.map(|(_, about)| about.clone());
        } else if local == "link" {
            self.about = None;
        }
        let mut tag = name.clone();
        for (key, value) in attributes {
            tag.extend([" ", &key, "=\"", &quick_xml::escape::escape(&value), "\""]);
        }
        let open = Open { name, is_text: self.is_in_text() };
        open.write(&tag, &mut self.done.xml);
        self.open.push(open);
    }

    /// Whether tags are text where it stands: those that somebody forgot to escape in a text of RSS.
    fn is_in_text(&self) -> bool {
        let is_rss = matches!(&*self.done.root, "rss" | "rdf");
        let is_text = |open: &Open| matches!(&*open.name, "title" | "description" | "content:encoded");
        is_rss && self.open.last().is_some_and(|open| open.is_text || is_text(open))
    }

    /// Ends the innermost element of this name and all inside it; an end without a beginning is left out.
    fn close(&mut self, name: &str) -> ControlFlow<()> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return ControlFlow::Continue(());
        }
        let name = self.renamed(name);
        let Some(at) = self.open.iter().rposition(|open| open.name == name) else {
            return ControlFlow::Continue(());
        };
        let ends_entry = self.entry.is_some_and(|(_, depth)| at <= depth);
        if let Some((about, (_, depth))) = self.about.take_if(|_| ends_entry).zip(self.entry) {
            // feed-rs leaves out what has no link; in RDF, this is one.
            self.close_down_to(depth + 1);
            self.done.xml.extend(["<link>", &minimal_escape(about.as_str()), "</link>"]);
        }
        self.close_down_to(at);
        if ends_entry {
            self.entry = None;
            self.entries_left = self.entries_left.saturating_sub(1);
            if self.entries_left == 0 {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn close_down_to(&mut self, depth: usize) {
        for open in self.open.drain(depth..).rev() {
            open.write(&format!("/{}", open.name), &mut self.done.xml);
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipped > 0 || self.open.is_empty() {
            return;
        }
        match self.open.last().map_or("", |open| local_name(&open.name)) {
            "hour" => self.done.skip_hours.extend(text.trim().parse::<u8>().ok()),
            // Nobody asks for it, and feed-rs panics on one that is too long.
            "duration" => return,
            // And where one that is no letter of ASCII stands right beside an address of e-mail.
            person if PERSONS.contains(&person) && text.contains('@') => {
                return self.done.xml.extend([" ", &minimal_escape(spaced(text)), " "]);
            }
            _ => {}
        }
        self.done.xml.push_str(&minimal_escape(text));
    }

    fn end(mut self) -> Repaired {
        if let Some((at, depth)) = self.entry {
            self.done.xml.truncate(at);
            self.open.truncate(depth);
        }
        self.close_down_to(0);
        self.done
    }

    /// The attributes as they should be.
    fn attributes(&mut self, start: &BytesStart<'_>) -> Vec<(String, String)> {
        let mut kept: Vec<(String, String)> = Vec::new();
        for attribute in start.html_attributes().with_checks(false).flatten().take(ATTRIBUTES_MAX) {
            let key = attribute.key.as_ref().to_owned();
            let value = unescaped(&attribute.value);
            // As with the element `duration`.
            let is_time = matches!(&*key, "duration" | "start" | "end" | "time");
            // What is relative to it would repeat it.
            let is_base = key == "xml:base" && value.len() > URL_BYTES_MAX;
            if !is_time
                && !is_base
                && !kept.iter().any(|(known, _)| *known == key)
                && !key.contains(['"', '<', '&'])
            {
                kept.push((key, value));
            }
        }
        for (_, value) in kept.iter_mut().filter(|(key, _)| key.starts_with("xmlns")) {
            self.is_atom_of_old |= value.trim().eq_ignore_ascii_case(ATOM_OF_OLD);
            let known = NAMESPACES_OF_OLD.iter().find(|(old, _)| value.trim().eq_ignore_ascii_case(old));
            *value = known.map_or(value.trim(), |(_, new)| new).to_owned();
        }
        let qualified = start.name();
        let name = qualified.as_ref();
        if self.open.is_empty() {
            if local_name(name).eq_ignore_ascii_case("rss") {
                kept.retain(|(key, _)| key != "version");
                kept.push(("version".to_owned(), "2.0".to_owned()));
            }
            for (prefix, namespace) in PREFIXES {
                if !kept.iter().any(|(key, _)| key == prefix) {
                    kept.push((prefix.to_owned(), namespace.to_owned()));
                }
            }
        } else if !name.starts_with("media:") && TEXTS.contains(&local_name(name)) {
            type_of_text(&mut kept, local_name(name) == "content");
        }
        kept
    }

    /// The name as it is today.
    fn renamed(&self, name: &str) -> String {
        let (prefix, local) = name.rsplit_once(':').map_or(("", name), |(prefix, local)| (prefix, local));
        let is_root =
            self.open.is_empty() || (self.open.len() == 1 && self.open[0].name.eq_ignore_ascii_case(name));
        let (prefix, local) = match (prefix, local) {
            ("dcterms", "issued" | "created") => ("dc", "date"),
            ("dcterms", "modified") => ("atom", "updated"),
            other => other,
        };
        let new = match local {
            "modified" if self.is_atom_of_old => "updated",
            "issued" | "created" if self.is_atom_of_old => "published",
            "tagline" if self.is_atom_of_old => "subtitle",
            "copyright" if self.is_atom_of_old => "rights",
            root if is_root && root.eq_ignore_ascii_case("rss") => "rss",
            root if is_root && root.eq_ignore_ascii_case("feed") => "feed",
            root if is_root && root.eq_ignore_ascii_case("rdf") => "RDF",
            other => other,
        };
        // What no XML name may hold would break the document again.
        let new: String =
            new.chars().filter(|letter| letter.is_alphanumeric() || "-_.".contains(*letter)).collect();
        let new = if new.starts_with(|letter: char| letter.is_alphabetic() || letter == '_') {
            new
        } else {
            format!("_{new}")
        };
        if prefix.is_empty() { new } else { format!("{prefix}:{new}") }
    }
}

/// Makes an element of Atom say how its text is meant in one of the words that there are.
fn type_of_text(attributes: &mut Vec<(String, String)>, may_be_media: bool) {
    let mode = attributes.iter().find(|(key, _)| key == "mode").map(|(_, value)| value.to_ascii_lowercase());
    let said =
        attributes.iter().find(|(key, _)| key == "type").map(|(_, value)| value.trim().to_ascii_lowercase());
    let Some(said) = said else { return };
    let meant = match (said.as_str(), mode.as_deref()) {
        ("xhtml" | "application/xhtml+xml", Some("escaped")) => "html",
        ("text/html" | "html", Some("xml")) | ("xhtml" | "application/xhtml+xml", _) => "xhtml",
        ("text/html" | "html" | "application/x-html", _) => "html",
        ("text" | "text/plain" | "", _) => "text",
        (media, _)
            if may_be_media && media.contains('/') && !attributes.iter().any(|(key, _)| key == "mode") =>
        {
            media
        }
        _ => "html",
    };
    let meant = meant.to_owned();
    attributes.retain(|(key, _)| key != "type" && key != "mode");
    attributes.push(("type".to_owned(), meant));
}

/// An attribute's text; an `&` by itself is one.
fn unescaped(raw: &str) -> String {
    let mut pieces = raw.split('&');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once(';').filter(|(name, _)| name.len() <= ENTITY_BYTES_MAX) {
            Some((name, rest)) => text.extend([&*meant(name), rest]),
            None => text.extend(["&", piece]),
        }
    }
    text
}

/// What an entity stands for, by HTML's names; one that nobody knows stands for itself.
fn meant(name: &str) -> String {
    let Some(number) = name.strip_prefix('#') else {
        return resolve_html5_entity(name).map_or_else(|| format!("&{name};"), str::to_owned);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    let letter = code.ok().and_then(char::from_u32).filter(|letter| *letter != '\0');
    letter.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
}

/// The text with spaces around all that is not ASCII.
fn spaced(text: &str) -> String {
    text.chars().fold(String::new(), |spaced, letter| match letter.is_ascii() {
        true => spaced + letter.encode_utf8(&mut [0; 4]),
        false => spaced + " " + letter.encode_utf8(&mut [0; 4]) + " ",
    })
}

fn local_name(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(xml: &str) -> String {
        let repaired = repair(&format!("<rss><channel>{xml}</channel></rss>"), 10).xml;
        let inner = repaired.split_once("<channel>").unwrap().1;
        inner.strip_suffix("</channel></rss>").unwrap().to_owned()
    }

    #[test]
    fn an_address_that_is_too_long_to_be_repeated_is_no_base() {
        assert_eq!(body("<t xml:base=\"https://a.example/\"/>"), "<t xml:base=\"https://a.example/\"></t>");
        let long = "x".repeat(URL_BYTES_MAX);
        assert_eq!(body(&format!("<t xml:base=\"https://a.example/{long}\"/>")), "<t></t>");
    }

    #[test]
    fn text_stays_what_it_meant() {
        assert_eq!(body("<t>A &amp; B &lt;b></t>"), "<t>A &amp; B &lt;b></t>");
        assert_eq!(body("<t>A & B &nbsp;&#252;&unknown;</t>"), "<t>A &amp; B \u{a0}ü&amp;unknown;</t>");
        assert_eq!(body("<t><![CDATA[<p>x & y</p>]]></t>"), "<t>&lt;p>x &amp; y&lt;/p></t>");
        assert_eq!(body("<t>&#0;&#X41;&#x110000;</t>"), "<t>\u{fffd}A\u{fffd}</t>");
        assert_eq!(body("<t a=\"1 & 2 &eacute;\" b=x/>"), "<t a=\"1 &amp; 2 é\" b=\"x\"></t>");
    }

    #[test]
    fn tags_nest() {
        assert_eq!(body("<a><b>x</a>y</b>"), "<a><b>x</b></a>y");
        assert_eq!(body("</x><a></a >"), "<a></a>");
    }

    #[test]
    fn tags_in_a_text_of_rss_are_text() {
        let wanted = "<title>a &lt;b id=\"1\"&gt;x&lt;/b&gt; c</title>";
        assert_eq!(body("<title>a <b id=1>x</b> c</title>"), wanted);
        assert_eq!(body("<title>a <b id=1>x c</title>"), "<title>a &lt;b id=\"1\"&gt;x c&lt;/b&gt;</title>");
    }

    #[test]
    fn entries_without_a_channel_get_one() {
        assert!(repair("<rss><item/></rss>", 10).xml.ends_with("<channel><item></item></channel></rss>"));
    }

    #[test]
    fn what_breaks_off_ends_before_the_entry_it_broke_off_in() {
        let text = "<rss><channel><item><title>1</title></item><item><title>2</ti";
        let repaired = repair(text, 10);
        assert!(repaired.xml.ends_with("<item><title>1</title></item></channel></rss>"), "{}", repaired.xml);
        assert!(repaired.damage.is_some());
    }

    #[test]
    fn no_more_entries_are_taken_than_may_be() {
        let text = format!("<rss><channel>{}</channel></rss>", "<item/>".repeat(100));
        assert_eq!(repair(&text, 3).xml.matches("<item>").count(), 3);
    }

    #[test]
    fn depth_is_bounded() {
        let text = format!("<rss>{}x{}</rss>", "<a>".repeat(100_000), "</a>".repeat(100_000));
        let repaired = repair(&text, 10);
        assert!(repaired.xml.matches("<a>").count() < DEPTH_MAX);
        assert!(repaired.xml.ends_with("</a></rss>"));
    }

    #[test]
    fn entities_of_a_document_type_are_not_taken() {
        let text = "<!DOCTYPE rss [<!ENTITY a \"boom\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]>\
            <rss><channel><title>&a;&x;</title></channel></rss>";
        assert!(repair(text, 10).xml.contains("<title>&amp;a;&amp;x;</title>"));
    }

    #[test]
    fn what_an_entry_of_rdf_is_about_is_its_link_where_it_has_no_other() {
        let text = "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
            <item rdf:about=\"a&amp;b\"><title>1</title></item><item rdf:about=\"c\"><link>d</link></item></rdf:RDF>";
        let xml = repair(text, 10).xml;
        assert!(xml.contains("<title>1</title><link>a&amp;b</link></item>"), "{xml}");
        assert!(xml.contains("\"c\"><link>d</link></item>"), "{xml}");
    }

    #[test]
    fn hours_to_skip_are_noted() {
        let text = "<rss><channel><skipHours><hour>0</hour><hour> 23 </hour><hour>x</hour></skipHours></channel></rss>";
        assert_eq!(repair(text, 10).skip_hours, [0, 23]);
    }
}
