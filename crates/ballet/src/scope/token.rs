//! A scope's cancellation as a token of tokio-util's.

use tokio_util::sync::CancellationToken;

use super::{Scope, cancelled};
use crate::job::Fault;

impl<E: Fault, D> Scope<E, D> {
    /// A token for code that waits for one: it is cancelled when the scope is asked to end, when whatever is around
    /// it in the same job is, and at the latest when the scope has ended.
    ///
    /// Cancelling the token does not reach the scope. For that direction there is
    /// [`cancel_when`](Self::cancel_when)`(token.cancelled_owned())`.
    ///
    /// # Examples
    ///
    /// A server of another library ends with the job that it runs in:
    ///
    /// ```
    /// # mod library {
    /// #     pub async fn serve(token: tokio_util::sync::CancellationToken) -> &'static str {
    /// #         token.cancelled().await;
    /// #         "drained"
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::Scope;
    /// use std::time::Duration;
    ///
    /// let said = ballet::scope(async |s: Scope| {
    ///     let server = s.named("server").graceful(Duration::from_secs(10)).spawn(async {
    ///         let served = ballet::scope(async |s: Scope| Ok(library::serve(s.token()).await));
    ///         Ok(served.await?)
    ///     });
    ///     server.job().cancel();
    ///     Ok(server.await)
    /// })
    /// .await?;
    /// assert_eq!(said, "drained");
    /// # Ok(()) }
    /// ```
    ///
    /// # Cost
    ///
    /// The first token of a scope is watched for as long as the scope lasts; each further one is a child of that, which
    /// is forgotten when its clones are dropped.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        let mut unwatched = None;
        let watched = self.frame.beside.token.get_or_init(|| {
            let token = CancellationToken::new();
            unwatched = Some(token.clone().drop_guard());
            token
        });
        if let Some(cancels) = unwatched {
            self.watch(async move {
                cancelled().await;
                drop(cancels);
            });
        }
        watched.child_token()
    }
}
