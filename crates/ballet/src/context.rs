//! What follows the tree: a job's name, its path and its deadline.
//!
//! A [`Context`] is immutable and shared; a child's context is its owner's with a few entries of its own in
//! front, so deriving one costs one allocation. It refuses to carry a job or a scope: the tree of owners is kept
//! by [`crate::job`], where no user can cut it.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::cell::RefCell;
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
pub struct Context(Option<Arc<Entry>>);

/// One link: what a node added in front of its owner's context.
struct Entry {
    outer: Context,
    /// A segment of the path, where this link names a job.
    name: Option<Name>,
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

thread_local! {
    static CURRENT: RefCell<Context> = const { RefCell::new(Context(None)) };
}

impl Context {
    /// The context of the job that is running on this thread now.
    #[must_use]
    pub fn current() -> Context {
        CURRENT.with_borrow(Context::clone)
    }

    /// The name of the nearest named job, or `#n` where it has only a number; `None` outside every job.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.entries().find_map(|entry| entry.name.as_ref().map(Name::to_string))
    }

    /// The names from the root to here.
    #[must_use]
    pub fn path(&self) -> Path {
        Path(self.clone())
    }

    /// The instant after which the nearest enclosing [`timeout`](crate::timeout) elapses.
    ///
    /// Deadlines are inherited and the nearest wins, so this is the time that is really left.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.as_ref().and_then(|entry| entry.deadline)
    }

    pub(crate) fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let wanted = TypeId::of::<T>();
        self.entries()
            .find_map(|entry| entry.value.as_ref().filter(|(id, _)| *id == wanted))
            .and_then(|(_, value)| Arc::clone(value).downcast().ok())
    }

    pub(crate) fn with_name(&self, name: Name) -> Context {
        self.link(Some(name), None, None)
    }

    pub(crate) fn with_deadline(&self, deadline: Instant) -> Context {
        self.link(None, Some(deadline), None)
    }

    pub(crate) fn with_value<T: Any + Send + Sync>(&self, value: T) -> Context {
        self.link(None, None, Some((TypeId::of::<T>(), Arc::new(value))))
    }

    fn link(
        &self,
        name: Option<Name>,
        deadline: Option<Instant>,
        value: Option<(TypeId, Arc<dyn Any + Send + Sync>)>,
    ) -> Context {
        let deadline = match (self.deadline(), deadline) {
            (Some(outer), Some(own)) => Some(outer.min(own)),
            (outer, own) => outer.or(own),
        };
        Context(Some(Arc::new(Entry { outer: self.clone(), name, deadline, value })))
    }

    /// From the innermost entry outwards.
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        std::iter::successors(self.0.as_deref(), |entry| entry.outer.0.as_deref())
    }

    /// Makes this the current context of the thread until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered {
        Entered { outer: CURRENT.replace(self.clone()) }
    }
}

/// Puts the outer context back when a poll ends.
pub(crate) struct Entered {
    outer: Context,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(std::mem::take(&mut self.outer));
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("path", &self.path()).field("deadline", &self.deadline()).finish()
    }
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
pub struct Path(Context);

impl Path {
    /// Whether no job is named on the way: the path of code that runs outside every job.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.entries().all(|entry| entry.name.is_none())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&Name> = self.0.entries().filter_map(|entry| entry.name.as_ref()).collect();
        if names.is_empty() {
            return f.write_str("(root)");
        }
        names.reverse();
        for (index, name) in names.into_iter().enumerate() {
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
