//! Who is started again, when, and with what.

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::{Backoff, ChildState, Error, Life, Scope, Supervisor, child};
use tokio::time::{Instant, sleep};

use crate::script::{Log, SECOND, failing, steady, steady_as};

#[ballet::test]
async fn one_for_one_starts_the_one_that_failed_and_touches_nobody_else() -> Result<(), Error> {
    let log = Log::open();
    let report = Supervisor::one_for_one()
        .child(steady(&log, "a"))
        .child(failing(child("b"), &log, "b", 1, SECOND))
        .child(steady(&log, "c"))
        .stop_when(|| sleep(SECOND * 2))
        .on_incident(|_| {})
        .run()
        .await?;
    let all = [
        "0 a begins",
        "0 b begins",
        "0 c begins",
        "1000 b ends",
        "1000 b begins",
        "2000 c ends",
        "2000 b ends",
        "2000 a ends",
    ];
    assert_eq!(log.take(), all);
    assert_eq!(report.restarts(), 1);
    Ok(())
}

#[ballet::test]
async fn one_for_all_stops_the_others_last_first_and_starts_all_in_order() -> Result<(), Error> {
    let log = Log::open();
    let _ = Supervisor::one_for_all()
        .child(steady(&log, "a"))
        .child(failing(child("b"), &log, "b", 1, SECOND))
        .child(steady(&log, "c"))
        .stop_when(|| sleep(SECOND * 2))
        .on_incident(|_| {})
        .run()
        .await?;
    let before = ["a begins", "b begins", "c begins", "b ends", "c ends", "a ends"];
    let after = ["a begins", "b begins", "c begins", "c ends", "b ends", "a ends"];
    assert_eq!(log.words(), [before, after].concat());
    Ok(())
}

#[ballet::test]
async fn rest_for_one_stops_and_starts_those_after_the_one_that_failed() -> Result<(), Error> {
    let log = Log::open();
    let _ = Supervisor::rest_for_one()
        .child(steady(&log, "a"))
        .child(failing(child("b"), &log, "b", 1, SECOND))
        .child(steady(&log, "c"))
        .child(steady(&log, "d"))
        .stop_when(|| sleep(SECOND * 2))
        .on_incident(|_| {})
        .run()
        .await?;
    let begin = ["a begins", "b begins", "c begins", "d begins"].map(str::to_owned);
    let restart = ["b ends", "d ends", "c ends", "b begins", "c begins", "d begins"].map(str::to_owned);
    let end = ["d ends", "c ends", "b ends", "a ends"].map(str::to_owned);
    assert_eq!(log.words(), [&begin[..], &restart, &end].concat());
    Ok(())
}

#[ballet::test]
async fn a_group_is_down_before_its_backoff_and_comes_up_after_it_in_order() -> Result<(), Error> {
    let log = Log::open();
    let wait = Backoff::constant(SECOND * 3).without_jitter();
    let slow = log.clone();
    let _ = Supervisor::one_for_all()
        .child(child("a").run(async move |life: Life| {
            let _alive = slow.live("a");
            sleep(SECOND).await;
            life.ready();
            pending().await
        }))
        .child(failing(child("b").backoff(wait), &log, "b", 1, SECOND))
        .stop_when(|| sleep(SECOND * 7))
        .on_incident(|_| {})
        .run()
        .await?;
    let all = [
        "0 a begins",
        "1000 b begins",
        "2000 b ends",
        "2000 a ends",
        "5000 a begins",
        "6000 b begins",
        "7000 b ends",
        "7000 a ends",
    ];
    assert_eq!(log.take(), all);
    Ok(())
}

#[ballet::test]
async fn a_group_that_fails_again_while_it_comes_up_starts_over() -> Result<(), Error> {
    let log = Log::open();
    let (first, second) = (log.clone(), log.clone());
    let _ = Supervisor::one_for_all()
        .intensity(5, SECOND * 60)
        .child(child("a").run(async move |life: Life| {
            let _alive = first.live("a");
            life.ready();
            if life.restarts() < 2 {
                sleep(SECOND).await;
                return Err(Error::msg("fell"));
            }
            pending().await
        }))
        .child(child("b").run(async move |life: Life| {
            let _alive = second.live("b");
            if life.restarts() == 1 {
                pending::<()>().await; // when `a` falls the second time, this one is not ready
            }
            life.ready();
            pending().await
        }))
        .stop_when(|| sleep(SECOND * 5))
        .on_incident(|_| {})
        .run()
        .await?;
    let round = ["a begins", "b begins", "a ends", "b ends"];
    let last = ["a begins", "b begins", "b ends", "a ends"];
    assert_eq!(log.words(), [round, round, last].concat());
    Ok(())
}

#[ballet::test]
async fn a_child_that_has_served_takes_part_again_when_its_group_is_restarted() -> Result<(), Error> {
    let log = Log::open();
    let migrate = log.clone();
    let _ = Supervisor::one_for_all()
        .child(child("migrate").transient().run(async move |_: Life| {
            migrate.say("migrated");
            Ok(())
        }))
        .child(failing(child("serve"), &log, "serve", 1, SECOND))
        .stop_when(|| sleep(SECOND * 2))
        .on_incident(|_| {})
        .run()
        .await?;
    let all = ["migrated", "serve begins", "serve ends", "migrated", "serve begins", "serve ends"];
    assert_eq!(log.words(), all);
    Ok(())
}

#[ballet::test]
async fn delays_double_up_to_the_longest_and_begin_anew_after_a_healthy_life() -> Result<(), Error> {
    let log = Log::open();
    let backoff = Backoff::exponential(SECOND, SECOND * 4).without_jitter().healthy_after(SECOND * 10);
    let lives = log.clone();
    let _ = Supervisor::one_for_one()
        .without_limit()
        .child(child("a").backoff(backoff).run(async move |life: Life| {
            lives.say("begins");
            life.ready();
            // The fifth life is just long enough.
            sleep(if life.restarts() == 4 { SECOND * 10 } else { SECOND }).await;
            Err(Error::msg("fell"))
        }))
        .stop_when(|| sleep(SECOND * 31))
        .on_incident(|_| {})
        .run()
        .await?;
    // Lives of a second, delays of 1, 2, 4, 4; a life of ten seconds; delays of 1, 2.
    let begins = [0, 2, 5, 10, 15, 26, 29].map(|second| format!("{} begins", second * 1_000));
    assert_eq!(log.take(), begins);
    Ok(())
}

#[ballet::test]
async fn a_life_that_is_not_ready_is_never_healthy() -> Result<(), Error> {
    let log = Log::open();
    let backoff = Backoff::exponential(SECOND, SECOND * 8).without_jitter().healthy_after(SECOND);
    let lives = log.clone();
    let _ = Supervisor::one_for_one()
        .without_limit()
        .child(child("a").backoff(backoff).run(async move |life: Life| {
            lives.say("begins");
            if life.restarts() == 0 {
                life.ready();
            }
            sleep(SECOND * 2).await;
            Err(Error::msg("fell"))
        }))
        .stop_when(|| sleep(SECOND * 20))
        .on_incident(|_| {})
        .run()
        .await?;
    // The first life was healthy, the others never ready: delays of 1, 2, 4, 8.
    assert_eq!(log.take(), ["0 begins", "3000 begins", "7000 begins", "13000 begins"]);
    Ok(())
}

#[ballet::test]
async fn jittered_delays_differ_and_stay_within_their_bounds() -> Result<(), Error> {
    let backoff = Backoff::exponential(SECOND, SECOND * 8);
    let report = Supervisor::one_for_one()
        .without_limit()
        .child(child("a").transient().backoff(backoff).run(async |life: Life| {
            life.ready();
            if life.restarts() < 200 { Err(Error::msg("fell")) } else { Ok(()) }
        }))
        .on_incident(|_| {})
        .run()
        .await?;
    let delays: Vec<_> = report.incidents().iter().filter_map(|it| it.restarts_after()).collect();
    assert_eq!(delays.len(), 200);
    for (failures, delay) in (0..).zip(&delays) {
        assert!(*delay <= backoff.bound(failures), "{failures}: {delay:?}");
    }
    let mean = delays.iter().sum::<Duration>() / 200;
    assert!((SECOND * 3..SECOND * 5).contains(&mean), "{mean:?}");
    Ok(())
}

#[ballet::test]
async fn a_life_begins_when_the_one_before_has_ended_with_all_that_it_left_behind() -> Result<(), Error> {
    let log = Log::open();
    let lives = log.clone();
    let _ = Supervisor::one_for_one()
        .child(child("a").run(async move |life: Life| {
            lives.say("begins");
            life.ready();
            if life.restarts() > 0 {
                return pending().await;
            }
            let last = lives.clone();
            let scope = ballet::scope(async |s: Scope| {
                s.defer(async move {
                    sleep(SECOND).await;
                    last.say("has cleaned up");
                    Ok(())
                });
                pending::<Result<(), Error>>().await
            });
            drop(tokio::time::timeout(SECOND, scope).await); // its scope is adopted by the job
            Err(Error::msg("fell"))
        }))
        .stop_when(|| sleep(SECOND * 3))
        .on_incident(|_| {})
        .run()
        .await?;
    assert_eq!(log.take(), ["0 begins", "2000 has cleaned up", "2000 begins"]);
    Ok(())
}

#[ballet::test]
async fn a_permanent_child_is_restarted_however_it_ends() -> Result<(), Error> {
    let supervisor = Supervisor::one_for_one()
        .without_limit()
        .child(child("a").run(async |life: Life| {
            life.ready();
            sleep(SECOND).await;
            match life.restarts() {
                0 => Ok(()),
                1 => Err(Error::msg("fell")),
                2 => panic!("slipped"),
                _ => pending().await,
            }
        }))
        .on_incident(|_| {});
    let children = supervisor.children();
    let cancels = supervisor.children();
    ballet::scope(async |s: Scope| {
        let report = s.spawn(async { Ok(supervisor.run().await?) });
        sleep(SECOND * 4).await;
        let status = cancels.list().remove(0);
        status.job.unwrap().cancel();
        while children.list()[0].restarts < 4 {
            sleep(SECOND).await;
        }
        children.stop();
        let report = report.await;
        let said: Vec<_> = report.incidents().iter().map(ToString::to_string).collect();
        assert!(said[0].ends_with("/a: returned, and should have gone on (lived 1s; it starts again)"));
        assert!(said[1].ends_with("/a: fell (restart 1, lived 1s; it starts again)"), "{said:?}");
        assert!(said[2].contains("/a: panicked: slipped (spawned at "), "{said:?}");
        assert!(report.incidents()[3].failure().is_some_and(ballet::Failure::is_cancelled));
        assert_eq!((report.restarts(), said.len()), (4, 4));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn state_goes_from_life_to_life_whatever_ended_the_one_before() -> Result<(), Error> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let counter = child("counter").transient().run(async move |life: Life<Vec<u32>>| {
        life.ready();
        let mut lives = life.inherit().unwrap_or_default();
        assert!(life.inherit().is_none(), "it is taken once");
        lives.push(life.restarts());
        sees.lock().unwrap().push(lives.clone());
        life.leave(vec![]); // replaced by the next
        life.leave(lives);
        match life.restarts() {
            0 => Err(Error::msg("fell")),
            1 => panic!("slipped"),
            _ => Ok(()),
        }
    });
    let supervisor = Supervisor::one_for_one().without_limit().child(counter).on_incident(|_| {});
    for _run in 0..2 {
        // Another run begins with nothing.
        drop(supervisor.clone().run().await?);
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), [vec![0], vec![0, 1], vec![0, 1, 2]]);
    }
    Ok(())
}

#[ballet::test]
async fn what_a_closure_captured_is_cloned_for_each_life() -> Result<(), Error> {
    let shared = Arc::new(AtomicU32::new(0));
    let (mine, mut local) = (Arc::clone(&shared), 0);
    drop(
        Supervisor::one_for_one()
            .without_limit()
            .child(child("a").transient().run(async move |life: Life| {
                life.ready();
                local += 1;
                assert_eq!(local, 1, "each life begins with the value as it was");
                if mine.fetch_add(1, Ordering::Relaxed) < 4 { Err(Error::msg("again")) } else { Ok(()) }
            }))
            .on_incident(|_| {})
            .run()
            .await?,
    );
    assert_eq!((shared.load(Ordering::Relaxed), Arc::strong_count(&shared)), (5, 1));
    Ok(())
}

#[ballet::test]
async fn a_child_that_is_slow_to_start_again_holds_nobody_up() -> Result<(), Error> {
    let log = Log::open();
    let slow = log.clone();
    let _ = Supervisor::one_for_one()
        .intensity(5, SECOND * 60)
        .child(child("slow").run(async move |life: Life| {
            let _alive = slow.live("slow");
            if life.restarts() > 0 {
                sleep(SECOND * 20).await;
            }
            life.ready();
            sleep(SECOND).await;
            Err(Error::msg("fell"))
        }))
        .child(failing(child("quick"), &log, "quick", 1, SECOND * 2))
        .stop_when(|| sleep(SECOND * 3))
        .on_incident(|_| {})
        .run()
        .await?;
    let all = [
        "0 slow begins",
        "0 quick begins",
        "1000 slow ends",
        "1000 slow begins",
        "2000 quick ends",
        "2000 quick begins",
        "3000 quick ends",
        "3000 slow ends",
    ];
    assert_eq!(log.take(), all);
    Ok(())
}

#[ballet::test]
async fn a_child_that_does_not_leave_holds_up_its_own_restart_and_no_other() -> Result<(), Error> {
    let log = Log::open();
    let stubborn = log.clone();
    let supervisor = Supervisor::one_for_one()
        .child(child("stubborn").run(async move |life: Life| {
            let _alive = stubborn.live("stubborn");
            life.ready();
            ballet::shield(sleep(SECOND * 20)).await;
            pending().await
        }))
        .child(failing(child("quick"), &log, "quick", 1, SECOND * 2))
        .on_incident(|_| {});
    let children = supervisor.children();
    ballet::scope(async |s: Scope| {
        s.spawn(async { Ok(supervisor.run().await?) });
        sleep(SECOND).await;
        children.restart("stubborn").await?; // has to wait for the first life
        log.say("both are up");
        children.stop();
        Ok(())
    })
    .await?;
    let all = [
        "0 stubborn begins",
        "0 quick begins",
        "2000 quick ends",
        "2000 quick begins",
        "20000 stubborn ends",
        "20000 stubborn begins",
        "20000 both are up",
        "20000 quick ends",
        "40000 stubborn ends",
    ];
    assert_eq!(log.take(), all);
    Ok(())
}

#[ballet::test]
async fn a_restart_is_seen_in_the_tree_and_the_path_stays_the_same() -> Result<(), Error> {
    let log = Log::open();
    let wait = Backoff::constant(SECOND).without_jitter();
    let supervisor = Supervisor::one_for_one()
        .intensity(3, SECOND * 60)
        .child(failing(child("feed").backoff(wait), &log, "feed", 2, SECOND))
        .child(steady_as(child("index"), &log, "index"))
        .on_incident(|_| {});
    let children = supervisor.children();
    ballet::scope(async |s: Scope| {
        s.named("sources").spawn(async { Ok(supervisor.run().await?) });
        sleep(SECOND * 3 / 2).await;
        assert_eq!(children.list()[0].state, ChildState::Waiting(Instant::now() + SECOND / 2));
        let tree = s.tree().to_string();
        assert!(tree.contains("one_for_one: 1 up, 1 starting, 0 stopping, 0 down"), "{tree}");
        sleep(SECOND * 3).await;
        let tree = s.tree();
        let feed = tree.iter().find(|node| node.path.ends_with("/sources/feed")).unwrap();
        assert_eq!(feed.remarks, ["restart 2"]);
        assert!(feed.place.file().ends_with("script.rs"));
        children.stop();
        Ok(())
    })
    .await?;
    Ok(())
}
