//! SIGINT and SIGTERM, as calls of [`Phases::shut_down`].

use super::Phases;
use crate::observe::say;

/// Forwards each signal; never ends. Where a handler cannot be installed it says so and forwards nothing.
pub(super) async fn forward(phases: &Phases) {
    if let Err(error) = forward_all(phases).await {
        say(|| {
            tracing::error!(target: "ballet", %error, "signal handlers could not be installed: only a kill ends this process");
        });
    }
    std::future::pending::<()>().await;
}

#[cfg(unix)]
async fn forward_all(phases: &Phases) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut next = async || {
        std::future::poll_fn(|cx| {
            let interrupted = interrupt.poll_recv(cx).is_ready();
            if interrupted || terminate.poll_recv(cx).is_ready() {
                return std::task::Poll::Ready(());
            }
            std::task::Poll::Pending
        })
        .await;
    };
    loop {
        next().await;
        phases.shut_down();
    }
}

#[cfg(not(unix))]
async fn forward_all(phases: &Phases) -> std::io::Result<()> {
    loop {
        tokio::signal::ctrl_c().await?;
        phases.shut_down();
    }
}
