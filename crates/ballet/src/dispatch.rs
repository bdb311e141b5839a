//! Where a job runs.
//!
//! A scope takes the dispatcher of the runtime that it is opened on and gives it to its children. Today a child
//! is a Tokio task; this is the only file that spawns one.

use tokio::runtime::Handle;

/// Runs jobs on one Tokio runtime, of either flavour.
#[derive(Clone, Debug)]
pub(crate) struct Dispatcher(Handle);

impl Dispatcher {
    /// The dispatcher of the runtime that is polling us.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    #[track_caller]
    pub(crate) fn current() -> Self {
        let Ok(handle) = Handle::try_current() else {
            panic!(
                "Ballet runs on a Tokio runtime and there is none here: \
                 call this inside #[tokio::main], #[ballet::main] or Runtime::block_on"
            );
        };
        Self(handle)
    }

    /// Runs `future` to its end. On a runtime that has been shut down it is dropped at once.
    #[expect(clippy::disallowed_methods, reason = "the one place where an owned job becomes a Tokio task")]
    pub(crate) fn run(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(future));
    }
}
