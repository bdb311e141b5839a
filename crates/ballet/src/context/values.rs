//! The values of a context: its deadline and a row for each key.
//!
//! One immutable table, shared by reference until something is set. It is flat, so a look-up reads as many rows as
//! there are keys in use, however deep the tree is; setting a value copies the rows and none of the values.

use std::any::{Any, TypeId};
use std::sync::Arc;

use tokio::time::Instant;

use super::{Inheritance, Key};

/// The values of a context, without its place in the tree. Cloning is one reference count, and none where there
/// are no values.
#[derive(Clone, Default)]
pub(crate) struct Values(Option<Arc<Table>>);

struct Table {
    /// The nearest of all deadlines.
    deadline: Option<Instant>,
    rows: Vec<Row>,
    /// A child's table is not this one: it has a row whose value is not simply inherited.
    differs_in_children: bool,
}

/// The value of one key.
#[derive(Clone)]
struct Row {
    key: TypeId,
    value: Stored,
    /// Makes the child's value; `None` where the child has the same.
    pass_on: Option<fn(&Stored) -> Option<Stored>>,
}

type Stored = Arc<dyn Any + Send + Sync>;

impl Values {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().and_then(|table| table.deadline)
    }

    pub(crate) fn get<K: Key>(&self) -> Option<&K::Value> {
        let wanted = TypeId::of::<K>();
        let row = self.rows().iter().find(|row| row.key == wanted)?;
        row.value.downcast_ref()
    }

    /// These values with the deadline, if there is one; the nearest stays.
    pub(crate) fn bounded_by(self, deadline: Option<Instant>) -> Self {
        let Some(own) = deadline else { return self };
        let nearest = self.deadline().map_or(own, |outer| outer.min(own));
        Self::of(Some(nearest), self.rows().to_vec())
    }

    pub(crate) fn with<K: Key>(&self, value: K::Value) -> Self {
        let own = Row::new::<K>(value);
        let mut rows = self.rows().to_vec();
        rows.retain(|row| row.key != own.key);
        rows.push(own);
        Self::of(self.deadline(), rows)
    }

    /// Whether a child has something else in place of these values.
    pub(crate) fn differ_in_children(&self) -> bool {
        self.0.as_ref().is_some_and(|table| table.differs_in_children)
    }

    /// What a child has in place of these values, where that is something else.
    pub(crate) fn for_child(&self) -> Option<Self> {
        let table = self.0.as_ref().filter(|table| table.differs_in_children)?;
        Some(Self::of(table.deadline, table.rows.iter().filter_map(Row::for_child).collect()))
    }

    fn of(deadline: Option<Instant>, rows: Vec<Row>) -> Self {
        let differs_in_children = rows.iter().any(|row| row.pass_on.is_some());
        Self(Some(Arc::new(Table { deadline, rows, differs_in_children })))
    }

    fn rows(&self) -> &[Row] {
        self.0.as_ref().map_or(&[], |table| &table.rows)
    }
}

impl Row {
    fn new<K: Key>(value: K::Value) -> Self {
        let pass_on: Option<fn(&Stored) -> Option<Stored>> = match K::INHERITANCE {
            Inheritance::Inherited => None,
            Inheritance::Local => Some(|_| None),
            Inheritance::Transformed(_) => Some(transformed::<K>),
        };
        Self { key: TypeId::of::<K>(), value: Arc::new(value), pass_on }
    }

    fn for_child(&self) -> Option<Self> {
        match self.pass_on {
            None => Some(self.clone()),
            Some(pass_on) => pass_on(&self.value).map(|value| Self { value, ..self.clone() }),
        }
    }
}

fn transformed<K: Key>(value: &Stored) -> Option<Stored> {
    let Inheritance::Transformed(transform) = K::INHERITANCE else { return None };
    let value: &K::Value = value.downcast_ref()?;
    Some(Arc::new(transform(value)))
}
