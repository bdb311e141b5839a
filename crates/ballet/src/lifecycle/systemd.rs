//! What a stage tells systemd, by the protocol of `sd_notify(3)`, where the process was started with `Type=notify`.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, interval_at};

use super::{Phase, Phases};
use crate::observe;

/// Says when the stage is ready and when it is stopping, and answers the watchdog; never ends. Without systemd it says
/// nothing. `stop_max` is how long stopping may take, which systemd is asked to allow.
pub(super) async fn tell(phases: &Phases, stop_max: Duration) {
    let story = async {
        phases.reached(Phase::Running).await;
        if phases.is_ready() {
            say(&[NotifyState::Ready]);
        }
        phases.reached(Phase::Draining).await;
        // systemd takes 64 bits; the word of the crate has 32, which end after 71 minutes.
        let extend = format!("EXTEND_TIMEOUT_USEC={}", micros(stop_max));
        say(&[NotifyState::Stopping, NotifyState::Custom(&extend)]);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = story => {}
        () = answer_watchdog() => {}
    }
}

/// The greatest number means no time at all to systemd, which ignores it; the one before is for ever as well.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(u64::MAX - 1)
}

/// Twice in each of the watchdog's periods, as its manual says.
async fn answer_watchdog() {
    let Some(period) = sd_notify::watchdog_enabled().filter(|period| !period.is_zero()) else {
        return std::future::pending().await;
    };
    let mut beats = interval_at(Instant::now() + period / 2, period / 2);
    loop {
        beats.tick().await;
        say(&[NotifyState::Watchdog]);
    }
}

fn say(words: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(words) {
        observe::say(|| tracing::warn!(target: "ballet", %error, "systemd could not be told"));
    }
}
