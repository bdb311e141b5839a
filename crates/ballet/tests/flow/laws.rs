//! What holds for all flows: who sees a failure, what stops when, and in whose context code runs.

use std::time::Duration;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ballet::flow::{BoxFlow, Completion, Emitter, Never};
use ballet::{Context, Error, FlowExt, Key, Reason, Scope, flow};

use crate::support::{Living, Log, MS, timed};

// KT TakeTest. An endless source that is retried for ever is stopped by a `take` below, which is no failure.
#[ballet::test]
async fn c55_take_stops_an_endless_source_that_would_be_retried() {
    let (starts, living) = (AtomicUsize::new(0), Living::default());
    let endless = flow(async |out: &mut Emitter<'_, u32>| {
        starts.fetch_add(1, Ordering::Relaxed);
        let _guard = living.guard();
        loop {
            out.emit(1).await;
        }
        #[expect(unreachable_code, reason = "says what it could fail with")]
        Err::<(), _>("never")
    });
    assert_eq!(endless.clone().retry(u64::MAX).take(2).collect::<Vec<_>>().await, Ok(vec![1, 1]));
    assert_eq!((starts.load(Ordering::Relaxed), living.count()), (1, 0));

    // Nested: a `take(1)` inside a loop, below a `take(3)`.
    let nested = flow(async |out: &mut Emitter<'_, u32>| {
        loop {
            let mut one = std::pin::pin!(endless.clone().take(1));
            while let Ok(Some(n)) = one.next().await {
                out.emit(n).await;
            }
        }
    });
    let ones: Vec<u32> = nested.take(3).collect().await;
    assert_eq!(ones, [1, 1, 1]);
    assert_eq!((starts.load(Ordering::Relaxed), living.count()), (4, 0));
}

// KT OnCompletionTest.testCancelledEmit. What is told has the cause. That it emits nothing is not tested but said by the
// types: it is given no emitter, because nobody may be left to take an item.
#[ballet::test]
async fn c56_on_completion_sees_why_the_flow_was_cancelled() -> Result<(), Error> {
    let told = std::sync::Arc::new(Mutex::new(None));
    let teller = std::sync::Arc::clone(&told);
    ballet::scope(async |s: Scope| {
        let collector = s.named("collector").spawn(async move {
            let silent = flow(async |_: &mut Emitter<'_, u32>| std::future::pending::<()>().await);
            let silent = silent.on_completion(|end: Completion<'_, Never>| {
                let Completion::Stopped(reason) = end else { panic!("it neither ended nor failed") };
                *teller.lock().unwrap() = Some(reason);
            });
            silent.drain().await;
            Ok(())
        });
        tokio::time::sleep(MS).await;
        collector.job().cancel();
        Ok(())
    })
    .await?;
    let reason = told.lock().unwrap().take().expect("it was told").expect("there is a reason");
    assert!(matches!(reason, Reason::Requested(_)), "{reason}");
    assert!(reason.origin().place().file().ends_with("laws.rs"));
    Ok(())
}

// KT ZipTest, DebounceTest, FlatMapLatestTest.
#[ballet::test]
async fn c57_zip_debounce_and_flat_map_latest_stop_and_finish_what_they_should() {
    let living = Living::default();
    let endless = || {
        let guard = living.guard();
        flow(async move |out| -> () {
            let _guard = guard;
            loop {
                out.emit('x').await;
                tokio::time::sleep(1_000 * MS).await;
            }
        })
    };
    let start = tokio::time::Instant::now();
    let mut zipped = std::pin::pin!(timed(vec![(1, 'a'), (1, 'b')]).take(1).zip(endless()));
    assert_eq!(zipped.as_mut().count().await, 1);
    assert_eq!(living.count(), 0, "the longer side is dropped with the end, not with the flow");
    let mut zipped = std::pin::pin!(endless().zip(timed(vec![(1, 'a'), (1, 'b')]).take(1)));
    assert_eq!(zipped.as_mut().count().await, 1);
    assert_eq!(living.count(), 0, "the longer side is dropped with the end, not with the flow");
    assert_eq!(start.elapsed(), 2 * MS, "nobody waited for the longer side");

    let typed = || timed(vec![(0, 1), (5, 2), (30, 3), (5, 4)]);
    assert_eq!(typed().debounce(20 * MS).collect::<Vec<_>>().await, [2, 4]);
    assert_eq!(typed().debounce(Duration::ZERO).collect::<Vec<_>>().await, [1, 2, 3, 4]);

    let latest = timed(vec![(0, 'a'), (5, 'b')]).flat_map_latest(|letter| {
        assert_eq!(living.count(), 0, "the flow before has been dropped");
        endless().map(move |_| letter).take(2)
    });
    assert_eq!(latest.collect::<Vec<_>>().await, ['a', 'b', 'b']);
}

/// Exception transparency: what fails below a `catch` or a `retry` is none of its business.
#[ballet::test]
async fn a_failure_is_seen_below_it_and_never_above() {
    let log = Log::default();
    let caught =
        flow::iter(0..3).map(Ok::<u32, &str>).or_fail().catch(async |error, _: &mut Emitter<'_, u32>| {
            log.note(format!("caught {error}"));
        });
    let failed = caught.map(|n| if n == 1 { Err("below") } else { Ok(n) }).or_fail();
    assert_eq!(failed.collect::<Vec<_>>().await, Err("below"));
    assert!(log.taken().is_empty(), "the failure happened below the catch");

    let starts = AtomicUsize::new(0);
    let source = flow(async |out| {
        starts.fetch_add(1, Ordering::Relaxed);
        out.emit(1).await;
        Ok::<_, &str>(())
    });
    let failed = source.retry(5).map(|_| Err::<u32, _>("below")).or_fail();
    assert_eq!(failed.drain().await, Err("below"));
    assert_eq!(starts.load(Ordering::Relaxed), 1, "the failure happened below the retry");
}

#[ballet::test]
async fn a_panic_below_is_not_caught_above_and_unwinds_into_the_collector() {
    let caught =
        flow::iter(0..3).map(Ok::<u32, &str>).or_fail().catch(async |_, _: &mut Emitter<'_, u32>| ());
    let collect = caught.tap(|n| assert!(*n < 1, "too large")).drain();
    let panic = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(collect)).await;
    assert!(panic.is_err());
}

/// Emitting ends the code's part: what comes after an item runs when the next one is wanted, and not before.
#[ballet::test]
async fn code_rests_at_each_item_until_the_next_is_wanted() {
    let log = Log::default();
    let told = flow(async |out| {
        for n in 1..=3 {
            log.note(format!("emit {n}"));
            out.emit(n).await;
            log.note(format!("emitted {n}"));
        }
    });
    assert_eq!(told.tap(|n| log.note(format!("take {n}"))).take(2).count().await, 2);
    assert_eq!(log.taken(), ["emit 1", "take 1", "emitted 1", "emit 2", "take 2"]);
}

#[ballet::test]
async fn whoever_has_had_enough_stops_what_stands_above_at_once() {
    fn guarded(living: &Living) -> BoxFlow<'static, u32> {
        let guard = living.guard();
        flow(async move |out| {
            let _guard = guard;
            for n in 0.. {
                out.emit(n).await;
            }
        })
        .boxed()
    }
    let living = Living::default();
    let ends: [(&str, BoxFlow<'static, u32>); 5] = [
        ("take", guarded(&living).take(3).boxed()),
        ("take_while", guarded(&living).take_while(|n| *n < 3).boxed()),
        ("scan", guarded(&living).scan(0, |_, n| (n < 3).then_some(n)).boxed()),
        ("zip", guarded(&living).zip(flow::iter(0..3)).map(|(n, _)| n).boxed()),
        ("race", flow::iter(0..3).race(guarded(&living)).boxed()),
    ];
    let mut left = ends.len();
    for (name, end) in ends {
        assert_eq!(living.count(), left, "{name}");
        // What follows in the same chain finds it stopped already.
        let counted = living.clone();
        let after = end.chain(flow::iter([7]).tap(move |_| assert_eq!(counted.count(), left - 1, "{name}")));
        assert_eq!(after.collect::<Vec<_>>().await, [0, 1, 2, 7], "{name}");
        left -= 1;
    }
    assert!(guarded(&living).any(|n| n == 5).await);
    assert_eq!(guarded(&living).first().await, Some(0));
    assert_eq!(living.count(), 0);
}

#[ballet::test]
async fn on_completion_is_told_once_in_each_way() {
    let log = Log::default();
    let tell = |end: Completion<'_, &str>| log.note(format!("{end:?}"));
    let good = flow::iter([Ok::<_, &str>(1), Ok(2)]).or_fail().on_completion(tell);
    assert_eq!(good.count().await, Ok(2));
    assert_eq!(log.taken(), ["Ended"]);
    let bad = flow::iter([Ok(1), Err("torn")]).or_fail().on_completion(tell);
    assert_eq!(bad.count().await, Err("torn"));
    assert_eq!(log.taken(), ["Failed(\"torn\")"]);
    let enough = flow::iter([Ok(1), Err("torn")]).or_fail().on_completion(tell);
    assert_eq!(enough.first().await, Ok(Some(1)));
    assert_eq!(log.taken(), ["Stopped(None)"]);
    drop(flow::iter([Ok::<_, &str>(1)]).or_fail().on_completion(tell));
    assert!(log.taken().is_empty(), "a flow that never began has not ended");
}

struct Locale;

impl Key for Locale {
    type Value = &'static str;
}

fn locale() -> &'static str {
    Context::current().get(Locale).copied().unwrap_or("none")
}

/// Context preservation: code of a flow runs in the context of its collector, wherever the flow was made.
#[ballet::test]
async fn code_has_its_collector_s_context() {
    let told = flow(async |out| {
        out.emit(locale()).await;
        tokio::task::yield_now().await;
        out.emit(locale()).await;
    });
    let below = told.then(async |above: &'static str| (above, locale()));
    assert_eq!(below.clone().collect::<Vec<_>>().await, [("none", "none"); 2]);
    let welsh = ballet::with(Locale, "cy", below.collect::<Vec<_>>()).await;
    assert_eq!(welsh, [("cy", "cy"); 2]);
}

/// R17: what runs in a child of a stage has the context of the collector too.
#[ballet::test]
async fn children_of_a_stage_have_their_collector_s_context() {
    let told = flow(async |out| out.emit(locale()).await).buffer(4);
    let told = told.map_par(2, async |above| (above, locale())).flow_on(&ballet::Dispatcher::lanes());
    let welsh = ballet::with(Locale, "cy", told.collect::<Vec<_>>()).await;
    assert_eq!(welsh, [("cy", "cy")]);
}
