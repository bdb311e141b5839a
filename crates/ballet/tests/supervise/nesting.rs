//! Supervisors under supervisors.

use ballet::{Error, Escalation, Life, Scope, Supervisor, child};
use tokio::time::{Instant, sleep};

use crate::script::{Log, SECOND, failing, steady, steady_as};

#[ballet::test]
async fn a_tree_starts_in_order_and_stops_in_reverse() -> Result<(), Error> {
    let log = Log::open();
    let slow = log.clone();
    let inner = Supervisor::one_for_one()
        .child(child("b").run(async move |life: Life| {
            let _alive = slow.live("b");
            sleep(SECOND).await;
            life.ready();
            std::future::pending().await
        }))
        .child(steady(&log, "c"));
    let outer = Supervisor::one_for_one()
        .child(steady(&log, "a"))
        .child(child("inner").supervisor(inner))
        .child(steady(&log, "d"))
        .stop_when(|| sleep(SECOND * 2));
    ballet::scope(async |s: Scope| {
        s.named("outer").spawn(async { Ok(outer.run().await?) });
        sleep(SECOND * 3 / 2).await;
        let tree = s.tree();
        let paths: Vec<_> = tree.iter().filter(|node| node.kind == ballet::observe::Kind::Job).collect();
        let ends: Vec<_> =
            paths.iter().filter_map(|node| node.path.split_once("/outer")).map(|(_, end)| end).collect();
        assert_eq!(ends, ["", "/a", "/inner", "/inner/b", "/inner/c", "/d"]);
        Ok(())
    })
    .await?;
    let starts = ["0 a begins", "0 b begins", "1000 c begins", "1000 d begins"];
    let stops = ["2000 d ends", "2000 c ends", "2000 b ends", "2000 a ends"];
    assert_eq!(log.take(), [starts, stops].concat());
    Ok(())
}

#[ballet::test]
async fn an_inner_supervisor_that_gives_up_is_restarted_by_the_outer_one_and_then_escalates() {
    let log = Log::open();
    let inner = Supervisor::one_for_one()
        .intensity(1, SECOND * 60)
        .child(failing(child("a"), &log, "a", 9, SECOND))
        .on_incident(|_| {});
    let outer = Supervisor::one_for_one()
        .intensity(1, SECOND * 60)
        .child(child("inner").supervisor(inner))
        .on_incident(|_| {});
    let escalation = outer.run().await.unwrap_err();
    // Two lives of the inner supervisor, each with two lives of `a`.
    assert_eq!(log.words().len(), 8);
    let last = escalation.last();
    assert_eq!((last.child(), last.restarts(), escalation.incidents().len()), ("inner", 1, 2));
    let cause = last.failure().and_then(|failure| failure.error()).unwrap();
    let inner: &Escalation = cause.downcast_ref().unwrap();
    assert_eq!((inner.last().child(), inner.incidents().len()), ("a", 2), "the whole history");
    assert!(inner.path().to_string().ends_with("inner"), "{}", inner.path());
}

#[ballet::test]
async fn a_handle_reaches_the_life_that_its_supervisor_has_now() -> Result<(), Error> {
    let log = Log::open();
    let inner = Supervisor::one_for_one()
        .intensity(0, SECOND)
        .child(failing(child("a"), &log, "a", 1, SECOND))
        .on_incident(|_| {});
    let children = inner.children();
    let wait = ballet::Backoff::constant(SECOND * 5).without_jitter();
    let outer = Supervisor::one_for_one()
        .intensity(9, SECOND * 60)
        .child(child("inner").backoff(wait).supervisor(inner))
        .on_incident(|_| {});
    let all = outer.children();
    ballet::scope(async |s: Scope| {
        s.spawn(async { Ok(outer.run().await?) });
        children.ready().await?;
        assert_eq!(children.count().up, 1);
        sleep(SECOND * 2).await;
        assert_eq!(children.count().total(), 0, "it does not run");
        let began = Instant::now();
        children.add(steady_as(child("late"), &log, "late")).await?;
        assert_eq!(began.elapsed(), SECOND * 4, "it waits for the next life");
        assert_eq!(children.count().up, 2);
        all.stop();
        Ok(())
    })
    .await?;
    assert!(children.ready().await.unwrap_err().is_ended());
    Ok(())
}

#[ballet::test]
async fn budgets_of_an_inner_supervisor_are_not_cut_short_by_the_outer_one() -> Result<(), Error> {
    let log = Log::open();
    let tidy = |name: &'static str| {
        let log = log.clone();
        child(name).graceful(SECOND * 20).run(async move |life: Life| {
            let _alive = log.live(name);
            life.ready();
            ballet::cancelled().await;
            sleep(SECOND * 10).await;
            Ok(())
        })
    };
    let inner = Supervisor::one_for_one().child(tidy("b")).child(tidy("c"));
    let _ = Supervisor::one_for_one()
        .child(steady(&log, "a"))
        .child(child("inner").supervisor(inner))
        .stop_when(|| sleep(SECOND))
        .run()
        .await?;
    assert_eq!(log.take()[3..], ["11000 c ends", "21000 b ends", "21000 a ends"]);
    Ok(())
}
