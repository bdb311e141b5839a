//! What a room has for one connection alone, until the connection takes it.
//!
//! Acknowledgements and the room's state are merged, so a client that does not read keeps nothing growing; refusals are
//! counted, and too many end the connection. Nobody ever waits to put something in.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::model::{Code, ReadOnly};

/// So many refusals may lie here.
const REFUSED_MAX: usize = 512;

/// What lies in a mailbox.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    pub(crate) refused: Vec<(u32, Code)>,
    /// Frames other than operations that came to nothing.
    pub(crate) notices: Vec<Code>,
    pub(crate) state: Option<State>,
    pub(crate) held: Option<(u32, ReadOnly)>,
    /// The number of the last decided operation, and the seq up to which the room was durable then.
    pub(crate) ack: Option<(u32, u64)>,
    /// The connection is to end.
    pub(crate) end: Option<Code>,
}

/// Whether a room takes strokes, and how full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) read_only: Option<ReadOnly>,
    pub(crate) used_bytes: u64,
    pub(crate) quota_bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    mail: Mutex<Mail>,
    arrived: Notify,
}

impl Mailbox {
    pub(crate) fn acknowledge(&self, number: u32, seq: u64) {
        self.put(|mail| mail.ack = Some((number, seq)));
    }

    pub(crate) fn refuse(&self, number: u32, code: Code) {
        self.put(|mail| {
            if mail.refused.len() < REFUSED_MAX {
                mail.refused.push((number, code));
            } else {
                mail.end.get_or_insert(Code::TooSlow);
            }
        });
    }

    pub(crate) fn notice(&self, code: Code) {
        self.put(|mail| {
            if mail.notices.len() < REFUSED_MAX {
                mail.notices.push(code);
            } else {
                mail.end.get_or_insert(Code::TooSlow);
            }
        });
    }

    pub(crate) fn hold(&self, number: u32, reason: ReadOnly) {
        self.put(|mail| mail.held = Some((number, reason)));
    }

    pub(crate) fn tell_state(&self, state: State) {
        self.put(|mail| mail.state = Some(state));
    }

    /// Ends the connection; the first reason counts.
    pub(crate) fn end(&self, code: Code) {
        self.put(|mail| {
            mail.end.get_or_insert(code);
        });
    }

    fn put(&self, put: impl FnOnce(&mut Mail)) {
        put(&mut self.mail.lock().unwrap_or_else(PoisonError::into_inner));
        self.arrived.notify_one();
    }

    /// Waits until there is something, and takes it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub(crate) async fn take(&self) -> Mail {
        self.arrived.notified().await;
        mem::take(&mut *self.mail.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn acknowledgements_are_merged_and_the_first_end_counts() {
        let mailbox = Mailbox::default();
        for number in 1..=10_000 {
            mailbox.acknowledge(number, u64::from(number));
        }
        mailbox.end(Code::Kicked);
        mailbox.end(Code::Internal);
        let mail = mailbox.take().await;
        assert_eq!((mail.ack, mail.end), (Some((10_000, 10_000)), Some(Code::Kicked)));
    }

    #[tokio::test]
    async fn refusals_that_nobody_reads_end_the_connection() {
        let mailbox = Mailbox::default();
        for number in 0..10_000 {
            mailbox.refuse(number, Code::Forbidden);
        }
        let mail = mailbox.take().await;
        assert_eq!((mail.refused.len(), mail.end), (REFUSED_MAX, Some(Code::TooSlow)));
    }
}
