//! What a state is a function of: held values, its roots.

use std::sync::Arc;

use super::held::{Held, Root, Value};
use crate::flow::audience::Ticket;

pub(super) struct Derived<T> {
    /// Each of them once.
    pub(super) roots: Arc<[Arc<dyn Root>]>,
    derive: Arc<Derive<T>>,
}

/// Makes a state's value from those of its roots.
type Derive<T> = dyn Fn(&[Value]) -> Arc<T> + Send + Sync;

impl<T: Send + Sync + 'static> Derived<T> {
    /// The held value itself.
    pub(super) fn held(held: &Arc<Held<T>>) -> Self {
        let roots: [Arc<dyn Root>; 1] = [Ticket::new(held)];
        Self { roots: Arc::new(roots), derive: Arc::new(|values| typed(&values[0])) }
    }

    pub(super) fn map<U: Send + Sync + 'static>(
        self,
        derive: impl Fn(&T) -> U + Send + Sync + 'static,
    ) -> Derived<U> {
        let ours = self.derive;
        let derive = move |values: &[Value]| Arc::new(derive(&ours(values)));
        Derived { roots: self.roots, derive: Arc::new(derive) }
    }

    pub(super) fn combine<U, V>(
        self,
        other: Derived<U>,
        derive: impl Fn(&T, &U) -> V + Send + Sync + 'static,
    ) -> Derived<V>
    where
        U: Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let (ours, theirs) = (self.derive, other.derive);
        let mut roots = self.roots.to_vec();
        let places: Vec<_> = other.roots.iter().map(|root| place(root, &mut roots)).collect();
        let derive = move |values: &[Value]| {
            let of_theirs: Vec<_> = places.iter().map(|place| Arc::clone(&values[*place])).collect();
            Arc::new(derive(&ours(values), &theirs(&of_theirs)))
        };
        Derived { roots: roots.into(), derive: Arc::new(derive) }
    }
}

impl<T> Derived<T> {
    /// The value that these values of the roots make.
    pub(super) fn of(&self, values: &[Value]) -> Arc<T> {
        (self.derive)(values)
    }

    /// The value now.
    pub(super) fn value(&self) -> Arc<T> {
        match &*self.roots {
            [root] => self.of(&[root.value()]),
            roots => self.of(&roots.iter().map(|root| root.value()).collect::<Vec<_>>()),
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.roots.iter().all(|root| root.is_ended())
    }
}

impl<T> Clone for Derived<T> {
    fn clone(&self) -> Self {
        Self { roots: Arc::clone(&self.roots), derive: Arc::clone(&self.derive) }
    }
}

/// Where a root stands among others; at their end, if it was not among them.
fn place(root: &Arc<dyn Root>, roots: &mut Vec<Arc<dyn Root>>) -> usize {
    let known = roots.iter().position(|other| other.identity() == root.identity());
    known.unwrap_or_else(|| {
        roots.push(Arc::clone(root));
        roots.len() - 1
    })
}

/// A root's value, for the state that holds it.
fn typed<T: Send + Sync + 'static>(value: &Value) -> Arc<T> {
    let value = Arc::clone(value).downcast();
    value.unwrap_or_else(|_| unreachable!("a root's value has the type of the state that holds it"))
}
