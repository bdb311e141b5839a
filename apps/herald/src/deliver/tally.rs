//! How many attempts of a provider ended how, since the start of the process.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::store::Class;

/// What an attempt without a class is counted as.
const ACCEPTED: &str = "accepted";

#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<&'static str, u64>>);

impl Tally {
    pub(super) fn count(&self, class: Option<Class>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(class.map_or(ACCEPTED, Class::as_str)).or_default() += 1;
    }

    pub(super) fn read(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
