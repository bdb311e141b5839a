//! What follows the tree: a job's name, its path and its deadline.
//!
//! A [`Context`] is immutable and shared; a child's values are its owner's, by reference, unless it adds some. It
//! refuses to carry a job or a scope: the tree of owners is kept by [`crate::job`], where no user can cut it.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

/// Immutable values that follow the tree from a scope to its children.
///
/// Cloning is one reference count. Code that runs outside every scope sees an empty context.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Context, Scope};
///
/// ballet::scope(async |s: Scope| {
///     s.named("tailor").spawn(async {
///         assert_eq!(Context::current().name().as_deref(), Some("tailor"));
///         Ok(())
///     });
///     Ok(())
/// })
/// .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Context {
    values: Values,
    path: Path,
}

/// The values of a context, without its place in the tree. Cloning is one reference count, and none where there
/// are no values.
#[derive(Clone, Default)]
pub(crate) struct Values(Option<Arc<Entry>>);

/// One link: what a node added in front of its owner's values.
struct Entry {
    outer: Values,
    /// The nearest deadline, already the minimum of this link's and the outer ones.
    deadline: Option<Instant>,
    /// A typed value for the crate's own use, found by its type.
    value: Option<(TypeId, Arc<dyn Any + Send + Sync>)>,
}

/// A segment of a path: a given name, or the number a nameless job got from its owner.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    Given(Cow<'static, str>),
    Number(u64),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Given(name) => f.write_str(name),
            Name::Number(number) => write!(f, "#{number}"),
        }
    }
}

impl Context {
    pub(crate) fn new(values: Values, path: Path) -> Self {
        Self { values, path }
    }

    /// The name of the nearest named job, or `#n` where it has only a number; `None` outside every job.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.path.name()
    }

    /// The names from the root to here.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path.clone()
    }

    /// The instant after which the nearest enclosing [`timeout`](crate::timeout) elapses.
    ///
    /// Deadlines are inherited and the nearest wins, so this is the time that is really left.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.values.deadline()
    }
}

impl Values {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().and_then(|entry| entry.deadline)
    }

    pub(crate) fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let wanted = TypeId::of::<T>();
        self.entries()
            .find_map(|entry| entry.value.as_ref().filter(|(id, _)| *id == wanted))
            .and_then(|(_, value)| Arc::clone(value).downcast().ok())
    }

    pub(crate) fn with_deadline(&self, deadline: Instant) -> Self {
        self.link(Some(deadline), None)
    }

    pub(crate) fn with_value<T: Any + Send + Sync>(&self, value: T) -> Self {
        self.link(None, Some((TypeId::of::<T>(), Arc::new(value))))
    }

    /// What a child has in place of these values, where that is something else.
    pub(crate) fn for_child(&self) -> Option<Self> {
        None
    }

    fn link(&self, deadline: Option<Instant>, value: Option<(TypeId, Arc<dyn Any + Send + Sync>)>) -> Self {
        let deadline = match (self.deadline(), deadline) {
            (Some(outer), Some(own)) => Some(outer.min(own)),
            (outer, own) => outer.or(own),
        };
        Self(Some(Arc::new(Entry { outer: self.clone(), deadline, value })))
    }

    /// From the innermost entry outwards.
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        std::iter::successors(self.0.as_deref(), |entry| entry.outer.0.as_deref())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("path", &self.path()).field("deadline", &self.deadline()).finish()
    }
}

/// Something that has a place in the tree; the tree itself stands in [`crate::job`].
pub(crate) trait Named: Send + Sync {
    /// The names from the root to here.
    fn names(&self) -> Vec<Name>;

    /// The innermost of them.
    fn name(&self) -> Option<Name>;
}

/// Where a job stands in the tree: the names from the root to it, joined by `/`.
///
/// A job without a name shows the number its owner gave it, as in `page/#2`. Making a path costs nothing; it is
/// written out only when it is displayed.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Context, Scope};
///
/// ballet::scope(async |s: Scope| {
///     let path = s.named("page").spawn(async { Ok(Context::current().path()) });
///     assert_eq!(path.await.to_string(), "page");
///     Ok(())
/// })
/// .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Path(Option<Arc<dyn Named>>);

impl Path {
    pub(crate) fn of(place: impl Named + 'static) -> Self {
        Self(Some(Arc::new(place)))
    }

    /// Whether no job is named on the way: the path of code that runs outside every job.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.as_ref().is_none_or(|place| place.name().is_none())
    }

    /// The last name on the way.
    pub(crate) fn name(&self) -> Option<String> {
        self.0.as_ref().and_then(|place| place.name()).map(|name| name.to_string())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.as_ref().map(|place| place.names()).unwrap_or_default();
        if names.is_empty() {
            return f.write_str("(root)");
        }
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            write!(f, "{name}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
