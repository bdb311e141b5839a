//! Delivery over SMTP (RFC 5321): one recipient per transaction, over connections that are kept for the next.
//!
//! `lettre`'s own pool would do neither thing that Herald needs: it cannot tell a connection lost before the final
//! dot from one lost after it, and it spawns detached tasks. So this module drives `lettre`'s connection command by
//! command. Read `transaction` for the conversation, then `classify` for the meaning of replies.

mod classify;
mod connection;
mod patience;
mod pool;
mod settings;
mod transaction;
mod wire;

use std::convert::Infallible;

pub use connection::Unusable;
pub use settings::{Settings, Tls};

use self::{
    connection::Connector,
    patience::Patience,
    pool::Pool,
    transaction::{Ended, transact},
};
use super::{Answer, Handover, Mail, mail};
use crate::store::Work;

/// A relay, with the connections to it that wait for their next mail.
#[derive(Debug)]
pub struct Smtp {
    settings: Settings,
    connector: Connector,
    pool: Pool,
}

impl Smtp {
    /// Checks the settings; connects to nobody yet.
    ///
    /// # Errors
    ///
    /// Where the settings contradict each other or the file with the certificate authority cannot be read.
    pub fn new(settings: Settings) -> Result<Self, Unusable> {
        let connector = Connector::new(&settings)?;
        let pool = Pool::new(settings.idle_timeout());
        Ok(Self { settings, connector, pool })
    }

    pub(super) fn concurrency(&self) -> usize {
        self.settings.concurrency
    }

    pub(super) async fn send(&self, work: &Work, handover: &Handover) -> Answer {
        match mail::render(work, &self.settings.from) {
            Ok(mail) => {
                let patience = Patience::new(&self.settings, work.expires_at);
                self.transmit(&mail, &patience, handover).await
            }
            Err(error) => Answer::Permanent { reply: error.to_string() },
        }
    }

    pub(super) async fn tend(&self) -> Infallible {
        self.pool.tend().await
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Sends over an idle connection; over a new one where none is idle, or the relay has hung up on all of them.
    async fn transmit(&self, mail: &Mail, patience: &Patience, handover: &Handover) -> Answer {
        while let Some(mut connection) = self.pool.take() {
            match transact(&mut connection, mail, patience, handover).await {
                Ended::Stale(_) => (),
                Ended::Broken(answer) => return answer,
                Ended::Reusable(answer) => {
                    self.pool.put(connection);
                    return answer;
                }
            }
        }
        self.transmit_anew(mail, patience, handover).await
    }

    async fn transmit_anew(&self, mail: &Mail, patience: &Patience, handover: &Handover) -> Answer {
        // Most mails go over a connection that is there already, and need no room for a TLS handshake.
        let mut connection = match Box::pin(self.connector.connect(patience)).await {
            Ok(connection) => connection,
            Err(answer) => return answer,
        };
        match transact(&mut connection, mail, patience, handover).await {
            Ended::Stale(answer) | Ended::Broken(answer) => answer,
            Ended::Reusable(answer) => {
                self.pool.put(connection);
                answer
            }
        }
    }
}
