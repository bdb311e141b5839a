//! Reads which top-level module of a crate uses which, from its source.
//!
//! It follows the `mod` items from the crate's root, so that it sees what the compiler sees, and takes `use`
//! trees, paths in any position and the tokens inside macros. What is only compiled for unit tests is left out.
//! It decides nothing: `arrows.rs` does.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// One place where a module names something of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The top-level module in which the name stands.
    pub(crate) from: String,
    /// The first name below the crate's root: a module, or an item of the root.
    pub(crate) to: String,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

/// Reads a crate from its root file. Code in the root itself is the facade, and may name anything.
pub(crate) fn read(root: &Path, crate_name: &str) -> Result<Vec<Edge>> {
    let folder = root.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut pending = vec![Source { file: root.to_path_buf(), folder, module: Vec::new() }];
    let mut edges = Vec::new();
    while let Some(source) = pending.pop() {
        let file = source.file.clone();
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let syntax = syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
        let mut reader = Reader { source, crate_name, edges: Vec::new(), children: Vec::new() };
        reader.visit_file(&syntax);
        edges.append(&mut reader.edges);
        pending.append(&mut reader.children);
    }
    edges.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    Ok(edges)
}

/// A file, and where it stands in the tree of modules.
struct Source {
    file: PathBuf,
    /// Where the files of its child modules are.
    folder: PathBuf,
    module: Vec<String>,
}

impl Source {
    /// The file of a child module, by the compiler's two conventions.
    fn child(&self, name: &str) -> Source {
        let folder = self.folder.join(name);
        let flat = self.folder.join(format!("{name}.rs"));
        let file = if flat.is_file() { flat } else { folder.join("mod.rs") };
        let mut module = self.module.clone();
        module.push(name.to_owned());
        Source { file, folder, module }
    }
}

struct Reader<'crate_name> {
    source: Source,
    crate_name: &'crate_name str,
    edges: Vec<Edge>,
    children: Vec<Source>,
}

impl Reader<'_> {
    /// Records a path, given its segments, if it leads to another top-level module.
    fn record(&mut self, segments: &[String], span: Span) {
        let Some(from) = self.source.module.first() else { return };
        let Some(to) = self.resolve(segments).filter(|to| to != from) else { return };
        let line = span.start().line;
        self.edges.push(Edge { from: from.clone(), to, file: self.source.file.clone(), line });
    }

    /// The first name below the root that a path leads to; none for paths that stay outside the crate.
    fn resolve(&self, segments: &[String]) -> Option<String> {
        let mut here = self.source.module.clone();
        let mut rest = segments.iter().peekable();
        match rest.peek()?.as_str() {
            "self" | "super" => {}
            first if first == "crate" || first == self.crate_name => {
                here.clear();
                rest.next();
            }
            _ => return None,
        }
        while let Some(step) = rest.next_if(|step| matches!(step.as_str(), "self" | "super")) {
            if step == "super" {
                here.pop();
            }
        }
        here.first().or(rest.next()).cloned()
    }

    fn record_use(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |ident: &Ident| [prefix, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.record_use(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.record_use(prefix, tree)),
            UseTree::Name(name) => self.record(&with(&name.ident), name.ident.span()),
            UseTree::Rename(rename) => self.record_renamed(&with(&rename.ident), rename.ident.span()),
            UseTree::Glob(glob) => {
                let everything = [prefix, &["*".to_owned()]].concat();
                self.record(&everything, glob.star_token.spans[0]);
            }
        }
    }

    /// `use crate as other` would let every later path pass unseen, so it counts as a use of the root.
    fn record_renamed(&mut self, segments: &[String], span: Span) {
        let names_root = self.resolve(segments).is_none() && self.is_root(segments);
        let segments = if names_root { vec!["crate".to_owned(), "*".to_owned()] } else { segments.to_vec() };
        self.record(&segments, span);
    }

    fn is_root(&self, segments: &[String]) -> bool {
        let first = segments.first().map(String::as_str);
        matches!(first, Some("crate" | "super" | "self")) || first == Some(self.crate_name)
    }

    /// Macros hide their paths in tokens: every `crate::name` there counts.
    fn record_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (index, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.record_tokens(group.stream()),
                TokenTree::Ident(ident) if ident == "crate" => {
                    if let Some(name) = name_after(&tokens[index + 1..]) {
                        self.record(&["crate".to_owned(), name], ident.span());
                    }
                }
                _ => {}
            }
        }
    }
}

/// The identifier after `::`.
fn name_after(tokens: &[TokenTree]) -> Option<String> {
    match tokens {
        [TokenTree::Punct(first), TokenTree::Punct(second), TokenTree::Ident(name), ..]
            if first.as_char() == ':' && second.as_char() == ':' =>
        {
            Some(name.to_string())
        }
        _ => None,
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests_only(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let child = self.source.child(&item.ident.to_string());
        if item.content.is_none() {
            self.children.push(child);
            return;
        }
        // The content stands in this file; only its place in the tree is the child's.
        let file = self.source.file.clone();
        let outer = std::mem::replace(&mut self.source, Source { file, ..child });
        visit::visit_item_mod(self, item);
        self.source = outer;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.record_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(first) = path.segments.first() {
            self.record(&segments, first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.record_tokens(mac.tokens.clone());
        visit::visit_macro(self, mac);
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.record_tokens(list.tokens.clone());
        visit::visit_meta_list(self, list);
    }
}

/// The attributes of the items that unit tests are made of.
fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]`, alone or among `all(…)`.
fn is_for_tests_only(attributes: &[Attribute]) -> bool {
    let mut conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions.any(|cfg| cfg.parse_args::<syn::Meta>().is_ok_and(|condition| requires_test(&condition)))
}

fn requires_test(condition: &syn::Meta) -> bool {
    match condition {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => {
            let parser = syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
            list.parse_args_with(parser).is_ok_and(|parts| parts.iter().any(requires_test))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a crate of the given files and reads its edges as `from → to, file:line`.
    fn edges(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let edges = read(&folder.path().join("lib.rs"), "ballet").unwrap();
        let place = |edge: &Edge| edge.file.strip_prefix(folder.path()).unwrap().display().to_string();
        edges
            .iter()
            .map(|edge| format!("{} → {}, {}:{}", edge.from, edge.to, place(edge), edge.line))
            .collect()
    }

    fn edges_of_job(text: &str) -> Vec<String> {
        edges(&[("lib.rs", "mod job;"), ("job.rs", text)])
    }

    #[test]
    fn use_trees_are_taken_apart() {
        let found =
            edges_of_job("use crate::{scope::{Scope, Handle as H},\n  context::*, job::Own};\nuse std::fmt;");
        let expected = ["job → scope, job.rs:1", "job → scope, job.rs:1", "job → context, job.rs:2"];
        assert_eq!(found, expected);
    }

    #[test]
    fn paths_in_types_expressions_patterns_and_bounds_count() {
        let text = "fn f(x: crate::a::T) -> impl crate::b::U {\n crate::c::g::<crate::d::V>();\n \
                    match x { crate::e::W => ballet::f::h() }\n}";
        let found = edges_of_job(text);
        let to: Vec<_> = found.iter().map(|edge| &edge[..9]).collect();
        assert_eq!(to.len(), 6, "{found:?}");
        for (name, line) in [("a", 1), ("b", 1), ("c", 2), ("d", 2), ("e", 3), ("f", 3)] {
            assert!(found.contains(&format!("job → {name}, job.rs:{line}")), "{name} in {found:?}");
        }
    }

    #[test]
    fn paths_inside_macros_and_attributes_count() {
        let text = "macro_rules! m { () => { $crate::a::f() } }\nfn f() { println!(\"{}\", (crate::b::g())); }\n\
                    #[derive(crate::c::D)]\nstruct S;";
        assert_eq!(edges_of_job(text), ["job → a, job.rs:1", "job → b, job.rs:2", "job → c, job.rs:3"]);
    }

    #[test]
    fn super_climbs_out_of_nested_modules_and_files() {
        let files = [
            ("lib.rs", "mod job;"),
            ("job.rs", "mod inner; use super::scope::A;"),
            (
                "job/inner.rs",
                "use super::Own; use super::super::flow::B; mod deep { use super::super::super::c::C; }",
            ),
        ];
        let found = edges(&files);
        let expected = ["job → flow, job/inner.rs:1", "job → c, job/inner.rs:1", "job → scope, job.rs:1"];
        assert_eq!(found, expected);
    }

    #[test]
    fn mod_rs_files_and_inline_modules_are_followed() {
        let files =
            [("lib.rs", "mod job; mod scope { use crate::job::J; }"), ("job/mod.rs", "use crate::scope::S;")];
        assert_eq!(edges(&files), ["job → scope, job/mod.rs:1", "scope → job, lib.rs:1"]);
    }

    #[test]
    fn hiding_the_root_behind_a_glob_or_another_name_counts() {
        let found = edges_of_job("use crate::*;\nuse crate as hidden;\nuse super::{self as root};");
        assert_eq!(found, ["job → *, job.rs:1", "job → *, job.rs:2", "job → *, job.rs:3"]);
    }

    #[test]
    fn unit_tests_are_left_out_and_other_conditions_are_not() {
        let text = "#[cfg(test)]\nmod tests { use crate::testing::T; }\n\
                    #[cfg(all(test, not(loom)))]\nuse crate::a::A;\n\
                    #[cfg(feature = \"testing\")]\nuse crate::b::B;\n\
                    impl X { #[cfg(test)] fn f() { crate::c::g() } }";
        assert_eq!(edges_of_job(text), ["job → b, job.rs:6"]);
    }

    #[test]
    fn the_root_is_a_facade() {
        assert!(
            edges(&[("lib.rs", "mod job { } pub use crate::job::Job; fn f() { crate::job::g() }")])
                .is_empty()
        );
    }
}
