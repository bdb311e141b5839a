//! What outlives the process about one source.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{config::SourceSettings, source::Mark};

/// What is known of a source. All times are the wall clock's; whoever waits by them bounds the wait.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceState {
    /// The settings it was last visited with, and the address in them.
    pub fingerprint: String,
    pub address: Option<Url>,
    pub mark: Option<Mark>,
    /// Where it has moved to for good.
    pub moved: Option<Url>,
    /// Why it is not visited any more.
    pub disabled: Option<String>,
    /// The interval that its schedule has come to.
    pub interval: Option<Duration>,
    pub next_at: Option<Timestamp>,
    /// How far away that was when it was planned: the most that a later process waits, whatever its clock says.
    pub next_wait: Duration,
    /// Why it is to be visited then, and not sooner.
    pub next_why: String,
    /// Whether its server asked for that time, which nobody may cut short.
    pub next_is_asked: bool,
    pub last_visit_at: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub last_item_at: Option<Timestamp>,
    pub last_error: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    pub visits: u64,
    pub failures_total: u64,
    pub unchanged_total: u64,
    pub items_total: u64,
    pub bytes_total: u64,
}

impl SourceState {
    /// Forgets what other settings have led to. A new address is a new beginning, except that items are still known by their
    /// ids; any change gives a disabled source another chance, at once.
    pub fn fit(&mut self, settings: &SourceSettings) {
        if self.fingerprint == settings.fingerprint {
            return;
        }
        if self.address.as_ref() != Some(settings.visit.address()) {
            (self.mark, self.moved) = (None, None);
        }
        (self.disabled, self.interval, self.next_at) = (None, None, None);
        self.failures = 0;
        self.next_why.clear();
        self.address = Some(settings.visit.address().clone());
        self.fingerprint.clone_from(&settings.fingerprint);
    }

    /// Where to ask.
    pub fn at<'a>(&'a self, settings: &'a SourceSettings) -> &'a Url {
        self.moved.as_ref().unwrap_or_else(|| settings.visit.address())
    }
}
