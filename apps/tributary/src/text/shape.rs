//! A look at HTML before it becomes a tree.
//!
//! Formatting elements that are left open are opened again in every paragraph (HTML standard, "reconstruct the active
//! formatting elements"): n of them and m paragraphs become n × m elements. Real posts are flat and short beside these
//! bounds, so the tree stays under a million nodes, whatever is sent.

use html5ever::tokenizer::{Tag, TagKind};

use super::tokens::{Reader, read};

const TAGS_MAX: usize = 16_384;
/// More start tags than end tags, at any point.
const OPEN_MAX: usize = 64;

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
    shape.tags <= TAGS_MAX && shape.deepest <= OPEN_MAX
}

#[derive(Default)]
struct Shape {
    tags: usize,
    open: usize,
    deepest: usize,
}

impl Reader for Shape {
    fn tag(&mut self, tag: &Tag) {
        self.tags += 1;
        let name = &*tag.name;
        if VOID.contains(&name) || IMPLIED.contains(&name) {
            return;
        }
        match tag.kind {
            TagKind::StartTag => self.open += 1,
            TagKind::EndTag => self.open = self.open.saturating_sub(1),
        }
        self.deepest = self.deepest.max(self.open);
    }
}
