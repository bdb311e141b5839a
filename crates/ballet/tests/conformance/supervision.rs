//! Supervisors with restarts: R19.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::{ChildSpec, Closing, Error, Life, Scope, Supervised, Supervisor, child};
use tokio::time::{Instant, sleep, sleep_until};

use crate::words::Words;

const MS: Duration = Duration::from_millis(1);
const PERIOD: Duration = Duration::from_secs(5);

/// How a life ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It returns.
    Normal,
    /// It is cancelled by somebody else: OTP's `shutdown`.
    Shutdown,
    /// It fails.
    Abnormal,
}

const ENDS: [End; 3] = [End::Normal, End::Shutdown, End::Abnormal];

/// A child whose first life ends so after 100 ms, and which says when it begins.
fn ending(spec: ChildSpec, words: &Words, name: &'static str, end: End) -> Supervised {
    let words = words.clone();
    spec.run(async move |life: Life| {
        words.say(name);
        life.ready();
        if life.restarts() > 0 || end == End::Shutdown {
            return pending().await;
        }
        sleep(MS * 100).await;
        if end == End::Abnormal { Err(Error::msg("fell")) } else { Ok(()) }
    })
}

fn steady(spec: ChildSpec, words: &Words, name: &'static str) -> Supervised {
    let words = words.clone();
    spec.run(async move |life: Life| {
        words.say(name);
        life.ready();
        pending().await
    })
}

/// OTP measures the window in whole seconds; here it is exact, and its edge counts as it does there.
#[ballet::test]
async fn c61_restarts_count_in_an_inclusive_window_and_by_the_kind_of_child() -> Result<(), Error> {
    // Two failures are restarted; the third comes when the first is exactly as old as the window, or is just older.
    for (third, escalates) in [(PERIOD, true), (PERIOD + MS, false), (PERIOD - MS, true)] {
        let words = Words::default();
        let fails_at = Arc::new(Mutex::new([PERIOD * 10, PERIOD + third, PERIOD + MS, PERIOD].to_vec()));
        let began = Instant::now();
        let log = words.clone();
        let stops = |name: &'static str| {
            let log = words.clone();
            child(name).graceful(PERIOD).run(async move |life: Life| {
                life.ready();
                ballet::cancelled().await;
                log.say(name);
                Ok(())
            })
        };
        let supervisor = Supervisor::one_for_one()
            .intensity(2, PERIOD)
            .child(stops("first stops"))
            .child(child("faller").run(async move |life: Life| {
                log.say("begins");
                life.ready();
                let next = fails_at.lock().unwrap().pop();
                sleep_until(began + next.unwrap()).await;
                Err(Error::msg("fell"))
            }))
            .child(stops("last stops"))
            .stop_when(move || sleep_until(began + PERIOD + third + MS))
            .on_incident(|_| {});
        let ended = supervisor.run().await;
        let lives = if escalates { 3 } else { 4 };
        let expected = [&vec!["begins"; lives][..], &["last stops", "first stops"]].concat();
        assert_eq!(words.said(), expected, "the third after {third:?}");
        match ended {
            Err(escalation) => {
                assert!(escalates);
                assert_eq!((escalation.last().restarts(), escalation.incidents().len()), (2, 3));
                assert_eq!(escalation.last().at(), began + PERIOD + third);
            }
            Ok(report) => assert!(!escalates && matches!(report.closing(), Closing::Stopped), "{report}"),
        }
    }

    // Permanent, transient, temporary × normal, shutdown, abnormal; and a temporary bystander is not restarted.
    let kinds: [fn(ChildSpec) -> ChildSpec; 3] =
        [ChildSpec::permanent, ChildSpec::transient, ChildSpec::temporary];
    for (kind, restarts) in kinds.into_iter().zip([&ENDS[..], &[End::Abnormal], &[]]) {
        for end in ENDS {
            let words = Words::default();
            let supervisor = Supervisor::one_for_all()
                .child(steady(child("bystander").temporary(), &words, "bystander"))
                .child(steady(child("sibling"), &words, "sibling"))
                .child(ending(kind(child("it")), &words, "it", end))
                .on_incident(|_| {});
            let children = supervisor.children();
            ballet::scope(async |s: Scope| {
                s.spawn(async { Ok(supervisor.run().await?) });
                children.ready().await?;
                sleep(MS * 100).await;
                if end == End::Shutdown {
                    let job = children.list().remove(2).job;
                    job.unwrap().cancel();
                }
                sleep(MS).await;
                let is_restarted = restarts.contains(&end);
                let again: &[&str] = if is_restarted { &["sibling", "it"] } else { &[] };
                let expected = [&["bystander", "sibling", "it"], again].concat();
                let restart = children.list().last().unwrap().restart;
                assert_eq!(words.said(), expected, "{restart}, {end:?}");
                let left = children.list().iter().map(|status| status.name.clone()).collect::<Vec<_>>();
                assert_eq!(left.contains(&"bystander".to_owned()), !is_restarted);
                children.stop();
                Ok(())
            })
            .await?;
        }
    }
    Ok(())
}

/// "Killed" is dropped at its next yield. What is shielded cannot be killed: it is named, the next is stopped, and the
/// supervisor waits for it in the end.
#[ballet::test]
async fn c63_who_ignores_the_shutdown_is_killed_after_its_time_and_nobody_is_left_behind() -> Result<(), Error>
{
    let began = Instant::now();
    let log: Arc<Mutex<Vec<(u128, &str)>>> = Arc::default();
    let child_that = |name: &'static str, budget: Duration, obeys_after: Option<Duration>| {
        let log = Arc::clone(&log);
        child(name).transient().significant().graceful(budget).run(async move |life: Life| {
            struct Says(Arc<Mutex<Vec<(u128, &'static str)>>>, Instant, &'static str);
            impl Drop for Says {
                fn drop(&mut self) {
                    self.0.lock().unwrap().push((self.1.elapsed().as_millis(), self.2));
                }
            }
            let _says = Says(log, began, name);
            life.ready();
            ballet::cancelled().await;
            match obeys_after {
                Some(time) => sleep(time).await,
                None => pending().await,
            }
            Ok(())
        })
    };
    // Significant ones that the supervisor stops do not close it: it is the restart of a group that stops them here.
    let supervisor = Supervisor::one_for_all()
        .child(child_that("orderly", MS * 500, Some(MS * 20)))
        .child(child_that("ignores", MS * 100, None))
        .child(child_that("orderly too", MS * 500, Some(MS * 30)))
        .child(child("faller").run(async |life: Life| {
            life.ready();
            if life.restarts() == 0 {
                sleep(MS * 1_000).await;
                return Err(Error::msg("fell"));
            }
            pending().await
        }))
        .on_incident(|_| {});
    let children = supervisor.children();
    ballet::scope(async |s: Scope| {
        let report = s.spawn(async { Ok(supervisor.run().await?) });
        sleep(MS * 2_000).await;
        assert_eq!(children.count().up, 4, "all are up again");
        let all = [(1_030, "orderly too"), (1_130, "ignores"), (1_150, "orderly")];
        assert_eq!(std::mem::take(&mut *log.lock().unwrap()), all);
        children.terminate("orderly too").await?;
        assert_eq!(children.count().up, 3, "the supervisor has not closed");
        children.stop();
        let report = report.await;
        assert!(matches!(report.closing(), Closing::Stopped), "{report}");
        let all = [(2_030, "orderly too"), (2_130, "ignores"), (2_150, "orderly")];
        assert_eq!(*log.lock().unwrap(), all);
        Ok(())
    })
    .await?;

    // A restart that meets the end leaves no orphan, whatever comes first. The tree of the test is looked at by its end.
    for stop_at in 0..8 {
        let words = Words::default();
        let log = words.clone();
        let supervisor = Supervisor::rest_for_one()
            .without_limit()
            .child(child("faller").run(async move |life: Life| {
                log.say("begins");
                life.ready();
                tokio::task::yield_now().await;
                log.say("ends");
                Err(Error::msg("fell"))
            }))
            .child(steady(child("after"), &Words::default(), "after"))
            .on_incident(|_| {});
        let children = supervisor.children();
        ballet::scope(async |s: Scope| {
            let running = s.spawn(async { Ok(supervisor.run().await?) });
            while children.count().total() == 0 {
                tokio::task::yield_now().await;
            }
            for _yield in 0..stop_at {
                tokio::task::yield_now().await;
            }
            if stop_at % 2 == 0 {
                children.stop();
            } else {
                running.job().cancel();
            }
            Ok(())
        })
        .await?;
        assert_eq!(children.count().total(), 0, "stopped after {stop_at} yields");
    }
    Ok(())
}
