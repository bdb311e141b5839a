//! Supervisors against a sequential model of OTP's `supervisor`: random children, strategies and windows, and random
//! things that happen to them, one after the other. After each both must have begun and ended the same lives in the same
//! order, and show the same states.

mod otp;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ballet::{
    ChildSpec, ChildState, Children, Closing, Error, Escalation, Life, Report, Restart, Scope, Strategy,
    Supervised, Supervisor, child,
};
use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;
use proptest::test_runner::TestRunner;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::script::Log;
use otp::{Otp, Verdict};

/// The children there may be. Names are letters, and their order is the order of the alphabet.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// How many of them the supervisor begins with, at most.
const FIRST_MAX: usize = 4;
/// Every step takes one. The window is a few of them, so that its edge is hit often.
const TICK: Duration = Duration::from_millis(1);

/// How a life ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Returns,
    Fails,
    Panics,
    IsCancelled,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) restart: Restart,
    pub(crate) is_significant: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) strategy: Strategy,
    pub(crate) intensity: u32,
    /// In ticks.
    pub(crate) window: u32,
    pub(crate) all_significant: bool,
    pub(crate) children: Vec<Kind>,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    End(usize, End),
    /// The next so many lives of a child fail before they are ready.
    Spoil(usize, u32),
    Wait(u32),
    Add(usize, Kind),
    Terminate(usize),
    Remove(usize),
    Restart(usize),
}

fn kind() -> impl Generator<Value = Kind> {
    let restart = prop_oneof![
        3 => Just(Restart::Permanent),
        3 => Just(Restart::Transient),
        2 => Just(Restart::Temporary)
    ];
    (restart, prop::bool::weighted(0.15)).prop_map(|(restart, is_significant)| Kind {
        restart,
        is_significant: is_significant && restart != Restart::Permanent,
    })
}

fn step() -> impl Generator<Value = Step> {
    let who = || 0..NAMES.len();
    let end = prop_oneof![
        2 => Just(End::Returns),
        6 => Just(End::Fails),
        1 => Just(End::Panics),
        2 => Just(End::IsCancelled)
    ];
    prop_oneof![
        8 => (who(), end).prop_map(|(who, end)| Step::End(who, end)),
        1 => (who(), 1..3_u32).prop_map(|(who, lives)| Step::Spoil(who, lives)),
        4 => (1..6_u32).prop_map(Step::Wait),
        2 => (who(), kind()).prop_map(|(who, kind)| Step::Add(who, kind)),
        1 => who().prop_map(Step::Terminate),
        1 => who().prop_map(Step::Remove),
        2 => who().prop_map(Step::Restart),
    ]
}

fn plan() -> impl Generator<Value = Plan> {
    let strategy =
        prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne)];
    let children = prop::collection::vec(kind(), 0..=FIRST_MAX);
    let steps = prop::collection::vec(step(), 1..40);
    (strategy, 0..4_u32, 1..10_u32, any::<bool>(), children, steps).prop_map(
        |(strategy, intensity, window, all_significant, children, steps)| Plan {
            strategy,
            intensity,
            window,
            all_significant,
            children,
            steps,
        },
    )
}

/// What the test and the lives share: how a life is told to end, and how many are to fail before they are ready.
#[derive(Clone)]
struct Stage {
    log: Log,
    ends: Arc<Mutex<HashMap<&'static str, oneshot::Sender<End>>>>,
    spoiled: Arc<Mutex<HashMap<&'static str, u32>>>,
}

impl Stage {
    fn child(&self, name: &'static str, kind: Kind) -> Supervised {
        let spec = match kind.restart {
            Restart::Permanent => child(name).permanent(),
            Restart::Transient => child(name).transient(),
            Restart::Temporary => child(name).temporary(),
        };
        let spec = if kind.is_significant { ChildSpec::significant(spec) } else { spec };
        let stage = self.clone();
        spec.run(async move |life: Life| stage.live(name, life).await)
    }

    async fn live(self, name: &'static str, life: Life) -> Result<(), Error> {
        let _alive = self.log.live(name);
        let (end, told) = oneshot::channel();
        lock(&self.ends).insert(name, end);
        if let Some(left) = lock(&self.spoiled).get_mut(name).filter(|left| **left > 0) {
            *left -= 1;
            return Err(Error::msg("spoiled"));
        }
        life.ready();
        match told.await {
            Ok(End::Fails) => Err(Error::msg("fell")),
            Ok(End::Panics) => std::panic::resume_unwind(Box::new("slipped")),
            Ok(End::Returns | End::IsCancelled) | Err(_) => Ok(()),
        }
    }

    /// Ends the life that a child has, if it has one.
    fn end(&self, children: &Children, name: &'static str, end: End) {
        if end == End::IsCancelled {
            let status = children.list().into_iter().find(|status| status.name == name);
            status.and_then(|status| status.job).into_iter().for_each(|job| job.cancel());
        } else if let Some(told) = lock(&self.ends).remove(name) {
            let _ = told.send(end);
        }
    }

    async fn take(&self, children: &Children, step: Step) {
        match step {
            Step::End(who, end) => self.end(children, NAMES[who], end),
            Step::Spoil(who, lives) => {
                lock(&self.spoiled).insert(NAMES[who], lives);
            }
            Step::Wait(ticks) => sleep(TICK * ticks).await,
            Step::Add(who, kind) => drop(children.add(self.child(NAMES[who], kind)).await),
            Step::Terminate(who) => drop(children.terminate(NAMES[who]).await),
            Step::Remove(who) => drop(children.remove(NAMES[who]).await),
            Step::Restart(who) => drop(children.restart(NAMES[who]).await),
        }
        // Whatever it has caused is over in no time, since nothing waits; but the clock has to come to the next instant.
        sleep(TICK).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn foresee(otp: &mut Otp, step: Step) {
    match step {
        Step::End(who, end) => otp.end(NAMES[who], end),
        Step::Spoil(who, lives) => otp.spoil(NAMES[who], lives),
        Step::Wait(ticks) => otp.wait(TICK * ticks),
        Step::Add(who, kind) => otp.add(NAMES[who], kind),
        Step::Terminate(who) => otp.terminate(NAMES[who]),
        Step::Remove(who) => otp.remove(NAMES[who]),
        Step::Restart(who) => otp.restart(NAMES[who]),
    }
    otp.wait(TICK);
}

/// Names with whether they live, in the order of the start.
fn seen(children: &Children) -> Vec<(String, bool)> {
    children.list().into_iter().map(|status| (status.name, status.state == ChildState::Up)).collect()
}

fn verdict(ended: &Result<Report, Escalation>) -> Verdict {
    match ended {
        Err(escalation) => Verdict::GaveUp(escalation.last().child().to_owned(), escalation.is_not_started()),
        Ok(report) => match report.closing() {
            Closing::Significant(name) => Verdict::Significant(name.clone()),
            Closing::Stopped => Verdict::Stopped,
            other => panic!("nobody asked for that: {other}"),
        },
    }
}

async fn compare(plan: Plan) -> Result<(), TestCaseError> {
    let stage = Stage { log: Log::open(), ends: Arc::default(), spoiled: Arc::default() };
    let supervisor = Supervisor::new(plan.strategy)
        .intensity(plan.intensity, TICK * plan.window)
        .keep_open()
        .on_incident(|_| {});
    let supervisor = if plan.all_significant { supervisor.stop_with_all_significant() } else { supervisor };
    let supervisor = NAMES
        .into_iter()
        .zip(&plan.children)
        .fold(supervisor, |supervisor, (name, kind)| supervisor.child(stage.child(name, *kind)));
    let children = supervisor.children();
    let mut otp = Otp::new(&plan, TICK, NAMES);
    let ended = ballet::scope(async |s: Scope| {
        let running = s.spawn(async { Ok(supervisor.run().await) });
        sleep(TICK).await;
        otp.wait(TICK);
        for (number, step) in plan.steps.iter().enumerate() {
            if otp.verdict().is_some() {
                break;
            }
            stage.take(&children, *step).await;
            foresee(&mut otp, *step);
            let (did, should) = (stage.log.words(), otp.words());
            assert_eq!(did, should, "what began and ended in step {number}, {step:?}");
            if otp.verdict().is_none() {
                assert_eq!(seen(&children), otp.children(), "after step {number}, {step:?}");
            }
        }
        children.stop();
        otp.stop();
        Ok(running.await)
    });
    let ended = ended.await.map_err(|failure| TestCaseError::fail(failure.to_string()))?;
    prop_assert_eq!(stage.log.words(), otp.words(), "at the end");
    prop_assert_eq!(Some(verdict(&ended)), otp.verdict());
    Ok(())
}

#[test]
fn a_supervisor_does_what_otp_does() {
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&plan(), |plan| ballet::testing::run("a_supervisor_does_what_otp_does", compare(plan)))
        .unwrap();
}
