//! A look at HTML before it becomes a tree.
//!
//! Formatting elements that are left open are opened again in every paragraph (HTML standard, "reconstruct the active
//! formatting elements"): n of them and m paragraphs become n × m elements. And each new paragraph looks through all that
//! is open. Real posts are flat and short beside these bounds, under which a tree stays below 300 000 nodes, whatever is
//! sent.

use html5ever::tokenizer::{Tag, TagKind};

use super::tokens::{Reader, read};

const TAGS_MAX: usize = 16_384;
/// More start tags than end tags, at any point.
const OPEN_MAX: usize = 128;
/// The same of formatting elements.
const FORMATTING_MAX: usize = 16;

/// What the standard calls formatting elements.
const FORMATTING: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
/// Elements that have no end tag.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];
/// Elements whose end tags are usually left out, and which close each other.
const IMPLIED: [&str; 9] = ["p", "li", "dt", "dd", "tr", "td", "th", "option", "tbody"];

/// Whether the tree stays in proportion to the text.
pub(super) fn is_harmless(html: &str) -> bool {
    let shape = read(html, Shape::default());
    shape.tags <= TAGS_MAX && shape.open.most <= OPEN_MAX && shape.formatting.most <= FORMATTING_MAX
}

#[derive(Default)]
struct Shape {
    tags: usize,
    open: Depth,
    formatting: Depth,
}

/// How many are open, and how many were at most.
#[derive(Default)]
struct Depth {
    now: usize,
    most: usize,
}

impl Depth {
    fn count(&mut self, kind: TagKind) {
        match kind {
            TagKind::StartTag => self.now += 1,
            TagKind::EndTag => self.now = self.now.saturating_sub(1),
        }
        self.most = self.most.max(self.now);
    }
}

impl Reader for Shape {
    fn tag(&mut self, tag: &Tag) {
        self.tags += 1;
        let name = &*tag.name;
        if FORMATTING.contains(&name) {
            self.formatting.count(tag.kind);
        }
        if !VOID.contains(&name) && !IMPLIED.contains(&name) {
            self.open.count(tag.kind);
        }
    }
}
