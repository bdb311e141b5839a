//! The file that takes another one's name, so that nobody ever reads half of one.
//!
//! It stands beside the other and is locked: whoever edits the same file waits until this one has taken the name, or is given
//! up. A link stays a link, and who may read the old file may read the new one, from its first byte on.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::files;

/// Who may read a file that nobody restricts; the process's mask takes from it.
const MODE: u32 = 0o666;

/// Removed when it is dropped, unless it has taken the name.
#[derive(Debug)]
pub(super) struct Replacement {
    /// Whose name it takes: what a link leads to.
    old: PathBuf,
    /// Where it stands until then.
    path: PathBuf,
    file: File,
    has_the_name: bool,
}

impl Replacement {
    /// Waits for whoever else replaces the same file. What is read of the old one from here on is still so when it is replaced.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let old = led_to(path);
        let mut beside = old.clone().into_os_string();
        beside.push(".new");
        let path = PathBuf::from(beside);
        let mode = fs::metadata(&old).map_or(MODE, |about| about.permissions().mode());
        let file = lock(&path, mode)?;
        Ok(Self { old, path, file, has_the_name: false })
    }

    /// Makes it durable, and gives it the name.
    pub(super) fn take_over(mut self, text: &str) -> io::Result<()> {
        if let Ok(about) = fs::metadata(&self.old) {
            self.file.set_permissions(about.permissions())?;
        }
        // One that a crash left behind may be longer.
        self.file.set_len(0)?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        fs::rename(&self.path, &self.old)?;
        self.has_the_name = true;
        files::sync_name(&self.old)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.has_the_name {
            // Left behind, it is in nobody's way.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where the path ends, if it is a link, also one that leads to nothing yet.
fn led_to(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    let next = || fs::read_link(path).map_or_else(|_| path.to_owned(), |target| folder.join(target));
    path.canonicalize().unwrap_or_else(|_| next())
}

/// The locked file of that name. Whoever had the lock before has renamed or removed it.
fn lock(path: &Path, mode: u32) -> io::Result<File> {
    loop {
        let file = File::options().create(true).truncate(false).write(true).mode(mode).open(path)?;
        file.lock()?;
        if files::leads_to(path, &file)? {
            return Ok(file);
        }
    }
}
