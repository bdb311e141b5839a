//! What the store may be told when it is opened.

use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Options {
    /// A group is committed when it has so many operations …
    pub commit_ops_max: usize,
    /// … or when so much time has passed since its first one.
    pub commit_delay: Duration,
    /// So many operations may wait for the writer or be in its group; whoever comes then waits for a place.
    pub queue_ops_max: usize,
    /// So many reads run at the same time.
    pub readers: usize,
    /// With less free space on the disk, nothing new is accepted; what was accepted can still be finished.
    pub disk_free_min: u64,
    /// The database may grow to so many pages of 4 KiB. `None`: as far as the disk allows.
    pub pages_max: Option<u32>,
    /// The provider that e-mail is planned for.
    pub email_provider: String,
    /// The right side of every Message-ID.
    pub message_domain: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            commit_ops_max: 512,
            commit_delay: Duration::from_millis(1),
            queue_ops_max: 4_096,
            readers: 2,
            disk_free_min: 64 * 1024 * 1024,
            pages_max: None,
            email_provider: "outbox".to_owned(),
            message_domain: "herald.localhost".to_owned(),
        }
    }
}
