//! What a ledger may be told when it is opened.

use std::{path::Path, time::Duration};

#[derive(Debug, Clone)]
pub struct Options {
    /// The application's name in lower case: it names the file, its lock and the thread.
    pub application: &'static str,
    /// A group is committed when it has so many operations …
    pub commit_ops_max: usize,
    /// … or when so much time has passed since its first one.
    pub commit_delay: Duration,
    /// So many operations may wait for the writer or be in its group; whoever comes then waits for a place.
    pub queue_ops_max: usize,
    /// So many reads run at the same time.
    pub readers: usize,
    /// With less free space on the disk, [`Tx::disk_is_low`](crate::Tx::disk_is_low) says so.
    pub disk_free_min: u64,
    /// The file may grow to so many pages of 4 KiB. `None`: as far as the disk allows.
    pub pages_max: Option<u32>,
}

impl Options {
    /// Those of an application that has no wishes.
    pub fn new(application: &'static str) -> Self {
        Self {
            application,
            commit_ops_max: 512,
            commit_delay: Duration::from_millis(1),
            queue_ops_max: 4_096,
            readers: 2,
            disk_free_min: 64 * 1024 * 1024,
            pages_max: None,
        }
    }

    /// Whether a ledger of this application was ever opened in the directory.
    pub fn is_in(&self, directory: &Path) -> bool {
        directory.join(self.file_name()).exists()
    }

    pub(crate) fn file_name(&self) -> String {
        format!("{}.db", self.application)
    }
}
