//! The chain by tokio-stream, whose methods have the names of those of `futures`.

use std::hint::black_box;

use ballet::Error;
use bench_versus::mix;
use tokio_stream::{StreamExt, iter};

use super::{ITEMS, fold_in, is_wanted};

pub(super) async fn chain(fold: impl Fn(u64, u64) -> u64) -> Result<u64, Error> {
    let kept = iter(0..black_box(ITEMS)).map(mix).filter(is_wanted).map(fold_in);
    Ok(kept.fold(0_u64, fold).await)
}
