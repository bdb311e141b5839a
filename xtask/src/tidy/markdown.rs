//! Reads from a Markdown text what can be checked: its links, its anchors, the paths it names.
//!
//! Anchors follow GitHub's rules, since that is where the texts are read. HTML inside Markdown counts as far as
//! `href`, `src` and `id` go.

use std::collections::{HashMap, HashSet};

use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

/// What a text refers to and what can be referred to in it.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The targets of links and images, as written.
    pub(crate) links: Vec<Reference>,
    /// References of the form `[text][label]` without a definition.
    pub(crate) undefined: Vec<Reference>,
    /// Inline code, which may name a path.
    pub(crate) code: Vec<Reference>,
    pub(crate) anchors: HashSet<String>,
}

/// Something referred to, and the line on which it stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) to: String,
    pub(crate) line: usize,
}

impl Document {
    pub(crate) fn parse(text: &str) -> Document {
        let mut document = Document::default();
        let mut undefined = Vec::new();
        let mut report = |broken: BrokenLink<'_>| {
            // A lone `[word]` is more often a word in brackets than a link.
            if matches!(broken.link_type, LinkType::Reference | LinkType::Collapsed) {
                undefined.push((broken.reference.to_string(), broken.span.start));
            }
            None::<(CowStr<'_>, CowStr<'_>)>
        };
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_TASKLISTS;
        let mut slugs = Slugs::default();
        let mut heading: Option<String> = None;
        let parser = Parser::new_with_broken_link_callback(text, options, Some(&mut report));
        for (event, range) in parser.into_offset_iter() {
            let line = line_at(text, range.start);
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(Reference { to: dest_url.to_string(), line });
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    document.anchors.extend(heading.take().map(|words| slugs.next(&words)));
                }
                Event::Text(words) => heading.iter_mut().for_each(|heading| heading.push_str(&words)),
                Event::Code(words) => {
                    heading.iter_mut().for_each(|heading| heading.push_str(&words));
                    document.code.push(Reference { to: words.to_string(), line });
                }
                Event::Html(html) | Event::InlineHtml(html) => document.read_html(&html, line),
                _ => {}
            }
        }
        let undefined = undefined.into_iter();
        document.undefined = undefined.map(|(to, at)| Reference { to, line: line_at(text, at) }).collect();
        document
    }

    fn read_html(&mut self, html: &str, line: usize) {
        for name in ["href", "src"] {
            self.links.extend(values(html, name).map(|to| Reference { to: to.to_owned(), line }));
        }
        self.anchors.extend(values(html, "id").map(str::to_owned));
    }
}

/// The quoted values of an HTML attribute.
fn values<'html>(html: &'html str, name: &str) -> impl Iterator<Item = &'html str> {
    let start = format!(" {name}=\"");
    let pieces: Vec<_> = html.split(start.as_str()).skip(1).collect();
    pieces.into_iter().filter_map(|piece| piece.split('"').next())
}

fn line_at(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// GitHub's anchors of headings; the second of a name gets `-1`.
#[derive(Default)]
struct Slugs {
    seen: HashMap<String, usize>,
}

impl Slugs {
    fn next(&mut self, heading: &str) -> String {
        let kept =
            heading.trim().chars().filter(|&letter| letter.is_alphanumeric() || " -_".contains(letter));
        let slug: String = kept
            .flat_map(char::to_lowercase)
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect();
        let count = self.seen.entry(slug.clone()).or_default();
        *count += 1;
        if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_images_and_html_are_found_with_their_lines() {
        let text = "# A\n\n[one](a.md#x) and ![two](b.png)\n\n[three][label]\n\n[label]: c.md\n\n<img src=\"d.png\">\n";
        let links = Document::parse(text).links;
        let found: Vec<_> = links.iter().map(|link| (link.to.as_str(), link.line)).collect();
        assert_eq!(found, [("a.md#x", 3), ("b.png", 3), ("c.md", 5), ("d.png", 9)]);
    }

    #[test]
    fn code_blocks_are_not_read() {
        let document = Document::parse("```\n[one](a.md)\n```\n");
        assert!(document.links.is_empty() && document.code.is_empty());
    }

    #[test]
    fn a_reference_without_a_definition_is_found_and_a_word_in_brackets_is_not() {
        let undefined = Document::parse("a [word]\n\n[text][nowhere]\n").undefined;
        assert_eq!(undefined, [Reference { to: "nowhere".into(), line: 3 }]);
    }

    #[test]
    fn anchors_are_githubs() {
        let text = "# What is *not* here?\n## `scope` & Job_s\n## Twice\n## Twice\n<a id=\"own\"></a>\n";
        let anchors = Document::parse(text).anchors;
        for expected in ["what-is-not-here", "scope--job_s", "twice", "twice-1", "own"] {
            assert!(anchors.contains(expected), "{expected} in {anchors:?}");
        }
    }
}
