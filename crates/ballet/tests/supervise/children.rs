//! The handle: children that are added, stopped, restarted and looked at while the supervisor runs.

use std::future::pending;

use ballet::{Backoff, ChildState, Children, Error, Life, Restart, Scope, Supervised, Supervisor, child};
use tokio::time::{Instant, sleep};

use crate::script::{Log, SECOND, failing, steady, steady_as};

/// Runs the supervisor beside `body`, and stops it afterwards.
async fn with(
    supervisor: Supervisor,
    body: impl AsyncFnOnce(&Children) -> Result<(), Error>,
) -> Result<(), Error> {
    let children = supervisor.children();
    ballet::scope(async |s: Scope| {
        s.named("supervisor").spawn(async { Ok(supervisor.on_incident(|_| {}).run().await?) });
        children.ready().await?;
        body(&children).await?;
        children.stop();
        Ok(())
    })
    .await?;
    Ok(())
}

fn states(children: &Children) -> Vec<(String, ChildState)> {
    children.list().into_iter().map(|status| (status.name, status.state)).collect()
}

#[ballet::test]
async fn a_child_that_is_added_comes_last_and_is_ready_when_the_call_returns() -> Result<(), Error> {
    let log = Log::open();
    let slow = log.clone();
    let late = child("late").run(async move |life: Life| {
        let _alive = slow.live("late");
        sleep(SECOND).await;
        life.ready();
        pending().await
    });
    with(Supervisor::one_for_one().child(steady(&log, "a")), async |children| {
        children.add(late).await?;
        log.say("added");
        assert_eq!(states(children), [("a".into(), ChildState::Up), ("late".into(), ChildState::Up)]);
        Ok(())
    })
    .await?;
    let all = ["0 a begins", "0 late begins", "1000 added", "1000 late ends", "1000 a ends"];
    assert_eq!(log.take(), all);
    Ok(())
}

#[ballet::test]
async fn an_added_child_that_does_not_become_ready_is_forgotten_and_its_caller_is_told() -> Result<(), Error>
{
    let log = Log::open();
    let broken: Supervised = child("broken").run(async |_: Life| Err(Error::msg("no such host")));
    let mute = child("mute").ready_within(SECOND).run(async |_life: Life| pending().await);
    with(Supervisor::one_for_one().intensity(0, SECOND).child(steady(&log, "a")), async |children| {
        let error = children.add(broken.clone()).await.unwrap_err();
        assert!(error.to_string().contains("the child `broken` did not become ready: "), "{error}");
        assert!(error.to_string().contains("/broken: no such host"), "{error}");
        let began = Instant::now();
        let error = children.add(mute.clone()).await.unwrap_err();
        assert!(error.incident().is_some_and(ballet::Incident::is_not_ready));
        assert_eq!(began.elapsed(), SECOND);
        assert_eq!(children.count().total(), 1);
        assert!(children.add(broken.clone()).await.unwrap_err().incident().is_some(), "the name is free");
        Ok(())
    })
    .await
}

#[ballet::test]
async fn a_child_may_be_added_before_the_first_ones_are_ready_and_is_started_after_them() -> Result<(), Error>
{
    let log = Log::open();
    let slow = log.clone();
    let supervisor = Supervisor::one_for_one().child(child("slow").run(async move |life: Life| {
        let _alive = slow.live("slow");
        sleep(SECOND).await;
        life.ready();
        pending().await
    }));
    let children = supervisor.children();
    ballet::scope(async |s: Scope| {
        s.spawn(async { Ok(supervisor.run().await?) });
        children.add(steady(&log, "late")).await?;
        children.stop();
        Ok(())
    })
    .await?;
    let all = ["0 slow begins", "1000 late begins", "1000 late ends", "1000 slow ends"];
    assert_eq!(log.take(), all);
    Ok(())
}

#[ballet::test]
async fn a_terminated_child_stays_down_until_somebody_restarts_it_even_when_its_group_restarts()
-> Result<(), Error> {
    let log = Log::open();
    let supervisor = Supervisor::one_for_all()
        .child(steady(&log, "a"))
        .child(steady(&log, "b"))
        .child(failing(child("c"), &log, "c", 1, SECOND));
    with(supervisor, async |children| {
        children.terminate("a").await?;
        children.terminate("a").await?; // it is down
        sleep(SECOND * 2).await;
        assert_eq!(children.list()[0].state, ChildState::Down);
        assert_eq!(children.count().up, 2);
        children.restart("a").await?;
        assert_eq!((children.count().up, children.list()[0].restarts), (3, 1));
        Ok(())
    })
    .await?;
    let restart = ["1000 c ends", "1000 b ends", "1000 b begins", "1000 c begins", "2000 a begins"];
    assert_eq!(log.take()[4..9], restart);
    Ok(())
}

#[ballet::test]
async fn a_temporary_child_is_forgotten_when_it_is_terminated() -> Result<(), Error> {
    let log = Log::open();
    let supervisor = Supervisor::one_for_one().child(steady(&log, "a")).child(steady_as(
        child("b").temporary(),
        &log,
        "b",
    ));
    with(supervisor, async |children| {
        assert_eq!(children.list()[1].restart, Restart::Temporary);
        children.terminate("b").await?;
        assert!(children.restart("b").await.unwrap_err().is_unknown());
        Ok(())
    })
    .await
}

#[ballet::test]
async fn a_name_is_taken_until_its_child_is_removed() -> Result<(), Error> {
    let log = Log::open();
    with(Supervisor::one_for_one().child(steady(&log, "a")).keep_open(), async |children| {
        assert!(children.add(steady(&log, "a")).await.unwrap_err().is_taken());
        children.terminate("a").await?;
        assert!(children.add(steady(&log, "a")).await.unwrap_err().is_taken());
        children.remove("a").await?;
        assert!(children.remove("a").await.unwrap_err().is_unknown());
        children.add(steady(&log, "a")).await?;
        Ok(())
    })
    .await
}

#[ballet::test]
async fn a_restart_by_hand_touches_no_sibling_and_counts_for_nothing() -> Result<(), Error> {
    let log = Log::open();
    let supervisor =
        Supervisor::one_for_all().intensity(0, SECOND * 60).child(steady(&log, "a")).child(steady(&log, "b"));
    with(supervisor, async |children| {
        children.restart("a").await?;
        children.restart("a").await?;
        assert_eq!(children.list()[0].restarts, 2);
        Ok(())
    })
    .await?;
    let again = ["a ends", "a begins"];
    assert_eq!(log.words()[2..6], [again, again].concat());
    Ok(())
}

#[ballet::test]
async fn a_restart_by_hand_cuts_a_backoff_short_and_forgets_the_failures_before() -> Result<(), Error> {
    let log = Log::open();
    let wait = Backoff::exponential(SECOND * 10, SECOND * 100).without_jitter();
    let supervisor = Supervisor::one_for_one()
        .without_limit()
        .child(failing(child("a").backoff(wait), &log, "a", u32::MAX, SECOND))
        .child(steady(&log, "b"));
    with(supervisor, async |children| {
        sleep(SECOND * 12).await; // fell at 1, started at 11, falls at 12
        sleep(SECOND).await;
        let status = children.list().remove(0);
        assert_eq!(status.state, ChildState::Waiting(Instant::now() + SECOND * 19));
        assert!(status.to_string().ends_with("a (permanent), 1 restarts: starts again in 19.0s"), "{status}");
        assert!(status.last.unwrap().to_string().contains("it starts again in 20s"));
        children.restart("a").await?;
        sleep(SECOND * 2).await;
        assert_eq!(children.list()[0].state, ChildState::Waiting(Instant::now() + SECOND * 9));
        Ok(())
    })
    .await
}

#[ballet::test]
async fn a_restart_by_hand_that_fails_leaves_the_child_down() -> Result<(), Error> {
    let log = Log::open();
    let once = child("once").run(async |life: Life| {
        if life.restarts() > 0 {
            return Err(Error::msg("worn out"));
        }
        life.ready();
        pending().await
    });
    with(Supervisor::one_for_one().child(once).child(steady(&log, "a")), async |children| {
        let error = children.restart("once").await.unwrap_err();
        assert!(error.incident().is_some_and(|incident| incident.restarts() == 1), "{error}");
        assert_eq!(children.list()[0].state, ChildState::Down);
        Ok(())
    })
    .await
}

#[ballet::test]
async fn a_group_that_waits_for_its_backoff_need_not_wait_when_somebody_restarts_one_of_it()
-> Result<(), Error> {
    let log = Log::open();
    let wait = Backoff::constant(SECOND * 60).without_jitter();
    let supervisor = Supervisor::rest_for_one()
        .child(failing(child("a").backoff(wait), &log, "a", 1, SECOND))
        .child(steady(&log, "b"));
    with(supervisor, async |children| {
        sleep(SECOND * 2).await;
        let waits = ChildState::Waiting(Instant::now() + SECOND * 59);
        assert_eq!(states(children), [("a".into(), waits), ("b".into(), waits)]);
        children.restart("b").await?;
        Ok(())
    })
    .await?;
    assert_eq!(log.take()[4..6], ["2000 a begins", "2000 b begins"]);
    Ok(())
}

#[ballet::test]
async fn a_member_that_is_terminated_while_its_group_waits_does_not_hold_the_others_up() -> Result<(), Error>
{
    let log = Log::open();
    let wait = Backoff::constant(SECOND * 10).without_jitter();
    let supervisor = Supervisor::one_for_all()
        .child(failing(child("a").backoff(wait), &log, "a", 1, SECOND))
        .child(steady(&log, "b"));
    with(supervisor, async |children| {
        sleep(SECOND * 2).await;
        children.terminate("a").await?;
        sleep(SECOND * 10).await;
        assert_eq!(states(children), [("a".into(), ChildState::Down), ("b".into(), ChildState::Up)]);
        Ok(())
    })
    .await
}

#[ballet::test]
async fn a_start_that_somebody_stops_tells_whoever_waits_for_it() -> Result<(), Error> {
    let log = Log::open();
    let supervisor = Supervisor::one_for_one().child(steady(&log, "a"));
    let slow = child("slow").run(async |_life: Life| pending().await);
    with(supervisor, async |children| {
        let stops = async {
            sleep(SECOND).await;
            children.remove("slow").await
        };
        let (added, removed) = tokio::join!(children.add(slow), stops);
        removed?;
        assert!(added.unwrap_err().is_stopped());
        Ok(())
    })
    .await
}

#[ballet::test]
async fn a_child_may_remove_itself_and_add_another() -> Result<(), Error> {
    let log = Log::open();
    let supervisor = Supervisor::one_for_one().child(steady(&log, "a"));
    let handle = supervisor.children();
    let next = steady(&log, "next");
    let hands_over = child("first").run(async move |life: Life| {
        life.ready();
        handle.add(next.clone()).await?;
        handle.remove("first").await?;
        pending().await
    });
    with(supervisor, async |children| {
        children.add(hands_over).await?;
        while children.list().iter().any(|status| status.name == "first") {
            sleep(SECOND).await;
        }
        assert_eq!(states(children)[1], ("next".into(), ChildState::Up));
        Ok(())
    })
    .await
}

#[ballet::test]
async fn what_is_asked_of_a_supervisor_that_ends_is_answered() -> Result<(), Error> {
    let log = Log::open();
    let tidy = child("tidy").graceful(SECOND * 5).run(async |life: Life| {
        life.ready();
        ballet::cancelled().await;
        sleep(SECOND).await;
        Ok(())
    });
    let supervisor = Supervisor::one_for_one().child(tidy).child(steady(&log, "a"));
    let children = supervisor.children();
    ballet::scope(async |s: Scope| {
        s.spawn(async { Ok(supervisor.run().await?) });
        children.ready().await?;
        children.stop();
        tokio::task::yield_now().await;
        assert!(children.add(steady(&log, "b")).await.unwrap_err().is_ended());
        assert!(children.restart("a").await.unwrap_err().is_ended());
        children.terminate("tidy").await?; // it is ending, and has ended then
        assert!(children.remove("tidy").await.unwrap_err().is_ended());
        Ok(())
    })
    .await?;
    Ok(())
}

/// An error that looks at the supervisor when it is dropped.
struct Looks(Children<Looks>);

impl std::fmt::Debug for Looks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("looks")
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        assert!(self.0.list().len() < 3);
    }
}

#[ballet::test]
async fn no_destructor_of_an_error_runs_while_the_supervisor_cannot_be_looked_at() {
    let supervisor =
        Supervisor::<Looks>::new(ballet::Strategy::OneForOne).without_limit().on_incident(|_| {});
    let (children, handle) = (supervisor.children(), supervisor.children());
    let busy = child("busy").transient().run(async move |life: Life| {
        life.ready();
        if life.restarts() < 600 { Err(Looks(handle)) } else { Ok(()) }
    });
    let broken = {
        let handle = children.clone();
        child("broken").run(async move |_: Life| Err(Looks(handle)))
    };
    let meddles = async {
        children.ready().await.map(drop)?;
        for _ in 0..10 {
            drop(children.add(broken.clone()).await);
            drop(children.remove("busy").await);
        }
        Ok::<_, ballet::ChildError<Looks>>(())
    };
    let (report, meddled) = tokio::join!(supervisor.child(busy).run(), meddles);
    assert!(report.is_ok() && meddled.is_ok());
}

#[ballet::test]
async fn a_thousand_children_come_and_go() -> Result<(), Error> {
    with(Supervisor::one_for_one().keep_open(), async |children| {
        for number in 0..1_000 {
            let child = child(number.to_string()).run(async |life: Life| {
                life.ready();
                pending().await
            });
            children.add(child).await?;
        }
        assert_eq!(children.count().up, 1_000);
        for number in 0..1_000 {
            children.remove(&number.to_string()).await?;
        }
        assert_eq!(children.count().total(), 0);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_workers_no_answer_is_lost_when_the_supervisor_ends() {
    for round in 0..500 {
        let asked = ballet::scope(async |s: Scope| {
            let supervisor = Supervisor::one_for_one().keep_open();
            let children = supervisor.children();
            s.spawn(async { Ok(supervisor.run().await?) });
            for _ in 0..4 {
                let children = children.clone();
                s.spawn(async move {
                    while !children.terminate("nobody").await.is_err_and(|error| error.is_ended()) {}
                    Ok(())
                });
            }
            drop(children.terminate("nobody").await); // it runs
            children.stop();
            Ok(())
        });
        let ended = tokio::time::timeout(SECOND * 30, asked).await;
        assert!(ended.is_ok_and(|ended| ended.is_ok()), "somebody waits for ever in round {round}");
    }
}
