//! Keys of your own.
//!
//! A [`Key`] is a type, so two keys can never be mistaken for each other, and each says itself what a child gets of
//! its value. Where the values are kept stands in `values`; how one is set for a piece of code, in `scope/with.rs`.

use std::fmt;

/// The key of a value in the [`Context`](crate::Context): a type of yours that names the value, its type, and what
/// a child gets of it.
///
/// # Examples
///
/// A tenant that follows the whole tree, and a depth that counts the generations:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Context, Inheritance, Key, Scope};
///
/// struct Tenant;
/// impl Key for Tenant {
///     type Value = &'static str;
/// }
///
/// struct Depth;
/// impl Key for Depth {
///     type Value = u32;
///     const INHERITANCE: Inheritance<u32> = Inheritance::Transformed(|parent| parent + 1);
/// }
///
/// let request = ballet::scope(async |s: Scope| {
///     s.spawn(async {
///         let context = Context::current();
///         assert_eq!(context.get(Tenant), Some(&"acme"));
///         assert_eq!(context.get(Depth), Some(&1));
///         Ok(())
///     });
///     Ok(())
/// });
/// ballet::with(Tenant, "acme", ballet::with(Depth, 0, request)).await?;
/// # Ok(()) }
/// ```
pub trait Key: 'static {
    /// What the key finds. Whoever lets go of a value last drops it, on whatever thread: a panic of its destructor is
    /// printed by the hook and goes no further.
    type Value: Send + Sync + 'static;

    /// What a child gets of its owner's value.
    const INHERITANCE: Inheritance<Self::Value> = Inheritance::Inherited;
}

/// What a child gets of its owner's value. A child is a job; a scope in the same job sees what the job sees.
///
/// Its examples stand at [`Key`].
pub enum Inheritance<V> {
    /// The same value.
    Inherited,
    /// Nothing: the value is seen by the job that set it, and not by its children.
    Local,
    /// What the function makes of the owner's value. It is called for each child, in `spawn`, by the code that
    /// spawns; a panic of it is a panic of `spawn`.
    Transformed(fn(&V) -> V),
}

impl<V> fmt::Debug for Inheritance<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Inheritance::Inherited => "Inherited",
            Inheritance::Local => "Local",
            Inheritance::Transformed(_) => "Transformed",
        })
    }
}
