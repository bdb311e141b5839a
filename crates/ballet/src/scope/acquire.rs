//! A resource and its end, in one call: what was opened is closed, whatever ends the scope.

use std::panic::Location;

use super::finalizer::Finalizer;
use super::lend::{Escaped, Lent, lend};
use super::{FINALIZER_BUDGET, Scope, shield};
use crate::job::Fault;
use crate::observe::say;

impl<E: Fault, D> Scope<E, D> {
    /// Opens a resource and registers its end as a finalizer, with nothing in between: what `open` gave is always
    /// closed.
    ///
    /// `open` is [shielded](crate::shield): a cancellation waits until the resource is open and its end registered.
    /// `close` runs when the body and all children have ended, in the order of [`defer`](Self::defer), last opened
    /// first closed, and gets the resource itself. Until then the code of the scope has it as a [`Lent`], to clone
    /// into its children.
    ///
    /// Handles are gone when the finalizers run. Where one has left the scope, or is held by a resource that is
    /// closed later, `close` waits for it within the finalizer's budget of [`FINALIZER_BUDGET`] and a `tracing`
    /// warning names the line that acquired. If the budget runs out, the resource is dropped with its last handle.
    ///
    /// # Errors
    ///
    /// The error of `open`; nothing is registered then. An error of `close` is the scope's, as in
    /// [`defer`](Self::defer).
    ///
    /// # Panics
    ///
    /// When the scope has ended. A resource that was opened meanwhile is closed first.
    ///
    /// # Cancel safety
    ///
    /// Foreign code that drops this future, a `select!` for instance, drops `open` half-way: what that had opened and
    /// not yet returned is its own to clean up. Once it has returned, the resource is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::Scope;
    /// use tokio::net::{TcpListener, TcpStream};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let address = listener.local_addr()?;
    /// ballet::scope(async |s: Scope| {
    ///     let open = async { Ok(TcpStream::connect(address).await?) };
    ///     let stream = s.acquire(open, async |mut stream: TcpStream| Ok(stream.shutdown().await?)).await?;
    ///     stream.try_write(b"bow")?;
    ///     Ok(())
    /// })
    /// .await?;
    /// let mut heard = String::new();
    /// listener.accept().await?.0.read_to_string(&mut heard).await?;
    /// assert_eq!(heard, "bow");
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn acquire<R, C, F>(
        &self,
        open: impl Future<Output = Result<R, E>>,
        close: C,
    ) -> impl Future<Output = Result<Lent<R>, E>>
    where
        R: Send + 'static,
        C: FnOnce(R) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let place = Location::caller();
        shield(async move {
            let (lent, home) = lend(open.await?, place);
            let end = async move { close(come_home(home).await).await };
            let Err(refused) = self.frame.try_defer(Finalizer::new(end, FINALIZER_BUDGET, place)) else {
                return Ok(lent);
            };
            drop(lent);
            refused.future.await?;
            panic!("acquire at {place} on a scope that has ended: nobody is left to run the finalizer");
        })
    }
}

/// Waits for the resource, and says so where it has to.
async fn come_home<R>(home: Escaped<R>) -> R {
    match home.look() {
        Ok(resource) => resource,
        Err(escaped) => {
            say(|| {
                tracing::warn!(target: "ballet", place = %escaped.place(), "a finalizer waits: {escaped}");
            });
            escaped.returned().await
        }
    }
}
