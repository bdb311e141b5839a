//! Carries out what the books say: begins lives, asks them to end, and tells the books what has happened.
//!
//! One director is one run of a supervisor. It is the only one who writes the books of that run, and it waits in one
//! place, for whatever comes first: so a child that is slow to start or to stop holds up nobody but those who come
//! after it in the order.

use std::collections::HashMap;
use std::future::{pending, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Poller, Poll};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::children::{Command, Order, Run};
use super::incident::{Incident, report};
use super::roster::{Action, Id, Verdict};
use super::spec::{Body, Supervised};
use super::verdict::{Closing, Escalation, Report};
use super::{Life, Signal, Sink};
use crate::context::Path;
use crate::job::{Deferred, Failure, Fault, Isolated, Job, Origin, Reason};
use crate::observe::say;
use crate::scope::{Starting, SupervisorScope, begin, cancelled};
use crate::sync::contain;

type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(super) struct Director<E: Fault> {
    scope: SupervisorScope<E>,
    run: Arc<Run<E>>,
    cast: HashMap<Id, Part<E>>,
    /// One for each life: until it is ready, then until it has ended.
    lives: FuturesUnordered<Waiting<Event<E>>>,
    commands: mpsc::Receiver<Command<E>>,
    /// Gone once it has come.
    stop: Option<Waiting<(Closing, Reason)>>,
    retire: Option<Waiting<()>>,
    sink: Option<Sink<E>>,
    /// The life that this supervisor is, where it is a child of another.
    life: Option<Life>,
    /// The path of the job that the supervisor runs in.
    path: Path,
}

/// What the director needs of a child, and the books do not.
struct Part<E> {
    body: Box<dyn Body<E>>,
    place: &'static Location<'static>,
}

/// What a director is told beside the rules.
pub(super) struct Script<E: Fault> {
    pub(super) children: Vec<Supervised<E>>,
    pub(super) stop: Option<Box<dyn Signal>>,
    pub(super) retire: Option<Box<dyn Signal>>,
    pub(super) sink: Option<Sink<E>>,
    pub(super) life: Option<Life>,
    pub(super) origin: Origin,
    pub(super) path: Path,
}

enum Event<E: Fault> {
    Stop(Closing, Reason),
    Retire,
    Ready(Id, Deferred<(), E, Isolated>),
    Ended(Id, Result<(), Failure<E>>),
    Command(Command<E>),
    Tick,
}

impl<E: Fault> Director<E> {
    pub(super) fn new(
        scope: SupervisorScope<E>,
        (run, commands): (Arc<Run<E>>, mpsc::Receiver<Command<E>>),
        script: Script<E>,
    ) -> Self {
        let now = Instant::now();
        let enter = |child: Supervised<E>| {
            let Supervised { terms, body, place } = child;
            (run.roster().enter(terms, now), Part { body, place })
        };
        let cast = script.children.into_iter().map(enter).collect();
        let stop: Waiting<_> = Box::pin(told_to_stop(Arc::clone(&run), script.stop, script.origin));
        Self {
            scope,
            cast,
            lives: FuturesUnordered::new(),
            commands,
            stop: Some(stop),
            retire: script.retire.map(|signal| signal.wait()),
            sink: script.sink,
            life: script.life,
            path: script.path,
            run,
        }
    }

    /// Runs to the end of the last life.
    pub(super) async fn direct(mut self) -> Result<Report<E>, Escalation<E>> {
        self.run.roster().line_up();
        // What a signal that is over already says counts before anybody is started.
        while let Poll::Ready(event) = poll_fn(|cx| Poll::Ready(self.poll_signals(cx))).await {
            self.tell(event);
        }
        self.run.roster().open(Instant::now());
        loop {
            while let Some(action) = self.next_action() {
                self.act(action);
            }
            if self.is_finished() {
                return self.verdict();
            }
            let event = self.next().await;
            self.tell(event);
        }
    }

    fn next_action(&self) -> Option<Action<E>> {
        self.run.roster().next_action()
    }

    fn is_finished(&self) -> bool {
        self.run.roster().is_finished()
    }

    fn verdict(mut self) -> Result<Report<E>, Escalation<E>> {
        let (verdict, history) = self.run.roster().finish();
        let path = std::mem::take(&mut self.path);
        self.cast.drain().for_each(|(_, part)| contain(|| drop(part)));
        contain(|| drop(self));
        match verdict {
            Verdict::Closed(closing) => Ok(Report::new(closing, history)),
            Verdict::GaveUp(why, last) => Err(Escalation::new(path, why, last, history)),
        }
    }

    /// What happens next. Signals come first, and what has happened before what is due.
    async fn next(&mut self) -> Event<E> {
        let next_tick = self.run.roster().next_tick();
        let mut tick = pin!(next_tick.map(sleep_until));
        poll_fn(|cx| {
            if let Poll::Ready(event) = self.poll_signals(cx) {
                return Poll::Ready(event);
            }
            if let Poll::Ready(Some(event)) = self.lives.poll_next_unpin(cx) {
                return Poll::Ready(event);
            }
            if let Poll::Ready(Some(command)) = self.commands.poll_recv(cx) {
                return Poll::Ready(Event::Command(command));
            }
            match tick.as_mut().as_pin_mut() {
                Some(tick) => tick.poll(cx).map(|()| Event::Tick),
                None => Poll::Pending,
            }
        })
        .await
    }

    fn poll_signals(&mut self, cx: &mut Poller<'_>) -> Poll<Event<E>> {
        if let Poll::Ready((closing, reason)) = poll_once(&mut self.stop, cx) {
            return Poll::Ready(Event::Stop(closing, reason));
        }
        poll_once(&mut self.retire, cx).map(|()| Event::Retire)
    }

    /// Enters an event into the books.
    fn tell(&mut self, event: Event<E>) {
        let now = Instant::now();
        match event {
            Event::Stop(closing, reason) => {
                self.run.roster().close(Verdict::Closed(closing), &reason, now);
            }
            Event::Retire => self.run.roster().retire(now),
            Event::Ready(id, life) => {
                self.lives.push(Box::pin(async move { Event::Ended(id, life.await) }));
                self.run.roster().became_ready(id, now);
            }
            Event::Ended(id, how) => self.run.roster().ended(id, how, now),
            Event::Command(Command::Add(child, answer)) => {
                let Supervised { terms, body, place } = child;
                let (part, id) = (Part { body, place }, self.run.roster().add(terms, answer, now));
                match id {
                    Some(id) => self.cast.extend([(id, part)]),
                    None => contain(|| drop(part)),
                }
            }
            Event::Command(Command::ByName { order, name, reason, answer }) => {
                let mut roster = self.run.roster();
                match order {
                    Order::Terminate => roster.terminate(&name, answer, reason, now),
                    Order::Remove => roster.remove(&name, answer, reason, now),
                    Order::Restart => roster.restart(&name, answer, reason, now),
                }
            }
            Event::Tick => self.run.roster().tick(now),
        }
    }

    /// Does what the books ask for. What is dropped is the user's, and a panic of it would end the supervisor.
    fn act(&mut self, action: Action<E>) {
        match action {
            Action::Start(id) => self.start(id),
            Action::Ask(id, reason) => {
                if let Some(job) = self.job(id) {
                    job.ask(&reason);
                }
            }
            Action::Name(id) => {
                if let Some(job) = self.job(id) {
                    name_straggler(&job);
                }
            }
            Action::Forget(id) => contain(|| drop(self.cast.remove(&id))),
            Action::Tell(incident) => self.sink(&incident),
            Action::Drop(what) => contain(|| drop(what)),
            // Whoever asked may have gone.
            Action::Answer(answer, answered) => contain(|| drop(answer.send(answered))),
            Action::Opened { in_full } => {
                self.run.opened.send_replace(Some(in_full));
                if let Some(life) = self.life.as_ref().filter(|_| in_full) {
                    life.ready();
                }
            }
        }
    }

    fn start(&mut self, id: Id) {
        let (terms, restarts) = {
            let roster = self.run.roster();
            let (terms, restarts) = roster.next_life(id);
            (terms.clone(), restarts)
        };
        let Part { body, place } = &self.cast[&id];
        let mut child = self.scope.named(terms.name);
        if let Some(grace) = terms.grace {
            child = child.graceful(grace);
        }
        let (starting, life) = begin(child, place, |ready| body.begin(ready, restarts));
        let before = self.run.roster().begun(id, life.job().clone());
        drop(before);
        self.lives.push(Box::pin(first_event(id, starting, life)));
    }

    fn job(&self, id: Id) -> Option<Job> {
        self.run.roster().job(id)
    }

    /// Tells of an incident. A sink that panics must not take the supervisor with it, nor may an error that cannot be
    /// written.
    fn sink(&self, incident: &Incident<E>) {
        let mut is_told = false;
        contain(|| {
            self.sink.iter().for_each(|sink| sink(incident));
            is_told = self.sink.is_some();
        });
        if !is_told {
            contain(|| report(incident));
        }
    }
}

/// Waits until a life is ready, or has ended before.
async fn first_event<E: Fault>(id: Id, starting: Starting<()>, life: Deferred<(), E, Isolated>) -> Event<E> {
    match starting.word().await {
        Some(()) => Event::Ready(id, life),
        None => Event::Ended(id, life.await),
    }
}

/// Waits until the supervisor is to stop: by its own job, by a handle, or by its signal.
async fn told_to_stop<E: Fault>(
    run: Arc<Run<E>>,
    signal: Option<Box<dyn Signal>>,
    origin: Origin,
) -> (Closing, Reason) {
    let mut cancelled = pin!(cancelled());
    let mut told = pin!(run.stop.notified());
    let mut signal = pin!(async {
        match signal {
            Some(signal) => signal.wait().await,
            None => pending().await,
        }
    });
    poll_fn(|cx| {
        if let Poll::Ready(reason) = cancelled.as_mut().poll(cx) {
            return Poll::Ready((Closing::Cancelled(reason.clone()), reason.inherited()));
        }
        if told.as_mut().poll(cx).is_pending() && signal.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready((Closing::Stopped, Reason::Requested(origin.clone())))
    })
    .await
}

/// Polls what comes once, and forgets it then.
fn poll_once<T>(waiting: &mut Option<Waiting<T>>, cx: &mut Poller<'_>) -> Poll<T> {
    let Some(future) = waiting else { return Poll::Pending };
    let polled = future.as_mut().poll(cx);
    if polled.is_ready() {
        *waiting = None;
    }
    polled
}

fn name_straggler(job: &Job) {
    say(|| {
        tracing::warn!(
            target: "ballet",
            path = %job.path(), place = %job.place(), state = %job.state(),
            "a supervised child was asked to end and has not: it is shielded, blocks a thread, or waits in a destructor"
        );
    });
}
