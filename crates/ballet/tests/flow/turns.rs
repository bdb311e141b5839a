//! Flows that never wait: others run all the same, and who collects can be cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ballet::flow::{BoxFlow, Emitter};
use ballet::{Error, FlowExt, Scope, flow};

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
