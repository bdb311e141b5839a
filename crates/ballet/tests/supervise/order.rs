//! Started in order, each when the one before is ready; stopped in the reverse order, each within its budget.

use std::future::pending;
use std::time::Duration;

use ballet::{Error, Life, READY_BUDGET, STOP_PATIENCE, Scope, Supervisor, child};
use tokio::time::{Instant, sleep};

use crate::script::{Log, SECOND, steady, steady_as};

#[ballet::test]
async fn each_child_is_started_when_the_one_before_is_ready() -> Result<(), Error> {
    let log = Log::open();
    let slow = |name: &'static str| {
        let log = log.clone();
        child(name).run(async move |life: Life| {
            log.say(name);
            sleep(SECOND).await;
            life.ready();
            pending().await
        })
    };
    let supervisor = Supervisor::one_for_one().child(slow("a")).child(slow("b")).child(slow("c"));
    let children = supervisor.children();
    ballet::scope(async |s: Scope| {
        s.spawn(async { Ok(supervisor.run().await?) });
        children.ready().await?;
        log.say("all are ready");
        children.stop();
        Ok(())
    })
    .await?;
    assert_eq!(log.take(), ["0 a", "1000 b", "2000 c", "3000 all are ready"]);
    Ok(())
}

#[ballet::test]
async fn children_are_stopped_last_first_each_when_the_one_after_has_ended() -> Result<(), Error> {
    let log = Log::open();
    let tidy = |name: &'static str, tidies: Duration| {
        let log = log.clone();
        child(name).graceful(SECOND * 5).run(async move |life: Life| {
            life.ready();
            ballet::cancelled().await;
            log.say(format_args!("{name} is asked"));
            sleep(tidies).await;
            log.say(format_args!("{name} has tidied"));
            Ok(())
        })
    };
    let report = Supervisor::one_for_one()
        .child(tidy("a", SECOND))
        .child(steady(&log, "b"))
        .child(tidy("c", SECOND * 2))
        .child(tidy("d", SECOND * 60))
        .stop_when(|| sleep(SECOND))
        .run()
        .await?;
    assert_eq!(
        log.take(),
        [
            "0 b begins",
            "1000 d is asked", // and is dropped after its five seconds
            "6000 c is asked",
            "8000 c has tidied",
            "8000 b ends",
            "8000 a is asked",
            "9000 a has tidied",
        ]
    );
    assert!(report.incidents().is_empty(), "{report:?}");
    Ok(())
}

#[ballet::test]
async fn children_that_do_not_need_each_other_may_be_stopped_together() -> Result<(), Error> {
    let log = Log::open();
    let tidy = |name: &'static str, tidies: Duration| {
        let log = log.clone();
        child(name).graceful(SECOND * 5).run(async move |life: Life| {
            life.ready();
            ballet::cancelled().await;
            sleep(tidies).await;
            log.say(format_args!("{name} has tidied"));
            Ok(())
        })
    };
    let began = Instant::now();
    let _ = Supervisor::one_for_one()
        .stop_together()
        .child(tidy("a", SECOND * 3))
        .child(tidy("b", SECOND))
        .child(tidy("c", SECOND * 60))
        .stop_when(|| sleep(SECOND))
        .run()
        .await?;
    assert_eq!(log.take(), ["2000 b has tidied", "4000 a has tidied"]);
    assert_eq!(began.elapsed(), SECOND * 6);
    Ok(())
}

#[ballet::test]
async fn a_child_that_does_not_start_ends_the_supervisor_and_those_before_it_are_stopped() {
    let log = Log::open();
    let escalation = Supervisor::one_for_one()
        .intensity(100, SECOND)
        .child(steady(&log, "a"))
        .child(steady(&log, "b"))
        .child(child("c").run(async |_: Life| Err(Error::msg("no such host"))))
        .child(steady(&log, "d"))
        .on_incident(|_| {})
        .run()
        .await
        .unwrap_err();
    assert_eq!(log.words(), ["a begins", "b begins", "b ends", "a ends"]);
    assert!(escalation.is_not_started());
    assert_eq!((escalation.last().child(), escalation.incidents().len()), ("c", 1));
    assert!(escalation.to_string().contains("a child did not start: "), "{escalation}");
    assert!(escalation.to_string().contains("/c: no such host (lived "), "{escalation}");
}

#[ballet::test]
async fn a_child_that_is_not_ready_within_its_budget_has_not_started() {
    for (spec, budget) in [(child("mute"), READY_BUDGET), (child("mute").ready_within(SECOND), SECOND)] {
        let began = Instant::now();
        let mute = spec.run(async |_life: Life| pending().await);
        let supervisor = Supervisor::one_for_one().child(mute).on_incident(|_| {});
        let escalation = supervisor.run().await.unwrap_err();
        assert_eq!(began.elapsed(), budget);
        assert!(escalation.is_not_started() && escalation.last().is_not_ready());
        let said = format!("/mute: was not ready within {budget:?} (lived {budget:?})");
        assert!(escalation.to_string().ends_with(&said), "{escalation}");
    }
}

#[ballet::test]
async fn a_transient_child_that_returns_before_it_is_ready_is_done_and_the_next_may_start()
-> Result<(), Error> {
    let log = Log::open();
    let migrate = log.clone();
    let report = Supervisor::one_for_one()
        .child(child("migrate").transient().run(async move |_: Life| {
            sleep(SECOND).await;
            migrate.say("migrated");
            Ok(())
        }))
        .child(steady_as(child("serve").transient(), &log, "serve"))
        .stop_when(|| sleep(SECOND * 2))
        .run()
        .await?;
    assert_eq!(log.take(), ["1000 migrated", "1000 serve begins", "2000 serve ends"]);
    assert_eq!(report.restarts(), 0);
    Ok(())
}

#[ballet::test]
async fn a_permanent_child_that_returns_before_it_is_ready_has_not_started() {
    let hasty = child("hasty").run(async |_: Life| Ok(()));
    let supervisor = Supervisor::one_for_one().child(hasty).on_incident(|_| {});
    let escalation = supervisor.run().await.unwrap_err();
    assert!(escalation.is_not_started() && escalation.last().failure().is_none());
}

#[ballet::test]
async fn a_supervisor_that_is_stopped_while_it_starts_stops_the_one_that_is_starting_too() -> Result<(), Error>
{
    let log = Log::open();
    let slow = log.clone();
    let _ = Supervisor::one_for_one()
        .child(steady(&log, "a"))
        .child(child("b").run(async move |_life: Life| {
            let _alive = slow.live("b");
            pending().await
        }))
        .child(steady(&log, "c"))
        .stop_when(|| sleep(SECOND))
        .run()
        .await?;
    assert_eq!(log.take(), ["0 a begins", "0 b begins", "1000 b ends", "1000 a ends"]);
    Ok(())
}

#[ballet::test]
async fn a_child_that_overstays_is_not_waited_for_by_the_next_but_by_the_supervisor() -> Result<(), Error> {
    let log = Log::open();
    let stubborn = log.clone();
    let began = Instant::now();
    let report = Supervisor::one_for_one()
        .child(steady(&log, "a"))
        .child(child("b").run(async move |life: Life| {
            life.ready();
            ballet::shield(sleep(SECOND * 60)).await;
            stubborn.say("b has finished");
            pending().await
        }))
        .stop_when(|| sleep(SECOND))
        .run()
        .await?;
    let at = (SECOND + STOP_PATIENCE).as_millis();
    assert_eq!(log.take(), ["0 a begins".into(), format!("{at} a ends"), "60000 b has finished".into()]);
    assert_eq!(began.elapsed(), SECOND * 60);
    assert!(report.incidents().is_empty());
    Ok(())
}

#[ballet::test]
async fn a_child_that_overstays_is_told_of_and_asked_about_until_it_has_ended() -> Result<(), Error> {
    let supervisor = Supervisor::one_for_one()
        .child(child("late").run(async |life: Life| {
            life.ready();
            ballet::shield(async {
                sleep(SECOND * 20).await;
                panic!("the shield slipped")
            })
            .await
        }))
        .stop_when(|| sleep(SECOND))
        .on_incident(|_| {});
    let (children, began) = (supervisor.children(), Instant::now());
    let asks = async {
        sleep(SECOND * 10).await; // it has been named
        children.terminate("late").await?;
        Ok::<_, Error>(began.elapsed())
    };
    let (report, asked) = tokio::join!(supervisor.run(), asks);
    assert_eq!(asked?, SECOND * 20);
    let report = report?;
    let [incident] = report.incidents() else { panic!("{report:?}") };
    let panic = incident.failure().and_then(|failure| failure.panic()?.message());
    assert_eq!((panic.as_deref(), incident.lived()), (Some("the shield slipped"), SECOND * 20));
    Ok(())
}

#[ballet::test]
async fn what_fails_while_it_is_stopped_is_told_and_restarts_nothing() -> Result<(), Error> {
    let report = Supervisor::one_for_one()
        .child(child("clumsy").graceful(SECOND).run(async |life: Life| {
            life.ready();
            ballet::cancelled().await;
            Err(Error::msg("the file is not flushed"))
        }))
        .stop_when(|| sleep(SECOND))
        .on_incident(|_| {})
        .run()
        .await?;
    let incidents = report.incidents();
    assert!(incidents[0].to_string().ends_with("the file is not flushed (lived 1s; it was being stopped)"));
    assert_eq!((incidents.len(), report.restarts()), (1, 0));
    Ok(())
}
