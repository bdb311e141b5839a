//! Whether what the Markdown texts refer to is there: files, headings, and paths named in inline code.
//!
//! Links to the web are not followed, since a check must not depend on other people's servers. A link that
//! leaves the repository is wrong even where it works on one machine.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::markdown::{Document, Reference};
use super::{Finding, Report};
use crate::workspace;

/// Tells of the past, so it may name what is gone.
const CHANGELOG: &str = "CHANGELOG.md";

/// The files of the repository and the parsed texts among them.
struct Texts {
    /// Every file and every folder that holds one.
    paths: BTreeSet<PathBuf>,
    documents: HashMap<PathBuf, Document>,
}

/// Checks every Markdown file that git tracks or would track.
pub(crate) fn check() -> Result<Report> {
    let texts = Texts::read(Path::new("."), &workspace::files()?)?;
    let links: usize = texts.documents.values().map(|document| document.links.len()).sum();
    let looked_at = format!("{} Markdown files, {links} links", texts.documents.len());
    Ok(Report { looked_at, findings: texts.findings() })
}

impl Texts {
    fn read(root: &Path, files: &[PathBuf]) -> Result<Texts> {
        let mut documents = HashMap::new();
        for file in files.iter().filter(|file| is_markdown(file)) {
            let text = fs::read_to_string(root.join(file));
            let text = text.with_context(|| format!("cannot read {}", file.display()))?;
            documents.insert(file.clone(), Document::parse(&text));
        }
        let paths = files.iter().flat_map(|file| file.ancestors()).map(Path::to_path_buf).collect();
        Ok(Texts { paths, documents })
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<_> =
            self.documents.iter().flat_map(|(file, document)| self.findings_in(file, document)).collect();
        findings.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        findings
    }

    fn findings_in(&self, file: &Path, document: &Document) -> Vec<Finding> {
        let at =
            |reference: &Reference, message| Finding { file: file.into(), line: reference.line, message };
        let mut findings = Vec::new();
        for link in &document.links {
            findings.extend(self.judge_link(file, &link.to).map(|message| at(link, message)));
        }
        for label in &document.undefined {
            let message = format!("[{}] is not defined: add `[{}]: target`", label.to, label.to);
            findings.push(at(label, message));
        }
        if file != Path::new(CHANGELOG) {
            for code in &document.code {
                findings.extend(self.judge_path(&code.to).map(|message| at(code, message)));
            }
        }
        findings
    }

    /// What is wrong with a link in a file, if anything.
    fn judge_link(&self, file: &Path, link: &str) -> Option<String> {
        if is_elsewhere(link) {
            return None;
        }
        let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
        let target = if path.is_empty() { Some(file.to_path_buf()) } else { resolve(file, path) };
        let Some(target) = target else {
            return Some(format!("the link `{link}` leaves the repository: say it here, or link to the web"));
        };
        if !self.paths.contains(&target) {
            return Some(format!("the link `{link}` leads to no file: {} is not there", target.display()));
        }
        let document = self.documents.get(&target)?;
        let anchor = anchor.filter(|anchor| !document.anchors.contains(*anchor))?;
        Some(format!("the link `{link}` leads to no heading: {} has no `#{anchor}`", target.display()))
    }

    /// Inline code that begins with a top-level folder of the repository is a path, and must be there.
    fn judge_path(&self, code: &str) -> Option<String> {
        let (first, rest) = code.split_once('/')?;
        let is_plain = code.chars().all(|letter| letter.is_alphanumeric() || "/._-".contains(letter));
        let is_ours = !first.is_empty() && self.paths.contains(Path::new(first));
        if !is_plain
            || !is_ours
            || rest.is_empty()
            || self.paths.contains(Path::new(code.trim_end_matches('/')))
        {
            return None;
        }
        Some(format!("`{code}` is named here but is not there: correct the path"))
    }
}

/// A link to the web, or to an item (`crate::Scope`, `fn@tree`) in a text that rustdoc includes and checks.
fn is_elsewhere(link: &str) -> bool {
    link.contains("://") || link.contains("::") || link.contains('@')
}

fn is_markdown(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "md")
}

/// The path a link means, from the repository's root; none where it climbs out of it.
fn resolve(file: &Path, link: &str) -> Option<PathBuf> {
    let mut path = file.parent()?.to_path_buf();
    for component in Path::new(link).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => path.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings in a repository whose file `docs/guide.md` has the given text.
    fn findings(text: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        let files = [
            ("README.md", "# Start here\n"),
            ("docs/guide.md", text),
            ("docs/other.md", "# One\n\n## Two words\n"),
            ("crates/ballet/src/lib.rs", ""),
        ];
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let names: Vec<_> = files.iter().map(|(name, _)| PathBuf::from(name)).collect();
        let texts = Texts::read(root.path(), &names).unwrap();
        texts.findings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn good_links_pass() {
        let text = "# Guide\n[a](other.md#two-words) [b](../README.md#start-here) [c](#guide) \
                    [d](../crates/ballet/) [e](https://example.org/x#y) [f](crate::Scope) [g](fn@tree) `crates/ballet/src/lib.rs`";
        assert!(findings(text).is_empty(), "{:?}", findings(text));
    }

    #[test]
    fn a_link_to_a_missing_file_is_found_with_its_place() {
        let expected = "docs/guide.md:2: the link `gone.md` leads to no file: docs/gone.md is not there";
        assert_eq!(findings("# Guide\n[a](gone.md)\n"), [expected]);
    }

    #[test]
    fn a_link_to_a_missing_heading_is_found() {
        let expected =
            "docs/guide.md:1: the link `other.md#three` leads to no heading: docs/other.md has no `#three`";
        assert_eq!(findings("[a](other.md#three)"), [expected]);
        assert_eq!(findings("[a](#nowhere)").len(), 1);
    }

    #[test]
    fn a_link_out_of_the_repository_is_found() {
        assert!(findings("[a](../../elsewhere.md)")[0].contains("leaves the repository"));
        assert!(findings("[a](/etc/hosts)")[0].contains("leaves the repository"));
    }

    #[test]
    fn an_undefined_reference_is_found() {
        assert!(findings("[a][nowhere]")[0].contains("[nowhere] is not defined"));
    }

    #[test]
    fn a_path_in_inline_code_that_is_not_there_is_found() {
        assert!(findings("see `crates/ballet/src/gone.rs`")[0].contains("is named here but is not there"));
        assert!(findings("see `herald-data/herald.db`, `crates/*`, `a/b`").is_empty());
    }
}
