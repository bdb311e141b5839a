//! A core for each worker of a runtime, so that it is the runtime that is measured and not where the kernel puts it.
//!
//! Left to itself, a kernel may put a worker that was woken on the core of the one that woke it, and let it wait
//! there for milliseconds while another core idles. Whether a wave of children spreads is then the kernel's doing.
//! Threads that such a worker makes stay on its core, too: make those that should move freely before.

/// Returns what the threads of a runtime call as they start: each moves to the next of the cores that this process
/// may use, and stays there. Where the system has no such call, nothing happens.
pub fn a_core_for_each_thread() -> impl Fn() + Send + Sync + 'static {
    #[cfg(target_os = "linux")]
    return linux::a_core_for_each_thread();
    #[cfg(not(target_os = "linux"))]
    || {}
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    pub(super) fn a_core_for_each_thread() -> impl Fn() + Send + Sync + 'static {
        let cores = cores();
        let started = AtomicUsize::new(0);
        move || {
            let thread = started.fetch_add(1, Ordering::Relaxed);
            if let Some(core) = cores.get(thread % cores.len().max(1)) {
                stay_on(*core);
            }
        }
    }

    /// The cores that the calling thread may use.
    fn cores() -> Vec<usize> {
        let Ok(allowed) = sched_getaffinity(None) else { return Vec::new() };
        (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect()
    }

    fn stay_on(core: usize) {
        let mut only = CpuSet::new();
        only.set(core);
        if let Err(error) = sched_setaffinity(None, &only) {
            eprintln!("a worker stays where the kernel puts it: {error}");
        }
    }

    #[cfg(test)]
    mod tests {
        use std::thread;

        use super::*;

        #[test]
        fn threads_take_the_allowed_cores_in_turn() {
            let allowed = cores();
            assert!(!allowed.is_empty());
            let take_one = a_core_for_each_thread();
            thread::scope(|threads| {
                for turn in 0..2 * allowed.len() {
                    let taken = threads.spawn(|| {
                        take_one();
                        cores()
                    });
                    let taken = taken.join().unwrap_or_default();
                    assert_eq!(taken, [allowed[turn % allowed.len()]]);
                }
            });
            assert_eq!(cores(), allowed, "the thread that made it moves freely");
        }
    }
}
