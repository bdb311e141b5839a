#![doc = include_str!("docs/mod.md")]

// The trait stands in `basis`, its operators in `operators`, errors in `error`. Read these three first, then
// `upstream` (what an operator stands on), `map` (the simplest operators) and `generator` (flows that are code).
// Stages with children are `buffer` and `map_par`; flows side by side in one task, `herd`. docs/design/flows.md says why.
// Hot flows are `shared`, `state` and `share`, whose reasons stand in docs/design/hot-flows.md.

mod audience;
mod basis;
mod boxed;
mod budget;
mod buffer;
mod catch;
mod completion;
mod distinct;
mod emitter;
mod error;
mod fail;
mod flat;
mod flat_merge;
mod gather;
mod generator;
mod group;
mod herd;
mod latest;
mod map;
mod map_par;
mod operators;
mod pair;
mod pipe;
mod retry;
mod share;
mod shared;
mod slot;
mod source;
mod state;
mod take;
mod then;
mod timing;
mod upstream;
mod wait_list;

/// Says what a type is where it cannot show what is in it: operators hold closures.
macro_rules! describe {
    ($name:ident<$($parameter:ident),*>) => {
        impl<$($parameter),*> std::fmt::Debug for $name<$($parameter),*> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}
use describe;

pub use basis::{Flow, Polled};
pub use boxed::BoxFlow;
pub use buffer::{Buffer, FLOW_ON_PLACES};
pub use catch::{Catch, OnEmpty};
pub use completion::{Completion, OnCompletion};
pub use distinct::{Distinct, DistinctBy, Scan};
pub use emitter::{Emit, Emitter};
pub use error::{FlowError, Never, Output, Raise, Unify, Verdict};
pub use fail::{MapErr, OrFail};
pub use flat::{Chain, FlatMap};
pub use flat_merge::FlatMapMerge;
pub use gather::{
    All, Any, Collect, Count, Drain, First, Fold, Gather, Gatherer, Last, Next, NotSingle, Reduce, Single,
};
pub use generator::{Generator, flow};
pub use group::{Chunked, Group, GroupBy, GroupedWithin, Windowed};
pub use latest::{FlatMapLatest, MapLatest};
pub use map::{Filter, FilterMap, Map, Tap};
pub use map_par::MapPar;
pub use operators::{FlowExt, TryThen};
pub use pair::{Combine, Interleave, Merge, Race, Zip};
pub use retry::{Retry, RetryWhen};
pub use share::{Eagerly, Lazily, Plan, Share, Start, WhileSubscribed};
pub use shared::{NotEmitted, Overflow, SharedEmitter, SharedError, SharedFlow, Sharing, Subscriber};
pub use source::{
    ChannelCode, FromStream, IntoStream, Iter, Tick, callback, channel, channel_flow, iter, stream, tick,
};
pub use state::{Ended, StateCell, StateFlow, Watcher};
pub use take::{Drop, DropWhile, Take, TakeWhile};
pub use then::{Then, Transform};
pub use timing::{Debounce, Sample, Throttle, Timeout};
