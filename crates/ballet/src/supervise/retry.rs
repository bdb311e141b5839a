//! Trying again: as often as the schedule, the deadline and the budget allow, and no oftener.
//!
//! A [`Retry`] is a policy, plain data; it is given the call and runs it in its caller's own task. `budget` keeps the
//! retries of many callers to a share of their calls. It refuses to guess which errors are worth another attempt:
//! without [`when`](Retry::when) all are.

mod budget;

pub use budget::{Retries, RetryBudget};

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until};

use super::backoff::{Backoff, after};
use crate::job::{Remark, current, remark};

/// The longest delay of a server that a retry waits for. Where it asks for more, the call has failed: what comes back in
/// a quarter of an hour should be planned, and not waited for.
pub const SERVER_DELAY_MAX: Duration = Duration::from_secs(5 * 60);

/// A policy of trying again.
///
/// A call is tried again after a delay of the [`Backoff`], unless
///
/// - it was tried as often as the policy says;
/// - [`when`](Self::when) says that its error is not worth it;
/// - the delay would not end before the deadline: that of [`until`](Self::until), or of the nearest
///   [`timeout`](crate::timeout) around;
/// - the [budget](RetryBudget) is spent: that of [`budget`](Self::budget), or else of the context, under [`Retries`].
///
/// Then the last error is returned as it is; those before are written to `tracing` at the debug level. While it waits,
/// the job says so in the tree.
///
/// # Cost
///
/// Nothing is allocated unless a call fails.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use ballet::{Again, Backoff, Retry};
/// use std::time::Duration;
///
/// #[derive(Debug, PartialEq)]
/// enum Fault {
///     Busy { retry_after: Duration },
///     Broken,
///     NotFound,
/// }
///
/// let retry = Retry::new(4, Backoff::exponential(Duration::from_millis(50), Duration::from_secs(2)));
/// let patient = retry.when(|fault: &Fault| match fault {
///     Fault::Busy { retry_after } => Again::After(*retry_after),
///     Fault::Broken => Again::Backoff,
///     Fault::NotFound => Again::Never,
/// });
///
/// let answer = patient.run(async |attempt| if attempt < 3 { Err(Fault::Broken) } else { Ok(attempt) }).await;
/// assert_eq!(answer, Ok(3));
/// let answer = patient.run(async |attempt| if attempt == 1 { Err(Fault::NotFound) } else { Ok(()) }).await;
/// assert_eq!(answer, Err(Fault::NotFound));
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a retry does nothing until it is given a call to `run`"]
pub struct Retry {
    attempts: u32,
    backoff: Backoff,
    deadline: Option<Instant>,
    budget: Option<RetryBudget>,
}

/// Whether and when a failed call is tried again.
///
/// # Examples
///
/// See [`Retry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Not at all: it would fail again.
    Never,
    /// After the delay of the policy.
    Backoff,
    /// After this time, which a server asked for, and then the delay of the policy, so that not all who were told the
    /// same come back at once. At most [`SERVER_DELAY_MAX`].
    After(Duration),
}

impl From<bool> for Again {
    fn from(again: bool) -> Self {
        if again { Again::Backoff } else { Again::Never }
    }
}

impl Retry {
    /// At most `attempts` attempts, the first included; at least one is made.
    pub const fn new(attempts: u32, backoff: Backoff) -> Self {
        Self { attempts, backoff, deadline: None, budget: None }
    }

    /// No attempt but the first begins after `deadline`. The deadline of a timeout around the call counts without being told.
    pub fn until(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Retries come out of this budget.
    pub fn budget(mut self, budget: &RetryBudget) -> Self {
        self.budget = Some(budget.clone());
        self
    }

    /// Lets `judge` say of each error whether it is worth another attempt: by an [`Again`], or a `bool`.
    pub fn when<E, A, J>(self, judge: J) -> RetryWhen<J>
    where
        J: Fn(&E) -> A,
        A: Into<Again>,
    {
        RetryWhen { retry: self, judge }
    }

    /// Makes the call, and makes it again as long as it fails and the policy allows. `call` is given the number of the
    /// attempt, from 1.
    ///
    /// # Errors
    ///
    /// The error of the last attempt.
    ///
    /// # Panics
    ///
    /// When it has to wait outside a Tokio runtime with its timer on. A panic of `call` is not an error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the attempt that is under way, or the wait.
    pub fn run<T, E, C, F>(&self, call: C) -> impl Future<Output = Result<T, E>> + use<T, E, C, F>
    where
        C: FnMut(u32) -> F,
        F: Future<Output = Result<T, E>>,
        E: fmt::Debug,
    {
        let retry = self.clone();
        async move { retry.run_judged(call, |_| Again::Backoff).await }
    }

    async fn run_judged<T, E, F>(
        &self,
        mut call: impl FnMut(u32) -> F,
        judge: impl Fn(&E) -> Again,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Debug,
    {
        let budget = self.budget.clone().or_else(RetryBudget::of_context);
        budget.iter().for_each(RetryBudget::deposit);
        let mut attempt = 1;
        loop {
            let delay = match call(attempt).await {
                Ok(value) => return Ok(value),
                Err(error) => match self.delay(attempt, judge(&error), budget.as_ref()) {
                    Ok(delay) => {
                        tracing::debug!(target: "ballet", attempt, ?delay, "a call is tried again: {error:?}");
                        delay
                    }
                    Err(why) => {
                        tracing::debug!(target: "ballet", attempt, why, "a call is not tried again");
                        return Err(error);
                    }
                },
            };
            attempt += 1;
            let pause = Pause { attempt, of: self.attempts, until: after(Instant::now(), delay) };
            let _remark = (!delay.is_zero()).then(|| remark(Arc::new(pause)));
            if delay.is_zero() {
                consume_budget().await;
            } else {
                sleep_until(pause.until).await;
            }
        }
    }

    /// How long to wait after an attempt that failed, or why there is none after it.
    fn delay(
        &self,
        attempt: u32,
        again: Again,
        budget: Option<&RetryBudget>,
    ) -> Result<Duration, &'static str> {
        let backoff = self.backoff.delay(attempt - 1);
        let delay = match again {
            _ if attempt >= self.attempts => return Err("it was the last attempt"),
            Again::Never => return Err("its error is not worth another attempt"),
            Again::Backoff => backoff,
            Again::After(least) if least > SERVER_DELAY_MAX => {
                return Err("the server asks for too long a delay");
            }
            Again::After(least) => least.saturating_add(backoff),
        };
        let (until, around) = (after(Instant::now(), delay), current().values().deadline());
        if self.deadline.into_iter().chain(around).any(|deadline| deadline <= until) {
            return Err("the deadline comes first");
        }
        if budget.is_some_and(|budget| !budget.withdraw()) {
            return Err("the budget is spent");
        }
        Ok(delay)
    }
}

/// A [`Retry`] that judges errors; made by [`Retry::when`].
///
/// # Examples
///
/// See [`Retry`].
#[must_use = "a retry does nothing until it is given a call to `run`"]
pub struct RetryWhen<J> {
    retry: Retry,
    judge: J,
}

impl<J> RetryWhen<J> {
    /// Makes the call, and makes it again as long as it fails and the policy allows; see [`Retry::run`].
    ///
    /// # Errors
    ///
    /// The error of the last attempt.
    pub async fn run<T, E, A, F>(&self, call: impl FnMut(u32) -> F) -> Result<T, E>
    where
        J: Fn(&E) -> A,
        A: Into<Again>,
        F: Future<Output = Result<T, E>>,
        E: fmt::Debug,
    {
        self.retry.run_judged(call, |error| (self.judge)(error).into()).await
    }
}

impl<J> fmt::Debug for RetryWhen<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RetryWhen").field(&self.retry).finish()
    }
}

/// The wait before an attempt.
#[derive(Clone, Copy)]
struct Pause {
    attempt: u32,
    of: u32,
    until: Instant,
}

impl Remark for Pause {
    fn remark(&self) -> String {
        let left = self.until.saturating_duration_since(Instant::now());
        format!("waits for its attempt {} of {}, in {left:.1?}", self.attempt, self.of)
    }
}
