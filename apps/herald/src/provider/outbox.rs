//! The provider of a Herald nobody has configured yet: mails appear on its own page, and go nowhere else.

use lettre::message::Mailbox;

use super::{Answer, mail};
use crate::store::{ViewerMail, Work};

/// Rendering is all it does, so a few at a time keep a core busy.
pub(super) const CONCURRENCY: usize = 16;

/// Renders a mail exactly as `Smtp` would, and hands it to the store together with the outcome.
#[derive(Debug)]
pub struct Outbox {
    sender: Mailbox,
}

impl Outbox {
    pub fn new(sender: Mailbox) -> Self {
        Self { sender }
    }

    pub(super) fn send(&self, work: &Work) -> Answer {
        match mail::render(work, &self.sender) {
            Ok(mail) => Answer::Accepted {
                reply: "shown in the outbox viewer".to_owned(),
                viewer: Some(ViewerMail { from: mail.from.to_string(), raw: mail.bytes }),
            },
            Err(error) => Answer::Permanent { reply: error.to_string() },
        }
    }
}
