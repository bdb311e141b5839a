//! How work that blocks a thread learns that it is to end: a flag that it looks at, and hooks that interrupt it.
//!
//! ```text
//!              on_cancel                    raise                 ends
//!   (nothing) ──────────▶ registered ─────────────────▶ running ───────▶ ran
//!                             │ drop of the Hook            ▲
//!                             ▼                             │ on_cancel, once it was raised
//!                        deregistered                   (nothing)
//! ```
//!
//! Whoever takes a hook out of the table, under its lock, runs it or drops it; so no hook runs twice, and none runs
//! once the drop of its [`Hook`] has returned.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::{self, ThreadId};

use crate::job::{Reason, lock};
use crate::sync::{Condvar, Mutex, OnceBox, contain};

/// Tells [`blocking`](crate::Scope::blocking) work that it was asked to end.
///
/// Clones are the same flag, for helpers and callbacks of the work.
///
/// # Examples
///
/// A callback of the kind that SQLite asks now and then whether to go on:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Cancel, Scope};
///
/// fn query(keep_on: impl Fn() -> bool + 'static) -> Result<u32, ballet::Error> {
///     while keep_on() { /* the next row */ }
///     Err(ballet::Error::msg("interrupted"))
/// }
///
/// ballet::scope(async |s: Scope| {
///     let report = s.named("report").blocking(|cancel: &Cancel| {
///         let cancel = cancel.clone();
///         query(move || !cancel.is_cancelled())
///     });
///     tokio::time::sleep(std::time::Duration::from_millis(5)).await;
///     report.job().cancel();
///     Ok(()) // the scope returns when the query has ended
/// })
/// .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cancel(Arc<Signal>);

struct Signal {
    /// Set once, before any hook is taken out of the table.
    reason: OnceBox<Reason>,
    hooks: Mutex<Hooks>,
    /// Told whenever a hook has run.
    ran: Condvar,
}

type Action = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Hooks {
    next_id: u64,
    registered: BTreeMap<u64, Action>,
    /// The hook that runs now, and on which thread.
    running: Option<(u64, ThreadId)>,
}

impl Cancel {
    pub(super) fn new() -> Self {
        Self(Arc::new(Signal { reason: OnceBox::new(), hooks: Mutex::default(), ran: Condvar::new() }))
    }

    /// Whether the work was asked to end. Costs one atomic load.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.reason.get().is_some()
    }

    /// Why it was asked, if it was.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        self.0.reason.get()
    }

    /// Registers what is to be done when the work is asked to end while it blocks: close the socket, interrupt the
    /// query. Where it was asked already, `hook` runs here and now. It runs once at most.
    ///
    /// It runs on a worker of the runtime, so it must not block. Hooks run in the order of registration. The
    /// [`Hook`] that is returned deregisters it when it is dropped: keep it for as long as the hook has something to
    /// interrupt.
    ///
    /// # Panics
    ///
    /// Where `hook` runs at once, its panic is the caller's. A panic of a hook that runs later is the job's, when the
    /// work has ended; the hooks after it run all the same.
    ///
    /// # Examples
    ///
    /// See [`Scope::blocking`](crate::Scope::blocking).
    #[must_use = "dropping the guard deregisters the hook"]
    pub fn on_cancel(&self, hook: impl FnOnce() + Send + 'static) -> Hook {
        let mut hooks = lock(&self.0.hooks);
        if self.is_cancelled() {
            drop(hooks);
            hook();
            return Hook { registration: None };
        }
        let id = hooks.next_id;
        hooks.next_id += 1;
        hooks.registered.insert(id, Box::new(hook));
        Hook { registration: Some((Arc::clone(&self.0), id)) }
    }

    /// Sets the flag and runs the hooks; gives the first panic of one. The second call does nothing.
    pub(super) fn raise(&self, reason: Reason) -> Option<Box<dyn Any + Send>> {
        self.0.reason.set(Box::new(reason)).ok()?;
        let mut panicked = None;
        while let Some(action) = self.0.take_next() {
            let ended = catch_unwind(AssertUnwindSafe(action));
            lock(&self.0.hooks).running = None;
            self.0.ran.notify_all();
            match ended {
                Err(payload) if panicked.is_none() => panicked = Some(payload),
                // What a second one panicked with may panic when it is dropped.
                ended => contain(|| drop(ended)),
            }
        }
        panicked
    }
}

impl Signal {
    fn take_next(&self) -> Option<Action> {
        let mut hooks = lock(&self.hooks);
        let (id, action) = hooks.registered.pop_first()?;
        hooks.running = Some((id, thread::current().id()));
        Some(action)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("reason", &self.reason()).finish_non_exhaustive()
    }
}

/// Keeps a hook registered; made by [`Cancel::on_cancel`].
///
/// When its drop has returned, the hook is over: deregistered, or run to its end. So a drop waits for a hook that runs
/// on another thread in that moment.
#[must_use = "dropping it deregisters the hook"]
pub struct Hook {
    /// `None` where the hook ran at its registration.
    registration: Option<(Arc<Signal>, u64)>,
}

impl Drop for Hook {
    fn drop(&mut self) {
        let Some((signal, id)) = self.registration.take() else { return };
        let mut hooks = lock(&signal.hooks);
        let deregistered = hooks.registered.remove(&id);
        // A hook that drops its own guard would wait for itself.
        let is_elsewhere = |hooks: &Hooks| {
            hooks.running.is_some_and(|(running, thread)| running == id && thread != thread::current().id())
        };
        while is_elsewhere(&hooks) {
            hooks = signal.ran.wait(hooks).unwrap_or_else(PoisonError::into_inner);
        }
        drop(hooks);
        drop(deregistered);
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
