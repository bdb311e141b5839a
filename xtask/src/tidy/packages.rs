//! Which packages of the workspace may depend on which.
//!
//! Apps and examples stand on the console, the console on ballet. The automation imports no product, so that it
//! builds while the product does not; benchmarks may import what they measure.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::Metadata;

use super::{Finding, Report};

/// A package, or every package of a folder where the place ends in a slash.
struct Layer {
    place: &'static str,
    /// The packages of the workspace it may depend on, in any kind of dependency.
    may_use: &'static [&'static str],
}

const LAYERS: [Layer; 10] = [
    // For the examples in its documentation only: Cargo itself refuses the circle otherwise.
    Layer { place: "crates/ballet-macros", may_use: &["ballet"] },
    // Ballet's own tests want its `testing` feature.
    Layer { place: "crates/ballet", may_use: &["ballet-macros", "ballet"] },
    Layer { place: "crates/ballet-http", may_use: &["ballet"] },
    Layer { place: "crates/ballet-console", may_use: &["ballet"] },
    Layer { place: "crates/cargo-ballet", may_use: &[] },
    Layer { place: "crates/ledger", may_use: &[] },
    Layer { place: "apps/", may_use: &["ballet", "ballet-http", "ballet-console", "ledger"] },
    Layer { place: "examples/", may_use: &["ballet", "ballet-http", "ballet-console"] },
    Layer {
        place: "benches/",
        may_use: &[
            "bench-report",
            "bench-versus",
            "ballet",
            "ballet-console",
            "herald",
            "artnest",
            "tributary",
        ],
    },
    Layer { place: "xtask", may_use: &["bench-report"] },
];

/// One dependency of one package of the workspace on another.
struct Use {
    /// The folder of the package, below the workspace.
    place: String,
    package: String,
    on: String,
}

/// Checks every dependency between packages of the workspace.
pub(crate) fn check(metadata: &Metadata) -> Result<Report> {
    let uses = uses(metadata);
    let mut findings = Vec::new();
    for used in &uses {
        let Some(message) = judge(used) else { continue };
        let file = Path::new(&used.place).join("Cargo.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        findings.push(Finding { line: line_of(&text, &used.on), file, message });
    }
    let looked_at = format!("{} packages, {} dependencies among them", metadata.packages.len(), uses.len());
    Ok(Report { looked_at, findings })
}

fn uses(metadata: &Metadata) -> Vec<Use> {
    let mut uses = Vec::new();
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().unwrap_or(&package.manifest_path);
        let place = folder.strip_prefix(&metadata.workspace_root).unwrap_or(folder).to_string();
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let package = package.name.to_string();
            uses.push(Use { place: place.clone(), package, on: dependency.name.clone() });
        }
    }
    uses
}

fn judge(used: &Use) -> Option<String> {
    let Use { place, package, on } = used;
    let Some(layer) = LAYERS.iter().find(|layer| layer.holds(place)) else {
        return Some(format!(
            "`{package}` stands in no layer: give {place} a row in xtask/src/tidy/packages.rs"
        ));
    };
    if layer.may_use.contains(&on.as_str()) {
        return None;
    }
    let allowed = if layer.may_use.is_empty() { "none".to_owned() } else { layer.may_use.join(", ") };
    Some(format!(
        "`{package}` may not depend on `{on}` (of this workspace it may use: {allowed}). Arrows point one way: \
         apps and examples → console → ballet; move the shared part down"
    ))
}

impl Layer {
    fn holds(&self, place: &str) -> bool {
        if self.place.ends_with('/') { place.starts_with(self.place) } else { place == self.place }
    }
}

/// The line of a manifest on which a dependency stands; the first line where it has none of its own.
fn line_of(manifest: &str, dependency: &str) -> usize {
    let stands = |line: &str| {
        let rest = line.strip_prefix(dependency);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(stands).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(place: &str, package: &str, on: &str) -> Option<String> {
        judge(&Use { place: place.into(), package: package.into(), on: on.into() })
    }

    #[test]
    fn arrows_of_the_design_pass() {
        assert_eq!(verdict("apps/herald", "herald", "ballet"), None);
        assert_eq!(verdict("crates/ballet", "ballet", "ballet-macros"), None);
        assert_eq!(verdict("benches/herald", "bench-herald", "herald"), None);
        assert_eq!(verdict("xtask", "xtask", "bench-report"), None);
    }

    #[test]
    fn the_automation_imports_no_product() {
        for product in ["ballet", "ballet-macros", "herald"] {
            let message = verdict("xtask", "xtask", product).unwrap();
            assert!(message.contains(&format!("`xtask` may not depend on `{product}`")), "{message}");
        }
    }

    #[test]
    fn arrows_upwards_and_between_apps_are_found() {
        assert!(verdict("crates/ballet", "ballet", "herald").is_some());
        assert!(verdict("crates/ballet", "ballet", "ballet-console").is_some());
        assert!(verdict("apps/herald", "herald", "artnest").is_some());
        assert!(verdict("apps/herald", "herald", "ballet-macros").is_some());
    }

    #[test]
    fn a_package_without_a_layer_is_found() {
        assert!(verdict("tools/new", "new", "ballet").unwrap().contains("stands in no layer"));
    }

    #[test]
    fn the_line_of_a_dependency_is_named() {
        let manifest = "[dependencies]\nballet-macros.workspace = true\nballet = { path = \"..\" }\n";
        assert_eq!(line_of(manifest, "ballet"), 3);
        assert_eq!(line_of(manifest, "ballet-macros"), 2);
        assert_eq!(line_of(manifest, "herald"), 1);
    }
}
