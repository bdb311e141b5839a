//! The handle to a supervisor that runs: looks at its children, adds and stops them one by one, stops them all.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::refusal::ChildError;
use super::roster::{Answer, Roster};
use super::spec::Supervised;
use super::status::{Census, ChildStatus};
use super::{Rules, Strategy};
use crate::job::{Error, Fault, Origin, Reason, Remark, current, lock};
use crate::sync::{Mutex, MutexGuard};

/// Commands that wait for a supervisor that is busy; whoever comes then waits to send.
const COMMANDS_MAX: usize = 32;

/// The children of a supervisor, from outside; made by [`Supervisor::children`](crate::Supervisor::children).
///
/// Cloning is one reference count. Looking costs a lock and stops no child. What changes something is done by the
/// supervisor, one command after the other, and waits: before the supervisor runs, until it does; between two runs of
/// a supervisor that is itself restarted, until the next.
///
/// # Cancel safety
///
/// Dropping a call before the supervisor has taken the command changes nothing. Dropped later, the command is still
/// carried out, and nobody is told.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{ChildState, Error, Life, Scope, Supervised, Supervisor, child};
///
/// fn source(name: &'static str) -> Supervised {
///     child(name).run(async |life: Life| {
///         life.ready();
///         std::future::pending().await
///     })
/// }
///
/// let sources = Supervisor::one_for_one().child(source("news")).keep_open();
/// let children = sources.children();
/// ballet::scope(async |s: Scope| {
///     let report = s.named("sources").spawn(async { Ok(sources.run().await?) });
///     children.add(source("weather")).await?; // it is ready
///     assert_eq!(children.count().up, 2);
///     assert!(children.add(source("news")).await.unwrap_err().is_taken());
///
///     children.terminate("news").await?; // it has ended
///     assert_eq!(children.list()[0].state, ChildState::Down);
///     children.restart("news").await?;
///     children.remove("weather").await?;
///     assert_eq!(children.count().total(), 1);
///
///     children.stop();
///     assert_eq!(report.await.to_string(), "it was told to stop (0 incidents, 0 restarts)");
///     Ok(())
/// })
/// .await?;
/// assert!(children.terminate("news").await.unwrap_err().is_ended());
/// # Ok(()) }
/// ```
pub struct Children<E: Fault = Error> {
    seat: watch::Receiver<Option<Arc<Run<E>>>>,
}

impl<E: Fault> Children<E> {
    pub(super) fn new(seat: watch::Receiver<Option<Arc<Run<E>>>>) -> Self {
        Self { seat }
    }

    /// Waits until all children that the supervisor was made with have been ready.
    ///
    /// # Errors
    ///
    /// [`ChildError`], which [is ended](ChildError::is_ended): it ended before, or starts nobody any more and had not
    /// started all.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub async fn ready(&self) -> Result<(), ChildError<E>> {
        let mut opened = self.run().await?.opened.subscribe();
        let opened = opened.wait_for(Option::is_some).await.ok().and_then(|opened| *opened);
        if opened == Some(true) { Ok(()) } else { Err(ChildError::ended()) }
    }

    /// Adds a child after all others, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// [`ChildError`]: the name is taken, the child did not become ready and is forgotten, somebody stopped it first, or
    /// the supervisor has ended or starts nobody any more.
    pub async fn add(&self, child: Supervised<E>) -> Result<(), ChildError<E>> {
        self.command(|answer| Command::Add(child, answer)).await
    }

    /// Stops a child, and waits until it has ended. It can be [restarted](Self::restart), unless it is temporary:
    /// that is forgotten.
    ///
    /// # Errors
    ///
    /// [`ChildError`]: there is no such child, or the supervisor has ended.
    #[track_caller]
    pub fn terminate(&self, name: &str) -> impl Future<Output = Result<(), ChildError<E>>> + Send {
        self.by_name(Order::Terminate, name, Location::caller())
    }

    /// Stops a child, waits until it has ended, and forgets it: its name is free.
    ///
    /// # Errors
    ///
    /// As [`terminate`](Self::terminate).
    #[track_caller]
    pub fn remove(&self, name: &str) -> impl Future<Output = Result<(), ChildError<E>>> + Send {
        self.by_name(Order::Remove, name, Location::caller())
    }

    /// Gives a child a new life now, and waits until it is ready. The life that it has is stopped first; a backoff that
    /// it waits for is cut short. This is no restart that counts: its siblings are not touched.
    ///
    /// # Errors
    ///
    /// [`ChildError`]: there is no such child, it did not become ready and stays down, somebody stopped it first, or the
    /// supervisor has ended or starts nobody any more.
    #[track_caller]
    pub fn restart(&self, name: &str) -> impl Future<Output = Result<(), ChildError<E>>> + Send {
        self.by_name(Order::Restart, name, Location::caller())
    }

    /// Asks the supervisor to stop its children, last first, and to return its report. The second call does nothing,
    /// and so does one while it does not run.
    pub fn stop(&self) {
        if let Some(run) = &*self.seat.borrow() {
            run.stop.notify_one();
        }
    }

    /// Every child as it is now, in the order in which they are started; none while the supervisor does not run.
    #[doc(alias = "which_children")]
    #[must_use]
    pub fn list(&self) -> Vec<ChildStatus<E>> {
        self.seat.borrow().as_ref().map(|run| run.roster().statuses()).unwrap_or_default()
    }

    /// How many children are where; none while the supervisor does not run.
    #[doc(alias = "count_children")]
    #[must_use]
    pub fn count(&self) -> Census {
        self.seat.borrow().as_ref().map(|run| run.roster().census()).unwrap_or_default()
    }

    async fn by_name(
        &self,
        order: Order,
        name: &str,
        place: &'static Location<'static>,
    ) -> Result<(), ChildError<E>> {
        let reason = Reason::Requested(Origin::new(current().path(), place));
        self.command(|answer| Command::ByName { order, name: name.to_owned(), reason, answer }).await
    }

    async fn command(&self, make: impl FnOnce(Answer<E>) -> Command<E>) -> Result<(), ChildError<E>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.run().await?.commands.send(make(answer)).await;
        sent.map_err(|_| ChildError::ended())?;
        // Where the supervisor ends first, the answer is dropped with the command. A command that was sent at the same
        // moment lies in the channel until the last sender is gone, so none is kept here.
        answered.await.unwrap_or_else(|_| Err(ChildError::ended()))
    }

    /// The run that is on, or the next one.
    async fn run(&self) -> Result<Arc<Run<E>>, ChildError<E>> {
        let mut seat = self.seat.clone();
        let run = seat.wait_for(Option::is_some).await.map_err(|_| ChildError::ended())?;
        run.clone().ok_or_else(ChildError::ended)
    }
}

impl<E: Fault> Clone for Children<E> {
    fn clone(&self) -> Self {
        Self { seat: self.seat.clone() }
    }
}

impl<E: Fault> fmt::Debug for Children<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

/// What somebody outside asks of a supervisor.
pub(super) enum Command<E: Fault> {
    Add(Supervised<E>, Answer<E>),
    ByName { order: Order, name: String, reason: Reason, answer: Answer<E> },
}

#[derive(Clone, Copy)]
pub(super) enum Order {
    Terminate,
    Remove,
    Restart,
}

/// What the handles share with one run of a supervisor.
pub(super) struct Run<E: Fault> {
    strategy: Strategy,
    roster: Mutex<Roster<E>>,
    commands: mpsc::Sender<Command<E>>,
    /// Whether the children that it was made with have all been ready; `None` until it is known.
    pub(super) opened: watch::Sender<Option<bool>>,
    pub(super) stop: Notify,
}

impl<E: Fault> Run<E> {
    /// A run, and the commands that the director is to carry out.
    pub(super) fn new(rules: Rules) -> (Arc<Self>, mpsc::Receiver<Command<E>>) {
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let run = Self {
            strategy: rules.strategy,
            roster: Mutex::new(Roster::new(rules)),
            commands,
            opened: watch::Sender::new(None),
            stop: Notify::new(),
        };
        (Arc::new(run), received)
    }

    /// No code of the user's runs under this lock.
    pub(super) fn roster(&self) -> MutexGuard<'_, Roster<E>> {
        lock(&self.roster)
    }
}

/// What the supervisor's scope says in the tree.
impl<E: Fault> Remark for Run<E> {
    fn remark(&self) -> String {
        format!("{}: {}", self.strategy, self.roster().census())
    }
}
