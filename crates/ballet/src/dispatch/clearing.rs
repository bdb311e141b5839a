//! A step that whoever comes first does for all who come meanwhile: nobody waits, and it never runs inside itself.

use crate::sync::{AtomicUsize, Ordering};

/// How many want the step to be done; the first of them does it.
#[derive(Default)]
pub(super) struct Clearing(AtomicUsize);

impl Clearing {
    /// Sees to it that `step` is done after this call began: here, or by the caller that is already at it.
    pub(super) fn run(&self, mut step: impl FnMut()) {
        let mut callers = self.0.fetch_add(1, Ordering::AcqRel) + 1;
        if callers > 1 {
            return;
        }
        loop {
            step();
            match self.0.compare_exchange(callers, 0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(more) => callers = more,
            }
        }
    }
}

/// Run by `cargo xtask loom`.
#[cfg(all(test, ballet_loom))]
mod models {
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    use super::*;

    /// Clear against push: what was added before a call is gone when all calls have returned.
    #[test]
    fn nothing_is_left_by_callers_that_leave_it_to_each_other() {
        loom::model(|| {
            let (clearing, queue) = (Arc::new(Clearing::default()), Arc::new(Mutex::new(0)));
            let add = |clearing: &Clearing, queue: &Mutex<u32>| {
                *queue.lock().unwrap() += 1;
                clearing.run(|| *queue.lock().unwrap() = 0);
            };
            let other = {
                let (clearing, queue) = (Arc::clone(&clearing), Arc::clone(&queue));
                thread::spawn(move || add(&clearing, &queue))
            };
            add(&clearing, &queue);
            other.join().unwrap();
            assert_eq!(*queue.lock().unwrap(), 0);
        });
    }
}
