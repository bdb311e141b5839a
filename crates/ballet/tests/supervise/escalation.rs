//! When a supervisor gives up, and what it tells then.

use std::sync::{Arc, Mutex};

use ballet::{Backoff, Error, INCIDENTS_KEPT, Life, Restart, Supervised, Supervisor, child};
use tokio::time::{Instant, sleep};

use crate::script::{Log, SECOND, failing, steady};

#[ballet::test]
async fn the_others_are_stopped_in_reverse_and_the_history_is_whole() {
    let log = Log::open();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let supervisor = Supervisor::one_for_one()
        .intensity(2, SECOND * 60)
        .child(steady(&log, "a"))
        .child(failing(child("b"), &log, "b", 9, SECOND))
        .child(steady(&log, "c"))
        .on_incident(move |incident| sees.lock().unwrap().push(incident.to_string()));
    let escalation = supervisor.run().await.unwrap_err();
    let words = log.words();
    assert_eq!(words[words.len() - 3..], ["b ends", "c ends", "a ends"]);
    assert!(!escalation.is_not_started());
    let told: Vec<_> = escalation.incidents().iter().map(ToString::to_string).collect();
    assert_eq!(told, *seen.lock().unwrap(), "each has reached the sink once");
    assert!(told[1].ends_with("/b: fell (restart 1, lived 1s; it starts again)"), "{told:?}");
    assert!(told[2].ends_with("/b: fell (restart 2, lived 1s)"), "{told:?}");
    assert!(escalation.last().escalates());
    let text = escalation.to_string();
    assert!(text.contains("too many restarts, 2 allowed within 60s: "), "{text}");
    assert!(format!("{escalation:?}").ends_with(&format!("\n  {}", told[2])), "{escalation:?}");
}

#[ballet::test]
async fn restarts_of_all_children_count_together() {
    let log = Log::open();
    let supervisor = Supervisor::one_for_one()
        .intensity(2, SECOND * 10)
        .child(failing(child("a"), &log, "a", 9, SECOND * 2))
        .child(failing(child("b"), &log, "b", 9, SECOND * 3))
        .on_incident(|_| {});
    let escalation = supervisor.run().await.unwrap_err();
    // `a` at 2, `b` at 3, `a` at 4.
    assert_eq!((escalation.last().child(), escalation.last().restarts()), ("a", 1));
}

#[ballet::test]
async fn a_window_that_has_passed_is_forgotten() -> Result<(), Error> {
    let log = Log::open();
    let report = Supervisor::one_for_one()
        .intensity(1, SECOND * 2)
        .child(failing(child("a"), &log, "a", 1_000, SECOND * 2 + SECOND / 1_000))
        .stop_when(|| sleep(SECOND * 100))
        .on_incident(|_| {})
        .run()
        .await?;
    assert_eq!(report.restarts(), 49);
    Ok(())
}

#[ballet::test]
async fn without_any_restart_allowed_the_first_failure_escalates() {
    let log = Log::open();
    let supervisor = Supervisor::one_for_one()
        .intensity(0, SECOND)
        .child(failing(child("a"), &log, "a", 1, SECOND))
        .on_incident(|_| {});
    let escalation = supervisor.run().await.unwrap_err();
    assert_eq!((escalation.incidents().len(), escalation.last().restarts()), (1, 0));
}

#[ballet::test]
async fn a_child_that_never_becomes_ready_again_uses_up_the_intensity() {
    let began = Instant::now();
    let once = child("once").ready_within(SECOND).run(async |life: Life| {
        if life.restarts() > 0 {
            return std::future::pending().await;
        }
        life.ready();
        Err(Error::msg("fell"))
    });
    let supervisor = Supervisor::one_for_one().intensity(3, SECOND * 60).child(once).on_incident(|_| {});
    let escalation = supervisor.run().await.unwrap_err();
    assert!(!escalation.is_not_started() && escalation.last().is_not_ready());
    assert_eq!((escalation.last().restarts(), began.elapsed()), (3, SECOND * 3));
}

#[ballet::test]
async fn a_failure_beyond_the_window_waits_for_no_backoff() {
    let log = Log::open();
    let wait = Backoff::constant(SECOND * 10).without_jitter();
    let began = Instant::now();
    let supervisor = Supervisor::one_for_one()
        .intensity(1, SECOND * 60)
        .child(failing(child("a").backoff(wait), &log, "a", 9, SECOND))
        .on_incident(|_| {});
    drop(supervisor.run().await.unwrap_err());
    assert_eq!(began.elapsed(), SECOND * 12);
}

#[ballet::test]
async fn what_fails_while_the_others_are_stopped_comes_after_what_escalated() {
    let clumsy = child("clumsy").graceful(SECOND).run(async |life: Life| {
        life.ready();
        ballet::cancelled().await;
        Err(Error::msg("could not flush"))
    });
    let log = Log::open();
    let supervisor = Supervisor::one_for_one()
        .intensity(0, SECOND)
        .child(clumsy)
        .child(failing(child("a"), &log, "a", 1, SECOND))
        .on_incident(|_| {});
    let escalation = supervisor.run().await.unwrap_err();
    assert_eq!(escalation.last().child(), "a");
    let children: Vec<_> = escalation.incidents().iter().map(|incident| incident.child()).collect();
    assert_eq!(children, ["a", "clumsy"]);
}

#[ballet::test]
async fn only_so_many_incidents_are_kept_and_the_rest_are_counted() -> Result<(), Error> {
    let restarts = u32::try_from(INCIDENTS_KEPT)? + 44;
    let busy = child("busy").transient().run(async move |life: Life| {
        life.ready();
        if life.restarts() < restarts { Err(Error::msg("again")) } else { Ok(()) }
    });
    let report = Supervisor::one_for_one().without_limit().child(busy).on_incident(|_| {}).run().await?;
    assert_eq!((report.incidents().len(), report.forgotten()), (INCIDENTS_KEPT, 44));
    assert_eq!((report.restarts(), report.incidents()[0].restarts()), (restarts.into(), 44));
    assert_eq!(report.to_string(), format!("no child was left ({restarts} incidents, {restarts} restarts)"));
    Ok(())
}

#[ballet::test]
async fn a_sink_that_panics_takes_nobody_with_it() -> Result<(), Error> {
    let log = Log::open();
    let report = Supervisor::one_for_one()
        .child(failing(child("a"), &log, "a", 1, SECOND))
        .stop_when(|| sleep(SECOND * 2))
        .on_incident(|_| panic!("the sink slipped"))
        .run()
        .await?;
    assert_eq!(report.restarts(), 1);
    Ok(())
}

#[ballet::test]
async fn children_may_have_an_error_type_of_their_own() {
    #[derive(Debug, PartialEq)]
    enum Broken {
        String,
    }
    let violin: Supervised<Broken> = child("violin").run(async |life: Life| {
        life.ready();
        Err(Broken::String)
    });
    let supervisor = Supervisor::new(ballet::Strategy::OneForAll).child(violin).on_incident(|_| {});
    let escalation = supervisor.run().await.unwrap_err();
    assert_eq!(escalation.last().failure().and_then(|failure| failure.error()), Some(&Broken::String));
}

#[ballet::test]
#[should_panic(expected = "cannot have two children that are called `twin`")]
async fn two_children_of_one_name_are_refused() {
    let log = Log::open();
    let twins = Supervisor::one_for_one().child(steady(&log, "twin")).child(steady(&log, "twin"));
    drop(twins);
}

#[ballet::test]
#[should_panic(expected = "make it transient or temporary")]
async fn a_significant_permanent_child_is_refused() {
    let eternal: Supervised = child("eternal").significant().run(async |_: Life| Ok(()));
    assert_eq!(eternal.name(), Restart::Permanent.to_string());
}
