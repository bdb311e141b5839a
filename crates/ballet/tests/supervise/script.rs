//! What the children of these tests do, and what they are seen to do, with the time of it.

use std::fmt::Display;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ballet::{ChildSpec, Error, Life, Supervised, child};
use tokio::time::{Instant, sleep};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What happened, and in which millisecond since the log was opened.
#[derive(Clone)]
pub(crate) struct Log {
    began: Instant,
    lines: Arc<Mutex<Vec<(u128, String)>>>,
}

impl Log {
    pub(crate) fn open() -> Self {
        Self { began: Instant::now(), lines: Arc::default() }
    }

    pub(crate) fn say(&self, line: impl Display) {
        self.lines().push((self.began.elapsed().as_millis(), line.to_string()));
    }

    /// What was said since the last time somebody asked, a line each.
    pub(crate) fn take(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.lines());
        lines.into_iter().map(|(at, line)| format!("{at} {line}")).collect()
    }

    /// The same without the times.
    pub(crate) fn words(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.lines());
        lines.into_iter().map(|(_, line)| line).collect()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<(u128, String)>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says now that a life of this name begins, and later, whatever ends it, that it ends.
    pub(crate) fn live(&self, name: impl Display) -> Alive {
        self.say(format_args!("{name} begins"));
        Alive { log: self.clone(), name: name.to_string() }
    }
}

pub(crate) struct Alive {
    log: Log,
    name: String,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.log.say(format_args!("{} ends", self.name));
    }
}

/// A child that is ready at once, and lives until it is stopped.
pub(crate) fn steady(log: &Log, name: &'static str) -> Supervised {
    steady_as(child(name), log, name)
}

pub(crate) fn steady_as(spec: ChildSpec, log: &Log, name: &'static str) -> Supervised {
    let log = log.clone();
    spec.run(async move |life: Life| {
        let _alive = log.live(name);
        life.ready();
        pending().await
    })
}

/// A child that is ready at once, and fails after `time` in each of its first `failures` lives.
pub(crate) fn failing(
    spec: ChildSpec,
    log: &Log,
    name: &'static str,
    failures: u32,
    time: Duration,
) -> Supervised {
    let log = log.clone();
    spec.run(async move |life: Life| {
        let _alive = log.live(name);
        life.ready();
        if life.restarts() >= failures {
            return pending().await;
        }
        sleep(time).await;
        Err(Error::msg("fell"))
    })
}
