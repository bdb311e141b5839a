//! Connections that wait for their next mail.
//!
//! There are never more than deliveries were under way at the same time, since each came from one. The most recently
//! used is taken first, so that the others may grow old and be closed.

use std::{
    convert::Infallible,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use tokio::time::{Instant, sleep};

/// How long a relay may take over its goodbye, which nobody needs.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Pool {
    /// Oldest first. Locked for a push or a pop, never across an await.
    idle: Mutex<Vec<Idle>>,
    idle_timeout: Duration,
}

struct Idle {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl Pool {
    pub(super) fn new(idle_timeout: Duration) -> Self {
        Self { idle: Mutex::default(), idle_timeout }
    }

    pub(super) fn take(&self) -> Option<AsyncSmtpConnection> {
        self.lock().pop().map(|idle| idle.connection)
    }

    pub(super) fn put(&self, connection: AsyncSmtpConnection) {
        self.lock().push(Idle { connection, since: Instant::now() });
    }

    /// Closes what has been idle for too long, for as long as it is polled.
    pub(super) async fn tend(&self) -> Infallible {
        loop {
            sleep(self.idle_timeout / 2).await;
            quit(self.remove(|idle| idle.since.elapsed() >= self.idle_timeout)).await;
        }
    }

    /// Closes what is idle.
    pub(super) async fn close(&self) {
        quit(self.remove(|_| true)).await;
    }

    fn remove(&self, condition: impl Fn(&Idle) -> bool) -> Vec<Idle> {
        self.lock().extract_if(.., |idle| condition(idle)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").field("idle", &self.lock().len()).finish_non_exhaustive()
    }
}

async fn quit(connections: Vec<Idle>) {
    let goodbyes = connections.into_iter().map(|mut idle| async move {
        let _ = ballet::timeout(QUIT_TIMEOUT, idle.connection.quit()).await;
    });
    join_all(goodbyes).await;
}
