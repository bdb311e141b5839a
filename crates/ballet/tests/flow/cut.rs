//! Flows that are dropped at every yield: nothing of them is left, wherever that is.

use ballet::flow::{BoxFlow, Emitter};
use ballet::{Error, FlowExt, Scope, flow};

use crate::support::{Living, MS};

#[path = "../support/cut.rs"]
mod at_yield;

use at_yield::cut_at_yield;

/// Code that yields between its items, and whose life is counted.
fn source(living: &Living, items: u32) -> impl ballet::Flow<Item = u32, Error = flow::Never> + Clone + use<> {
    let living = living.clone();
    flow::iter(0..1).flat_map(move |_| {
        let guard = living.guard();
        flow::iter(0..items)
            .then(async |n| {
                tokio::task::yield_now().await;
                n
            })
            .tap(move |_| {
                let _ = &guard;
            })
    })
}

/// Every kind of stage, one flow each.
fn stages(living: &Living) -> Vec<(&'static str, BoxFlow<'static, u32>)> {
    let source = || source(living, 4);
    let (work, again) = (living.clone(), source());
    vec![
        ("buffer", source().buffer(2).boxed()),
        ("conflate", source().conflate().boxed()),
        (
            "map_par",
            source()
                .map_par(2, async move |n| {
                    let _guard = work.guard();
                    tokio::time::sleep(MS).await;
                    n
                })
                .boxed(),
        ),
        ("flat_map_merge", source().flat_map_merge(2, move |_| again.clone()).boxed()),
        ("group_by", source().group_by(2, |n| n % 2, |_, group| group.buffer(1)).boxed()),
        ("zip", source().zip(source().buffer(1)).map(|(n, _)| n).boxed()),
        ("debounce", source().debounce(MS).boxed()),
        ("transform", source().transform(async |n, out: &mut Emitter<'_, u32>| out.emit(n).await).boxed()),
        ("chunked", source().buffer(4).chunked(2).map(|chunk| chunk[0]).boxed()),
    ]
}

#[ballet::test]
async fn a_flow_that_is_dropped_at_any_yield_leaves_nothing_behind() -> Result<(), Error> {
    let living = Living::default();
    for index in 0..stages(&living).len() {
        for limit in 1.. {
            let (name, stage) = stages(&living).swap_remove(index);
            let ended = ballet::scope(async |s: Scope| {
                let collector = s.spawn(async move { Ok(cut_at_yield(limit, stage.count()).await) });
                Ok(collector.await.is_some())
            });
            // The scope has waited for whatever was adopted.
            let ended = ended.await?;
            assert_eq!(living.count(), 0, "{name}, dropped at its yield number {limit}");
            if ended {
                break;
            }
            assert!(limit < 200, "{name} never ends");
        }
    }
    Ok(())
}
