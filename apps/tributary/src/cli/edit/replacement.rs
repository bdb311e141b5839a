//! The file that takes another one's name, so that nobody ever reads half of one.
//!
//! It stands beside the other and is locked: whoever edits the same file waits until this one has taken the name, or is given
//! up. A link stays a link, and whoever could read and change the old file can do so with the new one, and nobody else, from
//! its first byte on.

use std::{
    fs::{self, File, Metadata, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::files;

/// Who may read a file that nobody restricts; the process's mask takes from it.
const MODE: u32 = 0o666;
/// Of one that is to replace another. Who else may read it is settled before anything is in it.
const PRIVATE: u32 = 0o600;
const GROUP: u32 = 0o070;
/// An edit is done in milliseconds; whoever holds the file longer hangs or is stopped.
const OTHERS_WAIT_MAX: Duration = Duration::from_secs(10);
const OTHERS_PAUSE: Duration = Duration::from_millis(10);

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
        let mode = if old.exists() { PRIVATE } else { MODE };
        let file = lock(&path, mode, OTHERS_WAIT_MAX)?;
        Ok(Self { old, path, file, has_the_name: false })
    }

    /// Makes it durable, and gives it the name.
    pub(super) fn take_over(mut self, text: &str) -> io::Result<()> {
        if let Ok(about) = fs::metadata(&self.old) {
            belong_as(&self.file, &about)?;
        }
        // One that a crash left behind may be longer.
        self.file.set_len(0)?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        fs::rename(&self.path, &self.old)?;
        self.has_the_name = true;
        ledger::sync_parent(&self.old)
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

/// Gives a file the owner, the group and the mode of another. Only root may give files away; others keep what they may.
fn belong_as(file: &File, other: &Metadata) -> io::Result<()> {
    let group = Some(other.gid());
    let given = fchown(file, Some(other.uid()), group).or_else(|_| fchown(file, None, group));
    // What the old group could do is not for another one.
    let kept = if given.is_ok() { !0 } else { !GROUP };
    file.set_permissions(Permissions::from_mode(other.mode() & kept & 0o7777))
}

/// The locked file of that name. Whoever had the lock before has renamed or removed it.
fn lock(path: &Path, mode: u32, wait_max: Duration) -> io::Result<File> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let deadline = Instant::now() + wait_max;
    loop {
        let file = File::options().create(true).truncate(false).write(true).mode(mode).open(path);
        let file = file.map_err(named)?;
        match file.try_lock() {
            Ok(()) if files::leads_to(path, &file)? => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(named(error)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => pause(),
            Err(TryLockError::WouldBlock) => return Err(held(path, wait_max)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "an edit has the thread to itself, and no runtime")]
fn pause() {
    thread::sleep(OTHERS_PAUSE);
}

fn held(path: &Path, waited: Duration) -> io::Error {
    let message = format!(
        "another command is editing it and has held {} for {} s; end that one, and try again",
        path.display(),
        waited.as_secs()
    );
    io::Error::new(io::ErrorKind::TimedOut, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn beside_a_file_that_nobody_may_write_stands_one_that_the_next_editor_can_open() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("file"), folder.path().join("file.new"));
        fs::write(&old, "old").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o444)).unwrap();
        let replacement = Replacement::of(&old).unwrap();
        assert_eq!(mode_of(&new), 0o600);
        replacement.take_over("new").unwrap();
        assert_eq!((mode_of(&old), fs::read_to_string(&old).unwrap()), (0o444, "new".to_owned()));
    }

    #[test]
    fn whoever_waits_too_long_is_told_what_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let _other = Replacement::of(&path).unwrap();
        let told = lock(&folder.path().join("file.new"), PRIVATE, Duration::ZERO).unwrap_err().to_string();
        assert!(told.contains("file.new") && told.contains("end that one"), "{told}");
    }

    #[test]
    fn a_file_that_root_replaces_still_belongs_to_its_owner_and_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        // Only root can set this up.
        if std::os::unix::fs::chown(&path, Some(4_711), Some(4_712)).is_err() {
            eprintln!("not looked at: only root can give a file away");
            return;
        }
        Replacement::of(&path).unwrap().take_over("new").unwrap();
        let about = fs::metadata(&path).unwrap();
        assert_eq!((about.uid(), about.gid(), about.mode() & 0o777), (4_711, 4_712, 0o600));
    }
}
