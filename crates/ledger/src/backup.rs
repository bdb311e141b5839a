//! A copy of a file that is in use, by this or by another process.
//!
//! SQLite writes the copy from one moment of the file; readers and the writer go on meanwhile. The copy appears under
//! its name only when it is whole, checked and synced, so what stands there is a good copy or nothing.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::{directory::sync_parent, error::OpenError, schema};

/// Copies the file of an application's directory to `copy`, which must not exist.
///
/// # Errors
///
/// When there is no such file, the place is taken, there is no room, or the copy does not pass SQLite's own check.
/// Then nothing stands at `copy`.
pub fn copy(directory: &Path, application: &str, copy: &Path) -> Result<(), OpenError> {
    let original = directory.join(format!("{application}.db"));
    let failed = |source| OpenError::Io { path: copy.to_owned(), source };
    if copy.try_exists().map_err(failed)? {
        return Err(OpenError::Exists { path: copy.to_owned() });
    }
    let unfinished = Unfinished::beside(copy);
    let database = |source| OpenError::Database { path: original.clone(), source };
    let reader = schema::open_reader(&original).map_err(database)?;
    // SQLite fills an empty file as well, and would blame the original for one that cannot be made.
    create_private(&unfinished.0).map_err(failed)?;
    let target = unfinished.0.to_string_lossy();
    reader.execute("VACUUM INTO ?1", [&*target]).map_err(database)?;
    check_copy(&unfinished.0)?;
    File::open(&unfinished.0).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&unfinished.0, copy).map_err(failed)?;
    sync_parent(copy).map_err(failed)
}

/// Makes an empty file that nobody else may ever read: it is to hold what was entrusted to the application. What had its
/// name is gone.
///
/// # Errors
///
/// When the disk fails.
pub fn create_private(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Asks SQLite whether a file is whole.
///
/// # Errors
///
/// When it is not a database, or one that is damaged.
pub fn check_copy(path: &Path) -> Result<(), OpenError> {
    let database = |source| OpenError::Database { path: path.to_owned(), source };
    let connection = schema::open_reader(path).map_err(database)?;
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(database)?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(OpenError::Damaged { path: path.to_owned(), verdict })
}

/// Removed when it is dropped, unless it got its name.
struct Unfinished(PathBuf);

impl Unfinished {
    fn beside(copy: &Path) -> Self {
        let mut name = OsString::from(copy);
        name.push(format!(".unfinished-{}", std::process::id()));
        Self(name.into())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
