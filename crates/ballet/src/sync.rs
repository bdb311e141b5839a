//! What the lock-free steps are made of: std's primitives, or loom's where a model explores every order of them.
//!
//! `cargo xtask loom` builds the crate with `--cfg ballet_loom` and runs the models, which stand beside the code that
//! they explore.

#[cfg(not(ballet_loom))]
pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering, fence};
#[cfg(not(ballet_loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};

#[cfg(ballet_loom)]
pub(crate) use loom::sync::atomic::{AtomicU8, AtomicUsize, Ordering, fence};
#[cfg(ballet_loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(ballet_loom)]
pub(crate) use once_lock::OnceLock;

/// Loom has no `OnceLock`; this one makes the same promises of order.
#[cfg(ballet_loom)]
mod once_lock {
    use loom::sync::Mutex;
    use loom::sync::atomic::{AtomicBool, Ordering};

    #[derive(Debug)]
    pub(crate) struct OnceLock<T> {
        is_set: AtomicBool,
        setting: Mutex<()>,
        value: std::sync::OnceLock<T>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            Self {
                is_set: AtomicBool::new(false),
                setting: Mutex::new(()),
                value: std::sync::OnceLock::new(),
            }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            let _setting = self.setting.lock();
            self.value.set(value)?;
            self.is_set.store(true, Ordering::Release);
            Ok(())
        }

        pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
            let _setting = self.setting.lock();
            let value = self.value.get_or_init(init);
            self.is_set.store(true, Ordering::Release);
            value
        }
    }
}
