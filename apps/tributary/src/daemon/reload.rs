//! The watch on the file: what changed is restarted, and a file with a mistake changes nothing.
//!
//! The file is read once a second, which no file system and no editor can fool (its time of change stands still for some
//! milliseconds, in which it may be written twice). What two looks in a row find is taken, since one may find what is still
//! being written; on SIGHUP the file is taken at once. However often it is written, it is in force at most once a second,
//! and one reload ends before the next begins.

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{Daemon, set_sinks};
use crate::{
    config::{self, Config, Fixed},
    digest::digest,
};

/// How often the file is read.
const LOOK: Duration = Duration::from_secs(1);

/// The text of the file, or why there is none.
type Read = Result<String, config::Error>;

impl Daemon {
    /// Until the stage drains.
    pub(super) async fn watch_file(&self) -> Result<(), ballet::Error> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut looked, mut seen) = (None, None);
        loop {
            let is_asked_for = tokio::select! {
                biased;
                () = ballet::draining() => return Ok(()),
                () = hung_up(&mut hangup) => true,
                _ = look.tick() => false,
            };
            let read = config::read_text(self.path());
            let mark = Some(mark(&read));
            // What stands there for the first time may be half of what is being written.
            let is_whole = looked == mark;
            if is_asked_for || (is_whole && seen != mark) {
                seen = self.reload(read).await.then(|| mark.clone()).flatten();
            }
            looked = mark;
        }
    }

    /// Brings what the file says now into force, if it can be. Gives whether there is nothing more to do until it changes.
    async fn reload(&self, read: Read) -> bool {
        if read.as_ref().is_ok_and(|text| digest(text) == self.lock().digest) {
            // As it was before a mistake.
            self.lock().fault = None;
            return true;
        }
        let parsed = read.and_then(|text| {
            config::refuse_empty(self.path(), &text)?;
            Ok((Config::parse(self.path(), &text, self.start.kinds)?, text))
        });
        let (new, text) = match parsed {
            Ok((new, text)) => (Arc::new(new), text),
            Err(error) => {
                self.refuse(&error);
                return true;
            }
        };
        let old = Arc::clone(&self.lock().config);
        match self.bring_into_force(&old, &new).await {
            Ok(()) => self.accept(new, &text),
            Err(error) => {
                self.refuse(&error);
                return false;
            }
        }
        true
    }

    async fn bring_into_force(&self, old: &Config, new: &Config) -> Result<(), ballet::Error> {
        // What may fail comes first, so that nothing has changed where it does.
        let web = self.sources.web_for(old, new)?;
        // Items that come in by new settings find their sinks.
        set_sinks(&self.shared.store, new).await?;
        let sinks = self.sinks.apply(old, new).await?;
        let sources = self.sources.apply(old, new, web).await?;
        tracing::info!(%sources, %sinks, "the file has changed");
        Ok(())
    }

    fn accept(&self, new: Arc<Config>, text: &str) {
        let mut settings = self.lock();
        let unmoved = differences(&self.fixed, &new.fixed);
        if !unmoved.is_empty() {
            tracing::warn!(settings = ?unmoved, "these take effect at the next start");
        }
        settings.waits_for_restart = unmoved;
        settings.config = new;
        settings.digest = digest(text);
        settings.fault = None;
        settings.loaded_at = self.start.clock.now();
        settings.reloads += 1;
    }

    fn refuse(&self, error: &dyn std::fmt::Display) {
        let fault = error.to_string();
        tracing::error!("the file is not in force, and nothing has changed:\n{fault}");
        self.lock().fault = Some(fault);
    }
}

/// By what a changed file is known.
fn mark(read: &Read) -> Result<String, String> {
    read.as_deref().map(digest).map_err(ToString::to_string)
}

/// Pending for ever where the signal is gone.
async fn hung_up(hangup: &mut Signal) {
    if hangup.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

fn differences(first: &Fixed, now: &Fixed) -> Vec<&'static str> {
    let all = [
        ("data", first.data != now.data),
        ("listen", first.listen != now.listen),
        ("drain", first.drain != now.drain),
        ("visits_max", first.visits_max != now.visits_max),
        ("disk_free_mib_min", first.disk_free_min != now.disk_free_min),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
