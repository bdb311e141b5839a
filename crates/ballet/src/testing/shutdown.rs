//! A shutdown, held to a limit.

use std::time::Duration;

use crate::job::Error;
use crate::lifecycle::{Curtain, Ending, Phase, Stage};
use crate::scope::Scope;

/// Runs a program until it is [ready](crate::Phases::is_ready), asks it to end, and asserts that it has ended within
/// `limit` and that nothing was lost. Gives the [`Curtain`], for what else a test wants to know.
///
/// In virtual time the limit may be minutes and the test takes none.
///
/// # Panics
///
/// With the timeline, where the shutdown took longer than `limit`, lost something, or the program failed or panicked.
///
/// # Examples
///
/// ```
/// # ballet::testing::run("example", async {
/// use ballet::{Scope, Stage, testing::assert_shutdown_within};
/// use std::time::Duration;
///
/// let app = async |s: Scope| {
///     s.named("server").spawn(async {
///         ballet::draining().await;
///         Ok(tokio::time::sleep(Duration::from_secs(3)).await) // the requests in flight
///     });
///     Ok(())
/// };
/// let curtain = assert_shutdown_within(Duration::from_secs(5), Stage::new(), app).await;
/// assert_eq!(curtain.took(), Duration::from_secs(3));
/// # });
/// ```
pub async fn assert_shutdown_within<B>(limit: Duration, stage: Stage, body: B) -> Curtain
where
    B: AsyncFnOnce(Scope) -> Result<(), Error>,
{
    let phases = stage.phases();
    let ask = async {
        phases.reached(Phase::Running).await;
        phases.shut_down();
    };
    let (curtain, ()) = tokio::join!(stage.run(body), ask);
    let went_well = matches!(curtain.ending(), Ending::Completed | Ending::Cancelled);
    assert!(went_well || curtain.is_lossy(), "the program failed:\n{curtain}");
    assert!(!curtain.is_lossy(), "the shutdown lost something:\n{curtain}");
    assert!(curtain.took() <= limit, "the shutdown was to take {limit:?} at most:\n{curtain}");
    curtain
}
