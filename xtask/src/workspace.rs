//! Where the workspace is and what Cargo knows of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{Metadata, MetadataCommand};

use crate::process;

/// The folder of the workspace's manifest.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The workspace's own packages, without what they depend on.
pub(crate) fn metadata() -> Result<Metadata> {
    MetadataCommand::new().no_deps().exec().context("cannot read the workspace's packages")
}

/// The files that git tracks or would track, from the root.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    // A checkout may belong to another user, as it does in some containers; listing its files is harmless.
    git.args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let text = process::output(&mut git).context("the files are those of a git checkout")?;
    let files: Vec<_> =
        text.split_terminator('\0').map(PathBuf::from).filter(|file| file.is_file()).collect();
    ensure!(!files.is_empty(), "git lists no files");
    Ok(files)
}

/// Where the set-up unpacks tools: in Cargo's target folder, which a developer may have moved. Tests find it beside
/// `CARGO_TARGET_TMPDIR`.
pub(crate) fn tools() -> Result<PathBuf> {
    let tools = metadata()?.target_directory.into_std_path_buf().join("tools");
    // Shorter to read where it is in its usual place.
    Ok(tools.strip_prefix(root()).map(Path::to_path_buf).unwrap_or(tools))
}
