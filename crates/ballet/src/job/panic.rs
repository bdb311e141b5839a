//! A panic that was caught in a job, on its way to the one who must see it.

use std::any::Any;
use std::fmt;
use std::panic::Location;

use super::{NodeRef, current};
use crate::context::Path;
use crate::observe::Kind;
use crate::sync::Mutex;

/// A caught panic, with the path and the place of birth of the job in which it happened.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::SupervisorScope;
///
/// ballet::supervisor_scope(async |s: SupervisorScope| {
///     let clown = s.named("clown").spawn::<(), _>(async { panic!("slipped") });
///     let failure = clown.await.unwrap_err();
///     let panic = failure.panic().expect("it panicked");
///     assert_eq!((panic.path().to_string(), panic.message().as_deref()), ("clown".into(), Some("slipped")));
///     Ok(())
/// })
/// .await?;
/// # Ok(()) }
/// ```
pub struct Panic(Box<Caught>);

/// Boxed, so that an outcome has room for what it nearly always is, and not for this.
struct Caught {
    path: Path,
    place: &'static Location<'static>,
    /// In a mutex only to be `Sync`; nobody contends for it.
    payload: Mutex<Box<dyn Any + Send>>,
}

impl Panic {
    /// Takes what `catch_unwind` caught. A panic that comes up from a scope further in keeps the path it has.
    pub(crate) fn caught(payload: Box<dyn Any + Send>, node: &NodeRef) -> Self {
        match payload.downcast::<Panic>() {
            Ok(inner) => *inner,
            Err(payload) => {
                let (path, place, payload) = (node.path(), node.place, Mutex::new(payload));
                Self(Box::new(Caught { path, place, payload }))
            }
        }
    }

    /// The path of the job that panicked.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Where that job was spawned.
    #[must_use]
    pub fn place(&self) -> &'static Location<'static> {
        self.0.place
    }

    /// The panic's message, if it is text.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let payload = super::lock(&self.0.payload);
        payload
            .downcast_ref::<&'static str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
    }

    /// What was given to `panic!` or `resume_unwind`.
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.0.payload.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Goes on unwinding in the owner.
    ///
    /// Inside another job the payload is this `Panic`, so that nothing of it is lost on the way up. Where it leaves
    /// the tree, a message becomes a `String` that begins with the job's path and place; any other payload stays as
    /// it is.
    pub(crate) fn resume(self) -> ! {
        if current().nearest_owner().kind() != Kind::Root {
            std::panic::resume_unwind(Box::new(self));
        }
        match self.message() {
            Some(message) => std::panic::resume_unwind(Box::new(format!(
                "job `{}`, spawned at {}, panicked: {message}",
                self.0.path, self.0.place
            ))),
            None => std::panic::resume_unwind(self.into_payload()),
        }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message();
        write!(f, "panicked: {}", message.as_deref().unwrap_or("(a payload that is not text)"))
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic")
            .field("path", &self.0.path)
            .field("place", &format_args!("{}", self.0.place))
            .field("message", &self.message())
            .finish_non_exhaustive()
    }
}
