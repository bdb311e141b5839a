//! OPML in and out: the form in which readers exchange lists of feeds.
//!
//! Of a file that comes in, every outline with an `xmlUrl` counts, however deep it stands, in whatever encoding. What goes out
//! is OPML 2.0.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use quick_xml::{
    Reader, Writer, XmlVersion,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use crate::{charset, config::Config};

/// No list of feeds is larger.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The path that means it.
const STANDARD_INPUT: &str = "-";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", name_of(path))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is no OPML: {why}; export the feeds of your reader as OPML", name_of(path))]
    NotOpml { path: PathBuf, why: String },
    #[error("OPML cannot be written: {0}")]
    Unwritable(#[from] io::Error),
}

/// A feed in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) title: String,
    pub(super) url: String,
}

pub(super) fn read(path: &Path) -> Result<Vec<Outline>, Error> {
    let mut bytes = Vec::new();
    let read = if path == Path::new(STANDARD_INPUT) {
        io::stdin().take(BYTES_MAX).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes))
    };
    read.map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    parse(&charset::decode(&bytes, None)).map_err(|why| Error::NotOpml { path: path.to_owned(), why })
}

fn name_of(path: &Path) -> String {
    if path == Path::new(STANDARD_INPUT) { "standard input".to_owned() } else { path.display().to_string() }
}

fn parse(text: &str) -> Result<Vec<Outline>, String> {
    let mut reader = Reader::from_str(text);
    let (mut outlines, mut is_opml) = (Vec::new(), false);
    loop {
        match reader.read_event().map_err(|error| format!("at byte {}: {error}", reader.error_position()))? {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) => {
                is_opml |= tag.name().as_ref() == "opml";
                if tag.name().as_ref() == "outline" {
                    outlines.extend(outline(&tag)?);
                }
            }
            _ => {}
        }
    }
    if is_opml { Ok(outlines) } else { Err("it has no <opml>".to_owned()) }
}

/// None for a folder.
fn outline(tag: &BytesStart<'_>) -> Result<Option<Outline>, String> {
    let (mut title, mut url) = (None, None);
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let slot = match attribute.key.as_ref() {
            "xmlUrl" => &mut url,
            "text" | "title" => &mut title,
            _ => continue,
        };
        let text = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        *slot = Some(text.trim().to_owned());
    }
    Ok(url
        .filter(|url| !url.is_empty())
        .map(|url| Outline { title: title.unwrap_or_else(|| url.clone()), url }))
}

pub(super) fn write(config: &Config) -> Result<String, Error> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.write_event(Event::Start(BytesStart::new("opml").with_attributes([("version", "2.0")])))?;
    writer.create_element("head").write_inner_content(|writer| {
        writer.create_element("title").write_text_content(BytesText::new("Tributary's sources"))?;
        Ok(())
    })?;
    writer.write_event(Event::Start(BytesStart::new("body")))?;
    for source in config.sources.values() {
        let address = source.visit.address().as_str();
        let attributes = [("type", "rss"), ("text", source.name.as_str()), ("xmlUrl", address)];
        writer.create_element("outline").with_attributes(attributes).write_empty()?;
    }
    writer.write_event(Event::End(BytesEnd::new("body")))?;
    writer.write_event(Event::End(BytesEnd::new("opml")))?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_found_in_folders_and_folders_are_none() {
        let text = r#"<?xml version="1.0"?><opml version="1.0"><body><outline text="Rust">
            <outline text="Blog &amp; News" xmlUrl="https://example.org/feed?a=1&amp;b=2"/>
            <outline xmlUrl="https://example.com/"/><outline text="empty" xmlUrl=""/></outline></body></opml>"#;
        let outlines = parse(text).unwrap();
        assert_eq!(outlines.len(), 2);
        assert_eq!(outlines[0].title, "Blog & News");
        assert_eq!(outlines[0].url, "https://example.org/feed?a=1&b=2");
        assert_eq!(outlines[1].title, "https://example.com/");
    }

    #[test]
    fn a_list_is_read_in_the_encoding_that_it_declares() {
        let list = |encoding: &str| {
            format!(
                "<?xml version=\"1.0\" encoding=\"{encoding}\"?><opml><outline text=\"Größe\" xmlUrl=\"https://a.example/\"/></opml>"
            )
        };
        let latin =
            list("ISO-8859-1").chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
        let marked = format!("\u{feff}{}", list("UTF-16"));
        let sixteen = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [list("UTF-8").into_bytes(), latin, sixteen] {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(&file, &bytes).unwrap();
            assert_eq!(read(file.path()).unwrap()[0].title, "Größe");
        }
    }

    #[test]
    fn what_is_no_opml_is_refused() {
        assert!(parse("<html><body/></html>").unwrap_err().contains("no <opml>"));
        assert!(parse("<opml><a></b></opml>").is_err());
        assert!(parse("").is_err());
    }
}
