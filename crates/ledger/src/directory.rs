//! The directory that holds everything, its lock, and the space left on its disk.

use std::{
    fs::{DirBuilder, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::error::OpenError;

/// How long one look at the free space counts.
const LOOK_VALID: Duration = Duration::from_millis(100);

/// Makes the directory where it is missing. It holds what was entrusted to the application, so nobody else may read it;
/// of one that was there before, and that others may use, it warns.
fn create(directory: &Path) -> Result<(), OpenError> {
    make_durably(directory).map_err(|source| {
        let path = directory.to_owned();
        if directory.exists() && !directory.is_dir() {
            OpenError::NotADirectory { path }
        } else {
            OpenError::Io { path, source }
        }
    })?;
    warn_of_others(directory);
    Ok(())
}

#[cfg(unix)]
fn warn_of_others(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let Ok(metadata) = directory.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let (directory, mode) = (directory.display(), format!("{mode:04o}"));
        tracing::warn!(%directory, mode, "others may read or write the data directory; `chmod 700` keeps them out");
    }
}

#[cfg(not(unix))]
fn warn_of_others(_directory: &Path) {}

#[cfg(unix)]
fn make_durably(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    sync_parent(directory)
}

#[cfg(not(unix))]
fn make_durably(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(directory)
}

/// Makes durable that a file or a directory has its name: what is synced inside survives a power cut only then.
///
/// # Errors
///
/// When the disk fails.
#[cfg(unix)]
pub fn sync_parent(path: &Path) -> io::Result<()> {
    path.canonicalize()?.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Does nothing: here, names are the system's business.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn sync_parent(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Held for as long as the directory is in use, which is until its last clone is gone. The kernel lets go of it however
/// the process ends.
#[derive(Debug, Clone)]
pub struct Lock {
    _file: Arc<File>,
}

impl Lock {
    /// Takes the directory, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// With who has it, or when the disk fails.
    pub fn acquire(directory: &Path, application: &'static str) -> Result<Self, OpenError> {
        create(directory)?;
        let path = directory.join(format!("{application}.lock"));
        let failed = |source| OpenError::Io { path: path.clone(), source };
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_pid(&mut file);
                return Err(OpenError::Locked { directory: directory.to_owned(), application, pid });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        write_pid(&mut file).map_err(failed)?;
        Ok(Self { _file: Arc::new(file) })
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Whether there is less space on the directory's disk than the floor.
pub(crate) fn is_low(directory: &Path, free_min: u64) -> bool {
    is_below(&fs4::available_space(directory), free_min)
}

/// Where nobody knows, it is.
fn is_below(free: &io::Result<u64>, free_min: u64) -> bool {
    !matches!(free, Ok(free) if *free >= free_min)
}

/// Watches the free space, without asking the kernel for each operation.
#[derive(Debug)]
pub(crate) struct Disk {
    directory: PathBuf,
    free_min: u64,
    looked_at: Option<Instant>,
    is_low: bool,
}

impl Disk {
    pub(crate) fn new(directory: &Path, free_min: u64) -> Self {
        Self { directory: directory.to_owned(), free_min, looked_at: None, is_low: false }
    }

    /// Whether there is less space than the floor.
    pub(crate) fn is_low(&mut self) -> bool {
        if self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_VALID) {
            self.looked_at = Some(Instant::now());
            self.look();
        }
        self.is_low
    }

    fn look(&mut self) {
        let free = fs4::available_space(&self.directory);
        let is_low = is_below(&free, self.free_min);
        if is_low && !self.is_low {
            tracing::error!(?free, floor = self.free_min, "too little free disk");
        }
        if self.is_low && !is_low {
            tracing::info!(?free, "there is room on the disk again");
        }
        self.is_low = is_low;
    }
}
