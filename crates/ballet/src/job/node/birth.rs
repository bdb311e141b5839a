//! Where a node comes from: what it is born with, and how it keeps the node that it was born in.
//!
//! The invariants that are cited here stand at the head of `node`.

use std::mem::ManuallyDrop;
use std::panic::Location;

use super::{Node, NodeRef, Particulars, Role, Standing, Watched};
use crate::context::{Name, Values};
use crate::dispatch::guest::Ref;
use crate::job::{cell, current};
use crate::sync::Ordering;

/// What a node is born with.
pub(crate) struct Birth {
    pub(crate) role: Role,
    pub(crate) birth: Option<ManuallyDrop<NodeRef>>,
    /// `birth` counts no reference, because the node is taken into the family there or dropped first.
    pub(crate) is_borrowed: bool,
    pub(crate) is_inline: bool,
    /// The values of its context are those of `birth`.
    pub(crate) inherits_values: bool,
    pub(crate) place: &'static Location<'static>,
}

/// How a node keeps the one it was born in.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Keeping {
    /// By a reference of its own.
    Counted,
    /// By the number of records in the family that it was taken into; see invariant 7.
    Recorded,
    /// Not: it has not been taken in yet, or there is nothing left to give up.
    Borrowed,
}

impl Node {
    pub(super) fn root_of(
        name: Option<Name>,
        values: Values,
        place: &'static Location<'static>,
    ) -> Ref<Watched> {
        let (role, birth) = (Role::Root, None);
        let birth =
            Birth { role, birth, is_borrowed: false, is_inline: false, inherits_values: false, place };
        cell::passive(birth, Particulars::passive(name, values))
    }

    /// A root of its own, for a test.
    #[cfg(feature = "testing")]
    pub(crate) fn test_root(name: String, values: Values, place: &'static Location<'static>) -> Ref<Watched> {
        Self::root_of(Some(Name::Given(name.into())), values, place)
    }

    /// A region inside the current node: it can be asked to end and holds shields, and owns nothing.
    pub(crate) fn region(values: Values, place: &'static Location<'static>) -> Ref<Watched> {
        cell::passive(Self::inline_birth(Role::Region, place), Particulars::passive(None, values))
    }

    /// What a scope is born with that the current task polls.
    pub(in crate::job) fn scope_birth(
        values: Values,
        place: &'static Location<'static>,
    ) -> (Birth, Option<Particulars>) {
        (Self::inline_birth(Role::Scope, place), Particulars::passive(None, values))
    }

    fn inline_birth(role: Role, place: &'static Location<'static>) -> Birth {
        let birth = Some(ManuallyDrop::new(current()));
        Birth { role, birth, is_borrowed: false, is_inline: true, inherits_values: false, place }
    }

    pub(in crate::job) fn birth(&self) -> Option<&NodeRef> {
        self.birth.as_deref()
    }

    /// What this node was born in.
    #[cfg(feature = "testing")]
    pub(crate) fn birth_ref(&self) -> Option<NodeRef> {
        self.birth().cloned()
    }

    fn give_up_births(&mut self) {
        let mut next = self.give_up_birth();
        while let Some(mut birth) = next {
            next = birth.get_mut().and_then(Node::give_up_birth);
        }
    }

    /// The reference to the birth that has to be dropped now, if there is any.
    fn give_up_birth(&mut self) -> Option<NodeRef> {
        let birth = self.birth.take()?;
        match self.keeping.load(Ordering::Relaxed) {
            keeping if keeping == Keeping::Counted as u8 => Some(ManuallyDrop::into_inner(birth)),
            keeping if keeping == Keeping::Recorded as u8 => birth.household().family.lock().strike(),
            _ => None,
        }
    }
}

/// Gives the births up one after the other: freed inside each other, the nodes of a deep tree would use up the stack.
impl Drop for Node {
    #[inline]
    fn drop(&mut self) {
        debug_assert!(
            !self.stands(Standing::AtBirth) && !self.stands(Standing::Moved),
            "it is freed in a family"
        );
        if self.keeping.load(Ordering::Relaxed) != Keeping::Borrowed as u8 {
            self.give_up_births();
        }
    }
}
