//! What stands before each host: a circuit breaker and a few places, shared by all sources of that host.
//!
//! The breaker hears only of what says something about the host: an answer of any kind is a sign of life, also a refusal.
//! While it is open its sources wait and burn no attempts; when it has rested, one of them tries. The places keep a host that
//! hangs from holding all visits of the program.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ballet::{Backoff, Breaker, Bulkhead, Trip};
use url::Url;

/// Visits at a host at the same time; more wait in line.
const PLACES: usize = 4;
/// Failures in a row that open the breaker.
const TRIP: Trip = Trip::in_a_row(5);
/// How long it is open.
const REST: Backoff = Backoff::exponential(Duration::from_secs(30), Duration::from_secs(30 * 60));

/// The doors of all hosts.
#[derive(Debug, Default)]
pub(super) struct Doors(Mutex<HashMap<String, Door>>);

/// The door of one host; cloning it is two reference counts.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) breaker: Breaker,
    pub(super) places: Bulkhead,
}

impl Doors {
    pub(super) fn of(&self, address: &Url) -> Door {
        let host = host(address);
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doors.entry(host).or_insert_with_key(|host| Door::new(host)).clone()
    }

    /// Forgets hosts that no source has any more.
    pub(super) fn retain<'a>(&self, addresses: impl Iterator<Item = &'a Url>) {
        let hosts: HashSet<_> = addresses.map(host).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|host, _| hosts.contains(host));
    }
}

impl Door {
    fn new(host: &str) -> Self {
        Self {
            breaker: Breaker::new(host.to_owned(), TRIP, REST),
            places: Bulkhead::new(host.to_owned(), PLACES),
        }
    }
}

/// A host with another port is another server.
fn host(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    address.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
