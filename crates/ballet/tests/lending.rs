//! What a scope lends: resources that are always closed, and values that come home.

#[path = "support/cut.rs"]
mod cut;

use std::cell::Cell;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::{Error, FINALIZER_BUDGET, Lent, Scope, SupervisorScope};
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use cut::cut_at_yield;

const SECOND: Duration = Duration::from_secs(1);

/// A house with doors: who was opened, and who was closed, in order.
#[derive(Clone, Default)]
struct House(Arc<Mutex<(Vec<&'static str>, Vec<&'static str>)>>);

struct Door(&'static str);

impl House {
    /// Opens in three steps of a second each.
    async fn open(&self, name: &'static str) -> Result<Door, Error> {
        for _ in 0..3 {
            sleep(SECOND).await;
        }
        self.0.lock().expect("nobody panics while holding it").0.push(name);
        Ok(Door(name))
    }

    async fn close(self, door: Door) -> Result<(), Error> {
        tokio::task::yield_now().await;
        self.0.lock().expect("nobody panics while holding it").1.push(door.0);
        Ok(())
    }

    async fn door<D>(&self, s: &Scope<Error, D>, name: &'static str) -> Result<Lent<Door>, Error> {
        let house = self.clone();
        s.acquire(self.open(name), async move |door| house.close(door).await).await
    }

    fn closed(&self) -> Vec<&'static str> {
        self.0.lock().expect("nobody panics while holding it").1.clone()
    }

    fn all_closed(&self) -> bool {
        let (opened, closed) = &*self.0.lock().expect("nobody panics while holding it");
        opened.len() == closed.len()
    }
}

/// Counts how often it is dropped.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[ballet::test]
async fn what_is_opened_last_is_closed_first_after_the_last_child() -> Result<(), Error> {
    let house = House::default();
    ballet::scope(async |s: Scope| {
        let front = house.door(&s, "front").await?;
        let back = house.door(&s, "back").await?;
        let (seen, doors) = (house.clone(), (front.clone(), back));
        s.spawn(async move {
            sleep(SECOND * 60).await;
            assert_eq!((doors.0.0, doors.1.0), ("front", "back"));
            assert!(seen.closed().is_empty());
            Ok(())
        });
        Ok(())
    })
    .await?;
    assert_eq!(house.closed(), ["back", "front"]);
    Ok(())
}

#[ballet::test]
async fn a_resource_is_closed_whatever_ends_the_scope() -> Result<(), Error> {
    let failing = House::default();
    let failed = ballet::scope(async |s: Scope| {
        let _door = failing.door(&s, "failing").await?;
        Err::<(), _>(Error::msg("failed"))
    });
    failed.await.unwrap_err();
    assert_eq!(failing.closed(), ["failing"]);

    let panicking = House::default();
    let panicked = ballet::scope(async |s: Scope| {
        let _door = panicking.door(&s, "panicking").await?;
        s.spawn::<(), _>(async { panic!("slipped") });
        pending::<Result<(), _>>().await
    });
    assert!(AssertUnwindSafe(panicked).catch_unwind().await.is_err());
    assert_eq!(panicking.closed(), ["panicking"]);

    let supervised = House::default();
    let cancelled = ballet::supervisor_scope(async |s: SupervisorScope| {
        let _door = supervised.door(&s, "supervised").await?;
        s.cancel();
        pending::<Result<(), _>>().await
    });
    assert!(cancelled.await.unwrap_err().is_cancelled());
    assert_eq!(supervised.closed(), ["supervised"]);
    Ok(())
}

#[ballet::test]
async fn cancelled_at_any_moment_of_opening_what_was_opened_is_closed() -> Result<(), Error> {
    for moment in 0..10 {
        let house = House::default();
        ballet::scope(async |s: Scope| {
            let (handle, opener) = (s.clone(), house.clone());
            let child = s.spawn(async move {
                opener.door(&handle, "door").await?;
                pending::<Result<(), Error>>().await
            });
            sleep(SECOND * moment / 2).await;
            child.job().cancel();
            Ok(())
        })
        .await?;
        assert!(house.all_closed());
        // Once begun, it is shielded: only a child that was never polled opens nothing.
        assert!(moment == 0 || house.closed() == ["door"], "cancelled after {moment} half seconds");
    }
    Ok(())
}

#[ballet::test]
async fn dropped_at_any_yield_by_foreign_code_what_was_opened_is_closed() -> Result<(), Error> {
    for limit in 1.. {
        let house = House::default();
        let opened = ballet::scope(async |s: Scope| {
            Ok(cut_at_yield(limit, house.door(&s, "door")).await.transpose()?.is_some())
        })
        .await?;
        assert!(house.all_closed(), "at yield {limit}");
        if opened {
            assert_eq!((limit, house.closed()), (4, vec!["door"]));
            break;
        }
    }
    Ok(())
}

#[ballet::test]
async fn where_opening_fails_nothing_is_closed_and_the_caller_may_go_on() -> Result<(), Error> {
    let house = House::default();
    ballet::scope(async |s: Scope| {
        let closing = house.clone();
        let locked = async { Err::<Door, _>(Error::msg("locked")) };
        let refused = s.acquire(locked, async move |door| closing.close(door).await).await;
        assert_eq!(refused.err().map(|error| error.to_string()).as_deref(), Some("locked"));
        Ok(())
    })
    .await?;
    assert!(house.closed().is_empty());
    Ok(())
}

#[ballet::test]
async fn a_failure_to_close_is_the_scopes_with_the_line_that_acquired() {
    let line = line!() + 2;
    let failure = ballet::scope(async |s: Scope<&str>| {
        s.acquire(async { Ok(()) }, async |()| Err("jammed")).await?;
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!((failure.error(), failure.place().line()), (Some(&"jammed"), line));
}

#[ballet::test]
async fn a_resource_held_by_one_that_is_closed_before_it_is_closed_in_time() -> Result<(), Error> {
    let house = House::default();
    let began = Instant::now();
    ballet::scope(async |s: Scope| {
        let outer = house.door(&s, "outer").await?;
        let inner = async { Ok((Door("inner"), outer)) };
        let closing = house.clone();
        s.acquire(inner, async move |(door, _outer)| closing.close(door).await).await?;
        Ok(())
    })
    .await?;
    assert_eq!((house.closed(), began.elapsed()), (vec!["inner", "outer"], SECOND * 3));
    Ok(())
}

#[ballet::test]
async fn closing_waits_for_a_handle_that_left_the_scope_within_the_budget() -> Result<(), Error> {
    for (held, is_closed) in [(SECOND, true), (FINALIZER_BUDGET * 2, false)] {
        let (house, began) = (House::default(), Instant::now());
        ballet::scope(async |outside: Scope| {
            let (smuggle, smuggled) = oneshot::channel();
            outside.spawn(async move {
                let _door: Lent<Door> = smuggled.await?;
                sleep(held).await;
                Ok(())
            });
            ballet::scope(async |s: Scope| Ok(smuggle.send(house.door(&s, "door").await?).is_ok())).await?;
            assert_eq!(began.elapsed(), SECOND * 3 + held.min(FINALIZER_BUDGET));
            assert_eq!(house.closed().len(), usize::from(is_closed));
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[ballet::test]
async fn on_a_scope_that_has_ended_the_resource_is_closed_at_once_and_the_mistake_named() -> Result<(), Error>
{
    let house = House::default();
    let ended = ballet::scope(async |s: Scope| Ok(s)).await?;
    let late = AssertUnwindSafe(house.door(&ended, "late")).catch_unwind().await;
    let payload = late.err().unwrap();
    let message = payload.downcast_ref::<String>().unwrap();
    assert!(message.contains("on a scope that has ended"), "{message}");
    assert_eq!(house.closed(), ["late"]);
    Ok(())
}

#[ballet::test]
async fn a_resource_that_is_not_sync_can_be_lent_to_the_body() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let cell = s.acquire(async { Ok(Cell::new(1)) }, async |cell: Cell<u32>| {
            assert_eq!(cell.into_inner(), 2);
            Ok(())
        });
        cell.await?.set(2);
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_lent_value_comes_home_when_the_last_child_has_ended() -> Result<(), Error> {
    let counter = Box::new(AtomicU32::new(0));
    let address = std::ptr::from_ref(&*counter);
    let (done, counter) = ballet::scope_with(counter, async |s: Scope, counter: Lent<Box<AtomicU32>>| {
        for _ in 0..10 {
            let counter = counter.clone();
            s.spawn(async move {
                sleep(SECOND).await;
                counter.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
        }
        Ok(())
    })
    .await;
    done?;
    let counter = counter?;
    assert_eq!((std::ptr::from_ref(&*counter), counter.into_inner()), (address, 10));
    Ok(())
}

#[ballet::test]
async fn a_lent_value_comes_home_from_a_scope_that_failed_or_was_cancelled() {
    let (failed, value) = ballet::scope_with(7, async |s: Scope<&str>, value: Lent<u32>| {
        s.spawn(async move {
            ballet::shield(sleep(SECOND)).await;
            Err::<(), _>(if *value == 7 { "failed" } else { "changed" })
        });
        pending::<Result<(), _>>().await
    })
    .await;
    assert_eq!((failed.unwrap_err().error(), value.unwrap()), (Some(&"failed"), 7));

    let (cancelled, value) = ballet::scope_with(7, async |s: Scope, _: Lent<u32>| {
        s.cancel();
        pending::<Result<(), _>>().await
    })
    .await;
    assert!(cancelled.unwrap_err().is_cancelled());
    assert_eq!(value.unwrap(), 7);
}

#[ballet::test]
async fn a_handle_that_left_its_scope_is_named_and_its_value_can_be_awaited() -> Result<(), Error> {
    let line = line!() + 1;
    let (handle, value) = ballet::scope_with("score".to_owned(), async |_: Scope, lent| Ok(lent)).await;
    let (handle, escaped) = (handle?, value.unwrap_err());
    assert_eq!((escaped.place().file(), escaped.place().line()), (file!(), line));
    assert!(escaped.to_string().starts_with("a `alloc::string::String` that was lent at "), "{escaped}");
    ballet::scope(async |s: Scope| {
        let copy = handle.clone();
        drop(handle);
        s.spawn(async move {
            sleep(SECOND).await;
            assert_eq!(*copy, "score");
            Ok(())
        });
        assert_eq!(escaped.returned().await, "score");
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_lent_value_is_dropped_once_where_its_owner_is_gone() -> Result<(), Error> {
    for limit in 1.. {
        let dropped = Arc::new(AtomicU32::new(0));
        let value = Counted(Arc::clone(&dropped));
        let ended = ballet::scope(async |_: Scope| {
            let lending = ballet::scope_with(value, async |s: Scope, value: Lent<Counted>| {
                s.spawn(async move {
                    tokio::task::yield_now().await;
                    ballet::shield(sleep(SECOND)).await;
                    assert_eq!(value.0.load(Ordering::Relaxed), 0, "it is still lent");
                    Ok(())
                });
                sleep(SECOND / 2).await;
                Ok(())
            });
            Ok(cut_at_yield(limit, lending).await.is_some())
        })
        .await?;
        assert_eq!(dropped.load(Ordering::Relaxed), 1, "at yield {limit}");
        if ended {
            assert!(limit > 1, "it never yielded");
            break;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_workers_a_lent_value_is_home_whenever_its_scope_has_ended() -> Result<(), Error> {
    let all = ballet::scope(async |s: Scope| {
        s.spawn(async {
            let mut words = vec!["one".to_owned(), "two".to_owned()];
            for _ in 0..500 {
                let lending = ballet::scope_with(words, async |s: Scope, words: Lent<Vec<String>>| {
                    s.spawn_all((0..4).map(|_| {
                        let words = words.clone();
                        async move { Ok(words.len()) }
                    }));
                    Ok(())
                });
                let (done, home) = lending.await;
                done?;
                words = home?;
            }
            assert_eq!(words.len(), 2);
            Ok(())
        });
        Ok(())
    });
    tokio::time::timeout(SECOND * 60, all).await??;
    Ok(())
}
