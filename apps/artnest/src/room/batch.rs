//! Records on their way to the store, and who is to hear of it.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};

use super::live::ConnectionId;
use crate::wire::{Op, Record, put_record};

/// A batch that has so many bytes is committed at once.
pub(super) const BYTES_MAX: usize = 64 * 1024;
/// So many records fit into the count of a frame.
const RECORDS_MAX: u16 = 32_768;

#[derive(Debug, Default)]
pub(super) struct Batch {
    records: BytesMut,
    count: u16,
    /// For each connection the first of its operations that is in here; `None`: it only waits to be told where it is.
    waiting: HashMap<ConnectionId, Option<u32>>,
}

impl Batch {
    /// Nothing is to be stored, and nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= BYTES_MAX || self.count >= RECORDS_MAX
    }

    /// What its records will take up in the store.
    pub(super) fn bytes(&self) -> u64 {
        self.records.len() as u64
    }

    pub(super) fn add(&mut self, from: ConnectionId, member: u32, number: u32, op: Op<'_>) {
        put_record(&mut self.records, &Record { member, number, op });
        self.count += 1;
        self.waiting.entry(from).or_default().get_or_insert(number);
    }

    /// Its operations are decided, and it is to hear up to which.
    pub(super) fn tell(&mut self, from: ConnectionId) {
        self.waiting.entry(from).or_default();
    }

    /// Takes what is in here.
    pub(super) fn take(&mut self) -> (Bytes, u16, HashMap<ConnectionId, Option<u32>>) {
        let count = std::mem::take(&mut self.count);
        (self.records.split().freeze(), count, std::mem::take(&mut self.waiting))
    }
}
