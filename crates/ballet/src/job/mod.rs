//! One child: how it is known, how it runs, how it ends, and who waits for it.
//!
//! This module owns the tree of [`Node`]s and the life of a job; which failure ends which sibling is decided by
//! the [`Owner`]'s domain. It refuses to detach: every node has an owner from birth to end. Read `node` for the
//! tree, `cell` for the one allocation of a job, `current` for what runs on a thread, `life` for the life, `owner`
//! for failure domains, `deferred` for results.

mod asked;
mod cell;
mod current;
mod deferred;
mod error;
mod life;
mod node;
mod outcome;
mod owner;
mod panic;
mod position;
mod reason;
mod remark;

pub use deferred::{Deferred, Job};
pub use error::Error;
pub use node::tree;
pub use outcome::{Failure, Fault, Outcome};
pub use owner::{Isolated, Together};
pub use panic::Panic;
pub use reason::{Origin, Reason};

pub(crate) use cell::{Carried, Claim, Home, WithOwner};
pub(crate) use current::{Shielding, current};
pub(crate) use life::Manner;
pub(crate) use node::{Node, NodeRef, Watched};
pub(crate) use owner::{Domain, Ledger, Owner, Terms};
#[cfg(feature = "testing")]
pub(crate) use owner::{Seen, Witness};
#[cfg(feature = "testing")]
pub(crate) use remark::ask;
pub(crate) use remark::{Remark, Remarked, remark, waits_for};

use std::sync::PoisonError;

use crate::sync::{Mutex, MutexGuard};

/// Locks, and goes on where another thread panicked while it held the lock: every critical section of this crate
/// leaves its data whole at each step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
