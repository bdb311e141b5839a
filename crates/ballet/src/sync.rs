//! What the lock-free steps are made of: std's primitives, or loom's where a model explores every order of them.
//!
//! Beside them, what must not stop a step half-way: [`contain`].
//!
//! `cargo xtask loom` builds the crate with `--cfg ballet_loom` and runs the models, which stand beside the code that
//! they explore.

mod foreign;

pub(crate) use foreign::{contain, wake_each};

#[cfg(not(ballet_loom))]
pub(crate) use once_cell::race::OnceBox;
#[cfg(not(ballet_loom))]
pub(crate) use short_lock::{ShortGuard, ShortLock};
#[cfg(not(ballet_loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence};
#[cfg(not(ballet_loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(ballet_loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence};
#[cfg(ballet_loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(ballet_loom)]
pub(crate) use once_box::OnceBox;
#[cfg(ballet_loom)]
pub(crate) use short_lock_of_loom::{ShortGuard, ShortLock};

/// A lock for sections of a few steps, in which nothing is called that could wait: of foreign code at most the `clone` of a
/// waker.
///
/// `std`'s mutex takes two steps that other cores see, one to lock and one to unlock; this one takes the first. Who
/// finds it locked looks again after a pause, and lets another thread run where that takes long: its holder may have lost
/// its core.
#[cfg(not(ballet_loom))]
mod short_lock {
    use std::cell::Cell;

    use spin::mutex::{SpinMutex, SpinMutexGuard};
    use spin::relax::RelaxStrategy;

    pub(crate) type ShortGuard<'a, T> = SpinMutexGuard<'a, T, LookThenYield>;

    #[derive(Debug, Default)]
    pub(crate) struct ShortLock<T>(SpinMutex<T, LookThenYield>);

    impl<T> ShortLock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(SpinMutex::new(value))
        }

        #[inline]
        pub(crate) fn lock(&self) -> ShortGuard<'_, T> {
            self.0.try_lock().unwrap_or_else(|| self.lock_after_others())
        }

        /// Out of the way of those who find it free.
        #[cold]
        fn lock_after_others(&self) -> ShortGuard<'_, T> {
            self.0.lock()
        }
    }

    /// Looks between two offers of the core to other threads.
    const LOOKS: u32 = 16;
    /// Pauses between two looks. A look takes the memory of the lock away from the core that works with it. Left alone for
    /// some hundred nanoseconds, that core does many sections, each of which is cheap while the memory is there.
    const PAUSES: u32 = 16;

    thread_local! {
        static LOOKED: Cell<u32> = const { Cell::new(0) };
    }

    pub(crate) struct LookThenYield;

    impl RelaxStrategy for LookThenYield {
        fn relax() {
            let looked = LOOKED.get().wrapping_add(1);
            LOOKED.set(looked);
            if looked.is_multiple_of(LOOKS) {
                std::thread::yield_now();
            } else {
                (0..PAUSES).for_each(|_| std::hint::spin_loop());
            }
        }
    }
}

/// Loom's mutex, with the interface of the lock that it stands for.
#[cfg(ballet_loom)]
mod short_lock_of_loom {
    use loom::sync::{Mutex, MutexGuard};

    pub(crate) type ShortGuard<'a, T> = MutexGuard<'a, T>;

    #[derive(Debug, Default)]
    pub(crate) struct ShortLock<T>(Mutex<T>);

    impl<T> ShortLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no section panics")
        }
    }
}

/// What `once_cell`'s box promises, in steps that loom sees.
#[cfg(ballet_loom)]
mod once_box {
    use loom::sync::Mutex;
    use loom::sync::atomic::{AtomicBool, Ordering};

    #[derive(Debug)]
    pub(crate) struct OnceBox<T> {
        is_set: AtomicBool,
        setting: Mutex<()>,
        value: std::sync::OnceLock<Box<T>>,
    }

    impl<T> OnceBox<T> {
        pub(crate) fn new() -> Self {
            Self {
                is_set: AtomicBool::new(false),
                setting: Mutex::new(()),
                value: std::sync::OnceLock::new(),
            }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.is_set.load(Ordering::Acquire) { self.value.get().map(Box::as_ref) } else { None }
        }

        pub(crate) fn set(&self, value: Box<T>) -> Result<(), Box<T>> {
            let _setting = self.setting.lock();
            self.value.set(value)?;
            self.is_set.store(true, Ordering::Release);
            Ok(())
        }

        pub(crate) fn get_or_init(&self, init: impl FnOnce() -> Box<T>) -> &T {
            let _setting = self.setting.lock();
            let value = self.value.get_or_init(init);
            self.is_set.store(true, Ordering::Release);
            value
        }
    }
}
