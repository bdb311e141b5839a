//! A log of words, shared by the jobs of a test.

use std::sync::{Arc, Mutex, PoisonError};

/// What was said, in order. A clone writes to the same log.
#[derive(Clone, Default)]
pub(crate) struct Words(Arc<Mutex<Vec<&'static str>>>);

impl Words {
    pub(crate) fn say(&self, word: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(word);
    }

    pub(crate) fn said(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says `word` when it is dropped: what a job that is cut still does.
    pub(crate) fn say_on_drop(&self, word: &'static str) -> impl Send + use<> {
        struct Says(Words, &'static str);
        impl Drop for Says {
            fn drop(&mut self) {
                self.0.say(self.1);
            }
        }
        Says(self.clone(), word)
    }
}
