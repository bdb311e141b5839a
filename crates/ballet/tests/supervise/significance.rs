//! Significant children: a supervisor closes when any or all of them have ended by themselves.

use std::future::pending;

use ballet::{ChildSpec, Closing, Error, Life, Report, Scope, Supervised, Supervisor, child};
use tokio::time::sleep;

use crate::script::{Log, SECOND, steady};

/// A child that is ready at once and returns after so many seconds.
fn serving(spec: ChildSpec, log: &Log, name: &'static str, seconds: u32) -> Supervised {
    let log = log.clone();
    spec.run(async move |life: Life| {
        let _alive = log.live(name);
        life.ready();
        sleep(SECOND * seconds).await;
        Ok(())
    })
}

fn closed_by(report: &Report) -> &str {
    match report.closing() {
        Closing::Significant(name) => name,
        other => panic!("closed for another reason: {other}"),
    }
}

#[ballet::test]
async fn the_first_significant_child_that_ends_closes_the_supervisor() -> Result<(), Error> {
    let log = Log::open();
    let report = Supervisor::one_for_one()
        .child(steady(&log, "a"))
        .child(serving(child("b").transient().significant(), &log, "b", 2))
        .child(serving(child("c").transient(), &log, "c", 1))
        .child(serving(child("d").temporary().significant(), &log, "d", 3))
        .run()
        .await?;
    assert_eq!(closed_by(&report), "b");
    let ends = ["1000 c ends", "2000 b ends", "2000 d ends", "2000 a ends"];
    assert_eq!(log.take()[4..], ends);
    Ok(())
}

#[ballet::test]
async fn or_the_last_where_all_have_to_end() -> Result<(), Error> {
    let log = Log::open();
    let report = Supervisor::one_for_one()
        .stop_with_all_significant()
        .child(steady(&log, "a"))
        .child(serving(child("b").transient().significant(), &log, "b", 2))
        .child(serving(child("c").temporary().significant(), &log, "c", 3))
        .run()
        .await?;
    assert_eq!(closed_by(&report), "c");
    assert_eq!(log.take()[3..], ["2000 b ends", "3000 c ends", "3000 a ends"]);
    Ok(())
}

#[ballet::test]
async fn a_significant_child_that_is_restarted_has_not_ended() -> Result<(), Error> {
    let log = Log::open();
    let tries = child("tries").transient().significant().run(async |life: Life| {
        life.ready();
        sleep(SECOND).await;
        if life.restarts() == 0 { Err(Error::msg("fell")) } else { Ok(()) }
    });
    let supervisor = Supervisor::one_for_one().child(steady(&log, "a")).child(tries).on_incident(|_| {});
    let report = supervisor.run().await?;
    assert_eq!((closed_by(&report), report.restarts()), ("tries", 1));
    assert_eq!(log.take(), ["0 a begins", "2000 a ends"]);
    Ok(())
}

#[ballet::test]
async fn a_temporary_one_closes_it_by_failing_too() -> Result<(), Error> {
    let log = Log::open();
    let falls = child("falls").temporary().significant().run(async |life: Life| {
        life.ready();
        Err(Error::msg("fell"))
    });
    let supervisor = Supervisor::one_for_one().child(steady(&log, "a")).child(falls).on_incident(|_| {});
    let report = supervisor.run().await?;
    assert_eq!((closed_by(&report), report.incidents().len()), ("falls", 1));
    Ok(())
}

#[ballet::test]
async fn one_that_somebody_cancels_has_ended_by_itself_and_one_that_the_supervisor_stops_has_not()
-> Result<(), Error> {
    let log = Log::open();
    let significant = |name: &'static str| {
        child(name).transient().significant().run(async move |life: Life| {
            life.ready();
            pending().await
        })
    };
    let supervisor =
        Supervisor::one_for_one().child(steady(&log, "a")).child(significant("b")).child(significant("c"));
    let children = supervisor.children();
    ballet::scope(async |s: Scope| {
        let report = s.spawn(async { Ok(supervisor.run().await?) });
        children.ready().await?;
        children.terminate("b").await?;
        children.restart("c").await?;
        sleep(SECOND).await;
        assert_eq!(children.count().up, 2);
        let job = children.list().remove(2).job;
        job.unwrap().cancel();
        assert_eq!(closed_by(&report.await), "c");
        Ok(())
    })
    .await?;
    Ok(())
}
