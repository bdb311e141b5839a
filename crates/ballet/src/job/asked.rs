//! Why a job was asked to end, in one word.
//!
//! A cancellation reaches many jobs, each of which keeps the reason and most of which were idle, so that what it costs to
//! tell one of them is what the cancellation costs. The word is the pointer of the origin that they all share, with
//! the kind of the reason in the bits that its alignment leaves free.
#![expect(unsafe_code, reason = "a counted pointer and a number in one atomic word")]

use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;

use super::Reason;
use super::reason::{Details, Origin};
use crate::sync::{AtomicPtr, Ordering};

/// The bits of the pointer that hold the kind.
const KIND: usize = 0b111;

const _: () = assert!(align_of::<Details>() > KIND, "the alignment leaves no room for the kind");

/// An atomic pointer may go to any thread whatever it points to, so that what it stands for may is checked here.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Reason>();
};

/// A reason that is set once, by whoever comes first.
///
/// Invariant: the word is null, or the pointer of an `Arc<Details>` that this owns, with a kind that [`pack`] wrote.
pub(super) struct Asked(AtomicPtr<Details>);

impl Asked {
    pub(super) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    pub(super) fn is_set(&self) -> bool {
        !self.0.load(Ordering::Acquire).is_null()
    }

    pub(super) fn get(&self) -> Option<Reason> {
        let word = self.0.load(Ordering::Acquire);
        if word.is_null() {
            return None;
        }
        // SAFETY: By the invariant it was packed. What was packed stays until this is dropped, and the reason that is
        // made of it here, which it does not own, is not dropped.
        Some(ManuallyDrop::into_inner(unsafe { unpack(word) }.clone()))
    }

    /// Returns whether it was the first.
    pub(super) fn set(&self, reason: &Reason) -> bool {
        let word = pack(reason);
        let is_first =
            self.0.compare_exchange(ptr::null_mut(), word, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !is_first {
            // SAFETY: It was packed just now, and nobody else has the word.
            drop(ManuallyDrop::into_inner(unsafe { unpack(word) }));
        }
        is_first
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let word = self.0.load(Ordering::Acquire);
        if !word.is_null() {
            // SAFETY: By the invariant this owns what was packed, and nobody reads the word any more.
            drop(ManuallyDrop::into_inner(unsafe { unpack(word) }));
        }
    }
}

fn pack(reason: &Reason) -> *mut Details {
    let kind = match reason {
        Reason::Requested(_) => 0,
        Reason::SiblingFailed(_) => 1,
        Reason::Timeout(_) => 2,
        Reason::ParentEnded(_) => 3,
        Reason::Dropped(_) => 4,
        Reason::Shutdown(_) => 5,
    };
    let details = Arc::into_raw(Arc::clone(&reason.origin().0));
    details.cast_mut().map_addr(|address| address | kind)
}

/// The reason that was packed, which whoever owns the word owns.
///
/// # Safety
///
/// `word` comes from [`pack`], and its owner has not dropped what this returned before.
unsafe fn unpack(word: *mut Details) -> ManuallyDrop<Reason> {
    let details = word.map_addr(|address| address & !KIND).cast_const();
    // SAFETY: Without the kind it is the pointer that `Arc::into_raw` gave, whose count is still there.
    let origin = Origin(unsafe { Arc::from_raw(details) });
    let kind = match word.addr() & KIND {
        0 => Reason::Requested,
        1 => Reason::SiblingFailed,
        2 => Reason::Timeout,
        3 => Reason::ParentEnded,
        4 => Reason::Dropped,
        5 => Reason::Shutdown,
        kind => unreachable!("no reason is packed as {kind}"),
    };
    ManuallyDrop::new(kind(origin))
}

#[cfg(all(test, not(ballet_loom)))]
mod tests {
    use std::panic::Location;

    use super::*;
    use crate::context::Path;

    fn origin() -> Origin {
        Origin::new(Path::default(), Location::caller())
    }

    #[test]
    fn each_kind_of_reason_comes_back_as_it_was() {
        let kinds = [
            Reason::Requested,
            Reason::SiblingFailed,
            Reason::Timeout,
            Reason::ParentEnded,
            Reason::Dropped,
            Reason::Shutdown,
        ];
        for kind in kinds {
            let (asked, reason) = (Asked::new(), kind(origin()));
            let said = format!("{reason:?}");
            assert!(asked.set(&reason));
            let got = asked.get().map(|reason| format!("{reason:?}"));
            assert_eq!(got, Some(said));
        }
    }

    #[test]
    fn the_first_reason_stays_and_none_leaks() {
        let (first, second) = (origin(), origin());
        let asked = Asked::new();
        assert!(!asked.is_set() && asked.get().is_none());
        assert!(asked.set(&Reason::Timeout(first.clone())));
        assert!(!asked.set(&Reason::Shutdown(second.clone())));
        assert_eq!((Arc::strong_count(&first.0), Arc::strong_count(&second.0)), (2, 1));
        assert!(matches!(asked.get(), Some(Reason::Timeout(origin)) if Arc::ptr_eq(&origin.0, &first.0)));
        assert_eq!(Arc::strong_count(&first.0), 2);
        drop(asked);
        assert_eq!(Arc::strong_count(&first.0), 1);
    }
}

/// Run by `cargo xtask loom`.
#[cfg(all(test, ballet_loom))]
mod models {
    use std::panic::Location;

    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::context::Path;

    /// Two who cancel, and one who looks: one of the two was first, and whatever is seen stays. The origin is counted by
    /// `std`, which loom does not see into.
    #[test]
    fn of_two_reasons_one_stays() {
        loom::model(|| {
            let asked = Arc::new(Asked::new());
            let setting = |kind: fn(Origin) -> Reason| {
                let asked = Arc::clone(&asked);
                thread::spawn(move || asked.set(&kind(Origin::new(Path::default(), Location::caller()))))
            };
            let (one, other) = (setting(Reason::Timeout), setting(Reason::Shutdown));
            let seen = asked.get();
            let (one, other) = (one.join().unwrap(), other.join().unwrap());
            assert_ne!(one, other);
            let stays = asked.get().expect("one was set");
            assert_eq!(matches!(stays, Reason::Timeout(_)), one);
            assert!(seen.is_none_or(|seen| std::mem::discriminant(&seen) == std::mem::discriminant(&stays)));
        });
    }
}
