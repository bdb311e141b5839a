//! Why a supervisor ends that does not give up, and that it takes its children with it.

use std::pin::pin;

use ballet::{Closing, Error, Life, Phase, Reason, Scope, Stage, Supervisor, child};
use futures_util::poll;
use tokio::time::{Instant, sleep};

use crate::script::{Log, SECOND, failing, steady};

#[ballet::test]
async fn it_closes_when_no_child_is_left() -> Result<(), Error> {
    let report = Supervisor::one_for_one()
        .child(child("a").transient().run(async |life: Life| {
            life.ready();
            sleep(SECOND).await;
            Ok(())
        }))
        .child(child("b").temporary().run(async |life: Life| {
            life.ready();
            sleep(SECOND * 2).await;
            Err(Error::msg("fell"))
        }))
        .on_incident(|_| {})
        .run()
        .await?;
    assert!(matches!(report.closing(), Closing::Idle), "{report}");
    assert_eq!((report.incidents().len(), report.restarts()), (1, 0));
    Ok(())
}

#[ballet::test]
async fn it_stops_its_children_in_order_when_its_job_is_cancelled() -> Result<(), Error> {
    let log = Log::open();
    let supervisor = Supervisor::one_for_one().child(steady(&log, "a")).child(steady(&log, "b"));
    let children = supervisor.children();
    ballet::scope(async |s: Scope| {
        let report = s.spawn(async { Ok(supervisor.run().await?) });
        children.ready().await?;
        report.job().cancel();
        let report = report.await; // it has one, though it was cancelled
        assert!(matches!(report.closing(), Closing::Cancelled(Reason::Requested(_))), "{report}");
        Ok(())
    })
    .await?;
    assert_eq!(log.words(), ["a begins", "b begins", "b ends", "a ends"]);
    Ok(())
}

#[ballet::test]
async fn it_stops_its_children_in_order_when_a_timeout_elapses() -> Result<(), Error> {
    let log = Log::open();
    let supervisor = Supervisor::one_for_one().child(steady(&log, "a")).child(steady(&log, "b"));
    let jobs = supervisor.children();
    let sees = async {
        sleep(SECOND / 2).await;
        jobs.list().into_iter().filter_map(|status| status.job).collect::<Vec<_>>()
    };
    let (report, jobs) = tokio::join!(ballet::timeout(SECOND, supervisor.run()), sees);
    assert!(matches!(report??.closing(), Closing::Cancelled(Reason::Timeout(_))));
    assert!(jobs.iter().all(|job| matches!(job.reason(), Some(Reason::Timeout(_)))), "{jobs:?}");
    assert_eq!(log.words(), ["a begins", "b begins", "b ends", "a ends"]);
    Ok(())
}

#[ballet::test]
async fn children_of_one_that_is_dropped_are_cancelled_and_adopted() {
    let log = Log::open();
    let tidy = log.clone();
    let supervisor = Supervisor::one_for_one().child(steady(&log, "a")).child(
        child("b").graceful(SECOND * 5).run(async move |life: Life| {
            life.ready();
            ballet::cancelled().await;
            sleep(SECOND).await;
            tidy.say("b has tidied");
            Ok(())
        }),
    );
    let children = supervisor.children();
    assert!(tokio::time::timeout(SECOND, supervisor.run()).await.is_err());
    assert_eq!(children.count().total(), 0);
    assert!(children.add(steady(&log, "c")).await.unwrap_err().is_ended());
    sleep(SECOND * 2).await;
    assert_eq!(log.take(), ["0 a begins", "1000 a ends", "2000 b has tidied"]);
}

#[ballet::test]
async fn a_draining_stage_may_stop_it_in_order_or_let_its_children_finish() {
    for lets_them_finish in [false, true] {
        let log = Log::open();
        let finishes = log.clone();
        let supervisor = Supervisor::one_for_one()
            .without_limit()
            .child(steady(&log, "a"))
            .child(failing(child("b"), &log, "b", u32::MAX, SECOND / 2))
            .child(child("c").run(async move |life: Life| {
                let _alive = finishes.live("c");
                life.ready();
                ballet::draining().await;
                sleep(SECOND).await;
                Ok(())
            }))
            .on_incident(|_| {});
        let supervisor = if lets_them_finish {
            supervisor.no_restart_after(ballet::draining)
        } else {
            supervisor.stop_when(ballet::draining)
        };
        let stage = Stage::new().drain(SECOND * 2).cancel(SECOND);
        let phases = stage.phases();
        let curtain = stage
            .run(async |s: Scope| {
                s.named("supervisor").spawn(async { Ok(supervisor.run().await?) });
                sleep(SECOND + SECOND / 4).await;
                log.take();
                phases.shut_down();
                phases.reached(Phase::Draining).await;
                Ok(())
            })
            .await;
        assert!(!curtain.is_lossy(), "{curtain}");
        if lets_them_finish {
            // `b` is not started again, `c` has served, `a` is cut when the drain is over.
            assert_eq!(log.take(), ["1500 b ends", "2250 c ends", "3250 a ends"]);
        } else {
            assert_eq!(log.take(), ["1250 c ends", "1250 b ends", "1250 a ends"]);
        }
    }
}

#[ballet::test]
async fn after_its_signal_nobody_is_started_and_it_closes_when_the_last_has_ended() -> Result<(), Error> {
    let log = Log::open();
    let wait = ballet::Backoff::constant(SECOND * 60).without_jitter();
    let supervisor = Supervisor::one_for_one()
        .child(failing(child("a").backoff(wait), &log, "a", 9, SECOND))
        .child(child("b").transient().run(async |life: Life| {
            life.ready();
            sleep(SECOND * 5).await;
            Ok(())
        }))
        .keep_open()
        .no_restart_after(|| sleep(SECOND * 2))
        .on_incident(|_| {});
    let children = supervisor.children();
    let began = Instant::now();
    ballet::scope(async |s: Scope| {
        let report = s.spawn(async { Ok(supervisor.run().await?) });
        sleep(SECOND * 3).await;
        assert!(children.add(steady(&log, "c")).await.unwrap_err().is_ended());
        assert!(children.restart("a").await.unwrap_err().is_ended());
        assert!(matches!(report.await.closing(), Closing::Idle));
        Ok(())
    })
    .await?;
    assert_eq!(began.elapsed(), SECOND * 5);
    assert_eq!(log.words(), ["a begins", "a ends"]);
    Ok(())
}

/// Its `b` has not begun when its signal comes.
fn cut_short(log: &Log) -> Supervisor {
    let slow = child("a").transient().run(async |life: Life| {
        sleep(SECOND * 2).await;
        life.ready();
        sleep(SECOND * 5).await;
        Ok(())
    });
    Supervisor::one_for_one().child(slow).child(steady(log, "b")).no_restart_after(|| sleep(SECOND))
}

#[ballet::test]
async fn after_a_signal_that_cuts_its_start_short_it_is_not_ready() -> Result<(), Error> {
    let log = Log::open();
    let supervisor = cut_short(&log);
    let children = supervisor.children();
    let began = Instant::now();
    let asks = async {
        assert!(children.ready().await.unwrap_err().is_ended());
        began.elapsed()
    };
    let (report, asked) = tokio::join!(supervisor.run(), asks);
    assert!(matches!(report?.closing(), Closing::Idle));
    assert_eq!((asked, began.elapsed()), (SECOND, SECOND * 7));
    assert!(log.words().is_empty());
    Ok(())
}

#[ballet::test]
async fn after_a_signal_it_is_ready_when_the_last_one_that_was_starting_is() -> Result<(), Error> {
    let last = child("last").transient().run(async |life: Life| {
        sleep(SECOND * 2).await;
        life.ready();
        Ok(())
    });
    let supervisor = Supervisor::one_for_one().child(last).no_restart_after(|| sleep(SECOND));
    let children = supervisor.children();
    let (report, ready) = tokio::join!(supervisor.run(), children.ready());
    ready?;
    assert!(matches!(report?.closing(), Closing::Idle));
    Ok(())
}

#[ballet::test]
async fn an_inner_supervisor_whose_start_is_cut_short_has_not_started() {
    let log = Log::open();
    let outer = Supervisor::one_for_one()
        .child(child("inner").supervisor(cut_short(&log)))
        .child(steady(&log, "dependent"))
        .stop_when(|| sleep(SECOND * 20))
        .on_incident(|_| {});
    let escalation = outer.run().await.unwrap_err();
    assert!(escalation.is_not_started(), "{escalation}");
    assert!(log.words().is_empty());
}

#[ballet::test]
async fn a_signal_that_is_over_before_the_start_lets_nobody_begin() -> Result<(), Error> {
    let log = Log::open();
    let described = || Supervisor::one_for_one().child(steady(&log, "a")).child(steady(&log, "b"));
    let retired = described().keep_open().no_restart_after(|| async {});
    let children = retired.children();
    let (report, ready) = tokio::join!(retired.run(), children.ready());
    assert!(matches!(report?.closing(), Closing::Idle));
    assert!(ready.unwrap_err().is_ended());

    let report = described().stop_when(|| async {}).run().await?;
    assert!(matches!(report.closing(), Closing::Stopped));
    assert!(log.words().is_empty());
    Ok(())
}

#[ballet::test]
async fn a_supervisor_that_is_not_polled_has_started_nobody() {
    let log = Log::open();
    let supervisor = Supervisor::one_for_one().child(steady(&log, "a"));
    let children = supervisor.children();
    assert_eq!(children.count().total(), 0);
    children.stop();
    {
        let mut running = pin!(supervisor.run());
        assert!(log.words().is_empty());
        assert!(poll!(&mut running).is_pending());
        assert_eq!(children.count().starting, 1);
    }
    let late = ballet::timeout(SECOND, children.ready()).await;
    assert!(late.unwrap().unwrap_err().is_ended());
}

#[ballet::test]
async fn a_supervisor_is_send_and_can_be_run_again() -> Result<(), Error> {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let supervisor =
        assert_send(Supervisor::one_for_one().child(child("a").transient().run(async |life: Life<u8>| {
            assert!(life.inherit().is_none());
            life.leave(1);
            Ok(())
        })));
    for _run in 0..2 {
        let report = assert_send(supervisor.clone().run()).await?;
        assert_eq!(report.restarts(), 0);
    }
    Ok(())
}
