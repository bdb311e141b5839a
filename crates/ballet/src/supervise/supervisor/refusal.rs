//! Why something that was asked of a supervisor was not done.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::incident::Incident;
use crate::job::Error;

/// Something asked of a supervisor's child was not done.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{Error, Life, Scope, Supervisor, child};
///
/// let supervisor = Supervisor::one_for_one().keep_open();
/// let children = supervisor.children();
/// ballet::scope(async |s: Scope| {
///     s.spawn(async { Ok(drop(supervisor.run().await?)) });
///     let broken = child("broken").run(async |_: Life| Err(Error::msg("no such host")));
///     let refused = children.add(broken).await.unwrap_err();
///     assert!(refused.incident().is_some_and(|incident| incident.failure().is_some()));
///     assert!(children.terminate("broken").await.unwrap_err().is_unknown()); // it is forgotten
///     Ok(children.stop())
/// })
/// .await?;
/// # Ok(()) }
/// ```
pub struct ChildError<E = Error> {
    child: Cow<'static, str>,
    why: WhyNot<E>,
}

enum WhyNot<E> {
    Ended,
    Unknown,
    Taken,
    Stopped,
    NotReady(Arc<Incident<E>>),
}

impl<E> ChildError<E> {
    fn new(child: &str, why: WhyNot<E>) -> Self {
        Self { child: child.to_owned().into(), why }
    }

    pub(super) fn ended() -> Self {
        Self { child: "".into(), why: WhyNot::Ended }
    }

    pub(super) fn unknown(child: &str) -> Self {
        Self::new(child, WhyNot::Unknown)
    }

    pub(super) fn taken(child: &str) -> Self {
        Self::new(child, WhyNot::Taken)
    }

    pub(super) fn stopped(child: &str) -> Self {
        Self::new(child, WhyNot::Stopped)
    }

    pub(super) fn not_ready(child: &str, incident: Arc<Incident<E>>) -> Self {
        Self::new(child, WhyNot::NotReady(incident))
    }

    /// Whether the supervisor has ended, or starts nobody any more.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.why, WhyNot::Ended)
    }

    /// Whether there is no child of this name.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self.why, WhyNot::Unknown)
    }

    /// Whether there is a child of this name already.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self.why, WhyNot::Taken)
    }

    /// Whether somebody stopped the child before it was ready.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self.why, WhyNot::Stopped)
    }

    /// How the child ended that did not become ready.
    #[must_use]
    pub fn incident(&self) -> Option<&Incident<E>> {
        match &self.why {
            WhyNot::NotReady(incident) => Some(incident),
            _ => None,
        }
    }

    fn describe(
        &self,
        f: &mut fmt::Formatter<'_>,
        incident: impl FnOnce(&Incident<E>, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let child = &self.child;
        match &self.why {
            WhyNot::Ended => f.write_str("the supervisor has ended, or starts nobody any more"),
            WhyNot::Unknown => write!(f, "the supervisor has no child `{child}`"),
            WhyNot::Taken => write!(f, "the supervisor has a child `{child}` already"),
            WhyNot::Stopped => write!(f, "the child `{child}` was stopped before it was ready"),
            WhyNot::NotReady(cause) => {
                write!(f, "the child `{child}` did not become ready: ")?;
                incident(cause, f)
            }
        }
    }
}

impl<E> Clone for ChildError<E> {
    fn clone(&self) -> Self {
        let why = match &self.why {
            WhyNot::Ended => WhyNot::Ended,
            WhyNot::Unknown => WhyNot::Unknown,
            WhyNot::Taken => WhyNot::Taken,
            WhyNot::Stopped => WhyNot::Stopped,
            WhyNot::NotReady(incident) => WhyNot::NotReady(Arc::clone(incident)),
        };
        Self { child: self.child.clone(), why }
    }
}

impl<E: fmt::Display> fmt::Display for ChildError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, |incident, f| write!(f, "{incident}"))
    }
}

impl<E: fmt::Debug> fmt::Debug for ChildError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, |incident, f| write!(f, "{incident:?}"))
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for ChildError<E> {}
