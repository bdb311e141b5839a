//! Flows that never wait: others run all the same, and who collects can be cancelled.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as Poller, Poll};
use std::time::{Duration, Instant};

use ballet::flow::{BoxFlow, Emitter, Never, Polled};
use ballet::{Error, Flow, FlowExt, Scope, flow};

/// Flows that are always ready, each by another part of the code.
fn endless() -> Vec<(&'static str, BoxFlow<'static, u64>)> {
    let code = || {
        flow(async |out| {
            for n in 0.. {
                out.emit(n).await;
            }
        })
    };
    let failing = flow(async |_: &mut Emitter<'_, u64>| Err("again")).retry(u64::MAX);
    vec![
        ("iter", flow::iter(0..).boxed()),
        ("filtered", flow::iter(0_u64..).filter(|_| false).boxed()),
        ("code", code().boxed()),
        ("then", flow::iter(0..).then(async |n| n).boxed()),
        ("transform", flow::iter(0_u64..).transform(async |_, _: &mut Emitter<'_, u64>| ()).boxed()),
        ("stream", flow::stream(futures_util::stream::repeat(7)).boxed()),
        ("empty flows", flow::iter(0_u64..).flat_map(|_| flow::iter(None)).boxed()),
        ("merged empty flows", flow::iter(0_u64..).flat_map_merge(4, |_| flow::iter(None)).boxed()),
        ("merged", flow::iter(0..).flat_map_merge(4, move |_| code()).boxed()),
        ("latest", flow::iter(0..).flat_map_latest(move |_| code()).boxed()),
        ("map_latest", flow::iter(0..).map_latest(async |n| n).boxed()),
        ("map_latest of nothing", flow::iter(0_u64..).filter(|_| false).map_latest(async |n| n).boxed()),
        ("merge", code().merge(flow::iter(0..)).boxed()),
        ("zip", code().zip(flow::iter(0_u64..)).map(|(n, _)| n).boxed()),
        ("retried", failing.catch(async |_, _: &mut Emitter<'_, u64>| ()).boxed()),
        ("buffered", code().buffer(16).boxed()),
    ]
}

#[ballet::test]
async fn an_endless_flow_that_never_waits_lets_others_run_and_is_cancelled() -> Result<(), Error> {
    for (name, endless) in endless() {
        let ran = ballet::scope(async |s: Scope| {
            let collector = s.named(name).spawn(async move {
                endless.drain().await;
                Ok(())
            });
            let other = s.spawn(async {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                Ok(true)
            });
            let ran = other.await;
            collector.job().cancel();
            Ok(ran)
        });
        assert!(ran.await?, "{name}");
    }
    Ok(())
}

#[test]
fn timers_ring_beside_a_source_that_is_always_ready() {
    // In real time: virtual time stands still while anything can run.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    runtime.block_on(async {
        let sampled = flow::iter(0_u64..).sample(Duration::from_millis(2)).take(3);
        assert_eq!(sampled.count().await, 3);
        let groups = flow::iter(0_u64..)
            .filter(|n| n % 1_000_000 == 1)
            .grouped_within(1_000, Duration::from_millis(2));
        assert!(groups.first().await.unwrap().len() < 1_000);
        let elapsed =
            flow::iter(0_u64..).filter(|_| false).timeout::<ballet::Elapsed>(Duration::from_millis(2));
        assert!(elapsed.drain().await.is_err());
    });
}

/// The budget is that of the task: many small flows in one task use it up together.
#[ballet::test]
async fn many_short_flows_in_a_row_use_one_budget() {
    let others = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let counted = ballet::scope(async |s: Scope| {
        let (count, stopped) = (Arc::clone(&others), Arc::clone(&stop));
        s.spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                count.fetch_add(1, Ordering::Relaxed);
                ballet::yield_now().await;
            }
            Ok(())
        });
        let mut sum = 0;
        for _ in 0..1_000 {
            sum += flow::iter(0..100).count().await;
        }
        stop.store(true, Ordering::Relaxed);
        Ok(sum)
    });
    assert_eq!(counted.await.unwrap(), 100_000);
    assert!(others.load(Ordering::Relaxed) > 3, "{others:?}");
}

/// What is bounded is the time without a turn of others, and not the number of items.
#[ballet::test]
async fn items_that_take_long_give_way_more_often() -> Result<(), Error> {
    const ITEMS: usize = 2_000;
    let code = flow(async |out| {
        for n in 0..ITEMS {
            out.emit(n).await;
        }
    });
    let sources = [
        ("iter", flow::iter(0..ITEMS).boxed()),
        ("code", code.boxed()),
        ("stream", flow::stream(futures_util::stream::iter(0..ITEMS)).boxed()),
        ("merged", flow::iter(0..4).flat_map_merge(4, |_| flow::iter(0..ITEMS / 4)).boxed()),
    ];
    for (name, source) in sources {
        let turns = ballet::scope(async |s: Scope| {
            let worker =
                s.spawn(async move { Ok(source.tap(|_| take(Duration::from_micros(20))).count().await) });
            let turns = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&turns);
            let other = s.spawn(async move {
                loop {
                    counted.fetch_add(1, Ordering::Relaxed);
                    ballet::yield_now().await;
                }
                #[expect(unreachable_code, reason = "names the type of the endless child")]
                Ok(())
            });
            assert_eq!(worker.await, ITEMS);
            other.job().cancel();
            Ok(turns.load(Ordering::Relaxed))
        });
        let turns = turns.await?;
        assert!(turns > 5, "{turns} turns of others beside {name}");
    }
    Ok(())
}

/// Computes for so long.
fn take(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// It comes after a while, and does not ask for the budget of the task.
fn late() -> BoxFlow<'static, u64> {
    flow(async |out| {
        tokio::time::sleep(Duration::from_millis(10)).await;
        out.emit(7).await;
    })
    .boxed()
}

/// Always ready, and uses up each poll; it emits so many numbers and nothing more.
fn busy(numbers: u64) -> BoxFlow<'static, u64> {
    flow::iter(0..).filter(move |n| *n < numbers).boxed()
}

/// The first item in real time, of a flow that would never give one if it starved.
fn first<T>(flow: impl Flow<Item = T, Error = Never>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let first = ballet::timeout(Duration::from_secs(10), async { flow.first().await });
    runtime.expect("a runtime").block_on(first).ok().flatten()
}

#[test]
fn a_busy_flow_leaves_turns_to_those_beside_it() {
    let merged = [busy(0).merge(late()).boxed(), late().merge(busy(0)).boxed()];
    assert_eq!(merged.map(first), [Some(7); 2], "merge");
    let raced = [busy(0).race(late()).boxed(), late().race(busy(0)).boxed()];
    assert_eq!(raced.map(first), [Some(7); 2], "race");
    let combined = [busy(1).combine(late()).boxed(), late().combine(busy(1)).map(|(a, b)| (b, a)).boxed()];
    assert_eq!(combined.map(first), [Some((0, 7)); 2], "combine");
    let zipped = [busy(1).zip(late()).boxed(), late().zip(busy(1)).map(|(a, b)| (b, a)).boxed()];
    assert_eq!(zipped.map(first), [Some((0, 7)); 2], "zip");
    let ended = busy(0).zip(late().filter(|_| false)).map(|_| 0).chain(flow::iter([3]));
    assert_eq!(first(ended), Some(3), "the end of one ends a zip");
    assert_eq!(first(busy(2).flat_map_merge(4, |_| late())), Some(7), "flat_map_merge");
    let members = flow::iter([0, 1]).flat_map_merge(2, |n| if n == 0 { busy(0) } else { late() });
    assert_eq!(first(members), Some(7), "members of flat_map_merge");
    assert_eq!(first(busy(1).flat_map_latest(|_| late())), Some(7), "flat_map_latest");
    assert_eq!(first(busy(1).map_latest(async |_| late().first().await)), Some(Some(7)), "map_latest");
    let slow = async |n| {
        tokio::time::sleep(Duration::from_millis(10)).await;
        n
    };
    assert_eq!(first(busy(1).group_by(4, |n| *n, move |_, group| group.then(slow))), Some(0), "group_by");
}

/// Two items, the second after a while in which the flow of the first is busy.
fn then_another() -> BoxFlow<'static, u64> {
    flow(async |out| {
        out.emit(0).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        out.emit(1).await;
    })
    .boxed()
}

#[test]
fn a_new_item_ends_the_busy_flow_of_the_one_before() {
    let flows = |n| if n == 0 { busy(0) } else { flow::iter([7]).boxed() };
    assert_eq!(first(then_another().flat_map_latest(flows)), Some(7));
    let work = async |n: u64| if n == 0 { busy(0).first().await } else { Some(7) };
    assert_eq!(first(then_another().map_latest(work)), Some(Some(7)));
    let beside = then_another().flat_map_merge(2, flows);
    assert_eq!(first(beside), Some(7));
    let grouped = then_another().group_by(
        2,
        |n| *n,
        |n, group| flow::stream(group.into_stream()).flat_map(move |_| flows(n)),
    );
    assert_eq!(first(grouped), Some(7));
}

/// As [`Flow`]s may be: it asks for no budget.
struct AtOnce;

impl Flow for AtOnce {
    type Item = u32;
    type Error = Never;

    fn poll_each<K>(self: Pin<&mut Self>, _: &mut Poller<'_>, sink: &mut K) -> Polled<Never>
    where
        K: FnMut(u32) -> ControlFlow<()>,
    {
        Poll::Ready(Ok(sink(2)))
    }
}

#[ballet::test]
async fn the_first_of_a_race_does_not_lose_for_want_of_budget() {
    let mut spends = Some(Box::pin(async {
        loop {
            tokio::task::consume_budget().await;
        }
    }));
    let mut race = pin!(flow::iter([1]).race(AtOnce).first());
    let first = poll_fn(|cx| {
        if let Some(mut spends) = spends.take() {
            let _: Poll<()> = spends.as_mut().poll(cx);
        }
        race.as_mut().poll(cx)
    });
    assert_eq!(first.await, Some(1));
}

#[ballet::test]
async fn a_combination_with_an_empty_flow_takes_next_to_nothing_of_the_other() {
    let taken = AtomicUsize::new(0);
    let other = flow::iter(0..).tap(|_| _ = taken.fetch_add(1, Ordering::Relaxed));
    assert_eq!(flow::iter(None::<u32>).combine(other).count().await, 0);
    assert!(taken.load(Ordering::Relaxed) <= 1, "{taken:?}");
}
