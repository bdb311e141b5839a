//! Children that are not ready in time: one incident each, whatever becomes of them while they are stopped for it.

use std::future::pending;
use std::sync::Arc;

use ballet::{ChildSpec, Children, Error, Incident, Life, Report, Supervised, Supervisor, child};
use tokio::time::sleep;

use crate::script::{Log, SECOND, failing};

/// Fails after a second. Its second life is not ready in time, and is gone two seconds after that.
fn late(spec: ChildSpec) -> Supervised {
    spec.ready_within(SECOND).run(async |life: Life| {
        match life.restarts() {
            0 => {
                life.ready();
                sleep(SECOND).await;
                return Err(Error::msg("fell"));
            }
            1 => ballet::shield(sleep(SECOND * 3)).await,
            _ => life.ready(),
        }
        pending().await
    })
}

/// Runs it until this second, and does something when the late life is being stopped.
async fn run(
    supervisor: Supervisor,
    seconds: u32,
    meddle: impl AsyncFnOnce(Children),
) -> Result<Report, Error> {
    let children = supervisor.children();
    let run =
        supervisor.intensity(9, SECOND * 60).on_incident(|_| {}).stop_when(move || sleep(SECOND * seconds));
    let meddling = async {
        sleep(SECOND * 5 / 2).await;
        meddle(children).await;
    };
    Ok(tokio::join!(run.run(), meddling).0?)
}

fn not_ready(report: &Report) -> Vec<&Arc<Incident>> {
    report.incidents().iter().filter(|incident| incident.is_not_ready()).collect()
}

#[ballet::test]
async fn one_is_an_incident_though_the_supervisor_closes_while_it_is_stopped() -> Result<(), Error> {
    let report = run(Supervisor::one_for_one().child(late(child("late"))), 3, async |_| {}).await?;
    let [incident] = not_ready(&report)[..] else { panic!("{report:?}") };
    assert!(incident.to_string().contains("was not ready within 1s (restart 1, lived 3s"), "{incident}");
    Ok(())
}

#[ballet::test]
async fn one_is_an_incident_though_a_sibling_fails_while_it_is_stopped() -> Result<(), Error> {
    let log = Log::open();
    let sibling = failing(child("sibling"), &log, "sibling", 2, SECOND * 3 / 2);
    let supervisor = Supervisor::one_for_all().child(sibling).child(late(child("late")));
    let report = run(supervisor, 10, async |_| {}).await?;
    let [incident] = not_ready(&report)[..] else { panic!("{report:?}") };
    assert!(incident.restarts_after().is_none(), "it is its sibling that restarts: {incident}");
    assert_eq!((report.incidents().len(), report.restarts()), (3, 2));
    Ok(())
}

#[ballet::test]
async fn a_temporary_one_is_not_started_with_its_siblings() -> Result<(), Error> {
    let log = Log::open();
    let mute = child("mute").temporary().ready_within(SECOND).run(async |_: Life| {
        ballet::shield(sleep(SECOND * 3)).await;
        pending().await
    });
    let sibling = failing(child("sibling"), &log, "sibling", 1, SECOND * 2);
    let supervisor = Supervisor::one_for_all().child(sibling);
    let children = supervisor.children();
    let adding = async {
        let refused = children.add(mute).await.unwrap_err();
        assert!(refused.is_stopped(), "{refused}");
    };
    let (report, ()) = tokio::join!(run(supervisor, 10, async |_| {}), adding);
    assert_eq!(not_ready(&report?).len(), 1);
    assert_eq!(log.words().len(), 4);
    assert!(children.list().is_empty());
    Ok(())
}

#[ballet::test]
async fn one_is_an_incident_though_somebody_asks_something_else_of_it_meanwhile() -> Result<(), Error> {
    for restarts in [false, true] {
        let supervisor = Supervisor::one_for_one().child(late(child("late"))).keep_open();
        let meddle = async |children: Children| match restarts {
            true => children.restart("late").await.unwrap(),
            false => children.terminate("late").await.unwrap(),
        };
        let report = run(supervisor, 10, meddle).await?;
        assert_eq!((not_ready(&report).len(), report.incidents().len()), (1, 2), "{report:?}");
    }
    Ok(())
}

#[ballet::test]
async fn what_one_fails_with_while_it_is_stopped_is_told_with_it() -> Result<(), Error> {
    let clumsy = child("clumsy").ready_within(SECOND).run(async |_: Life| {
        ballet::shield(async {
            sleep(SECOND * 3).await;
            panic!("the reason it hung")
        })
        .await
    });
    let supervisor = Supervisor::one_for_one().child(clumsy).on_incident(|_| {});
    let escalation = supervisor.run().await.unwrap_err();
    let failure = escalation.last().failure().expect("it panicked");
    assert!(escalation.last().is_not_ready() && failure.panic().is_some());
    let said = escalation.last().to_string();
    assert!(said.contains("was not ready within 1s, and was stopped: "), "{said}");
    assert!(said.contains("the reason it hung"), "{said}");
    Ok(())
}
