//! What follows the tree: a job's name, its path, its deadline, and its trace (`trace`), and values under keys of your
//! own (`key`).
//!
//! A [`Context`] is immutable and shared; a child's values are its owner's, by reference, unless it adds some. It
//! refuses to carry a job or a scope: the tree of owners is kept by [`crate::job`], where no user can cut it.

mod key;
mod trace;
mod values;

pub use key::{Inheritance, Key};
pub use trace::{InvalidTraceParent, SpanId, Trace, TraceId, TraceParent};
pub(crate) use values::Values;

use std::borrow::Cow;
use std::fmt::{self, Write};
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

impl Name {
    /// Writes the name as part of a line, which it must not break.
    fn draw(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Given(name) => name.chars().try_for_each(|char| {
                if char.is_control() { write!(f, "{}", char.escape_default()) } else { f.write_char(char) }
            }),
            Name::Number(_) => write!(f, "{self}"),
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

    /// The value of `key`, if one is set for this code.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use ballet::{Context, Key};
    ///
    /// struct Tenant;
    /// impl Key for Tenant {
    ///     type Value = u32;
    /// }
    ///
    /// assert_eq!(Context::current().get(Tenant), None);
    /// ballet::with(Tenant, 7, async { assert_eq!(Context::current().get(Tenant), Some(&7)) }).await;
    /// # }
    /// ```
    #[must_use]
    pub fn get<K: Key>(&self, _: K) -> Option<&K::Value> {
        self.values.get::<K>()
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

/// Names that no node keeps any more.
struct Written(Vec<Name>);

impl Named for Written {
    fn names(&self) -> Vec<Name> {
        self.0.clone()
    }

    fn name(&self) -> Option<Name> {
        self.0.last().cloned()
    }
}

/// Where a job stands in the tree: the names from the root to it, joined by `/`.
///
/// A job without a name shows the number its owner gave it, as in `page/#2`. Making a path costs nothing; it is
/// written out only when it is displayed. Control characters in a name are escaped there, so that each path is one line.
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

    /// The same names, without the nodes that bear them: for what a node itself keeps, which would keep the node.
    pub(crate) fn written(self) -> Self {
        self.0.map_or_else(Self::default, |place| Self::of(Written(place.names())))
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
            name.draw(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
