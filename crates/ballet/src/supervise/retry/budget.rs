//! What keeps retries to a share of the calls, however sick the other side is.

use std::sync::Arc;

use crate::context::Key;
use crate::job::current;
use crate::sync::{AtomicUsize, Ordering};

/// The budget counts in hundredths of a retry, so that a percentage can be paid in without floating point.
const RETRY: usize = 100;

/// A budget of retries that many callers share: each call pays a share of a retry in, and each retry takes one out.
///
/// So over any time there are at most `calls × percent ÷ 100 + burst` retries, and an outage is never turned into a
/// storm of them. Cloning is one reference count; all clones are one budget.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use ballet::{Backoff, Retry, RetryBudget};
///
/// let budget = RetryBudget::new(10, 3); // one retry for ten calls, and three in advance
/// let retry = Retry::new(5, Backoff::NONE).budget(&budget);
/// let mut attempts = 0;
/// for _call in 0..100 {
///     let failed = retry.run(|_| { attempts += 1; async { Err::<(), _>("down") } }).await;
///     assert!(failed.is_err());
/// }
/// assert_eq!(attempts, 100 + 3 + 9); // the first call found it full
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RetryBudget(Arc<Account>);

#[derive(Debug)]
struct Account {
    /// In hundredths of a retry.
    balance: AtomicUsize,
    deposit: usize,
    most: usize,
}

impl RetryBudget {
    /// A budget that allows `percent` retries for a hundred calls, and begins with `burst` of them. Quiet times do not
    /// fill it beyond that.
    #[must_use]
    pub fn new(percent: u32, burst: u32) -> Self {
        let most = (burst as usize).saturating_mul(RETRY);
        Self(Arc::new(Account { balance: AtomicUsize::new(most), deposit: percent as usize, most }))
    }

    /// How many retries could be made now.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.balance.load(Ordering::Relaxed) / RETRY
    }

    /// The budget of the context, where there is one.
    pub(in crate::supervise) fn of_context() -> Option<Self> {
        current().values().get::<Retries>().cloned()
    }

    /// A call is made.
    pub(in crate::supervise) fn deposit(&self) {
        let Account { balance, deposit, most } = &*self.0;
        let paid_in = |balance: usize| Some(balance.saturating_add(*deposit).min(*most));
        let _ = balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid_in);
    }

    /// Takes a retry out; `false` where none is left.
    pub(in crate::supervise) fn withdraw(&self) -> bool {
        let taken_out = |balance: usize| balance.checked_sub(RETRY);
        self.0.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken_out).is_ok()
    }
}

/// The budget that every [`Retry`](crate::Retry) below takes its retries out of, unless it has one of its own: a
/// built-in [`Key`], inherited by every child.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Backoff, Error, Retries, Retry, RetryBudget, SupervisorScope};
///
/// let budget = RetryBudget::new(0, 4);
/// let requests = ballet::supervisor_scope(async |s: SupervisorScope| {
///     for _request in 0..10 {
///         drop(s.spawn(async {
///             let down = async |_| Err::<(), _>(Error::msg("down"));
///             Ok(Retry::new(3, Backoff::NONE).run(down).await.unwrap_or_default())
///         }));
///     }
///     Ok(())
/// });
/// ballet::with(Retries, budget.clone(), requests).await?;
/// assert_eq!(budget.left(), 0); // the ten of them have retried four times
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Retries;

impl Key for Retries {
    type Value = RetryBudget;
}
