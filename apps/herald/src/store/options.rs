//! What the store may be told when it is opened.

#[derive(Debug, Clone)]
pub struct Options {
    /// So many operations may wait for the writer or be in its group; whoever comes then waits for a place.
    pub queue_ops_max: usize,
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
            queue_ops_max: 4_096,
            disk_free_min: 64 * 1024 * 1024,
            pages_max: None,
            email_provider: "outbox".to_owned(),
            message_domain: "herald.localhost".to_owned(),
        }
    }
}

impl Options {
    /// What of them is up to the file and its writer.
    pub(super) fn of_ledger(&self) -> ledger::Options {
        ledger::Options {
            queue_ops_max: self.queue_ops_max,
            disk_free_min: self.disk_free_min,
            pages_max: self.pages_max,
            ..ledger::Options::new("herald")
        }
    }
}
