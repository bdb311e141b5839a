//! Work that takes a while without waiting for anything: unpacking and parsing.

use ballet::{Scope, scope};

use crate::source::Trouble;

/// Runs `work` where it keeps no other source from being served. As many as there are cores run at once, in the whole process.
///
/// # Errors
///
/// When it was cancelled.
///
/// # Panics
///
/// Resumes a panic of `work`.
///
/// # Cancel safety
///
/// Work that has begun goes on to its end, and its result is lost.
pub(crate) async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Trouble> {
    let done = scope(async |s: Scope| Ok(s.compute(move |_cancel| Ok(work())).await)).await;
    done.map_err(|failure| Trouble::Unreachable { why: format!("the visit was cut off: {failure}") })
}
