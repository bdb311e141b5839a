//! The chain by tokio-stream, whose methods have the names of those of `futures`.

use std::hint::black_box;

use tokio_stream::{StreamExt, iter};

use super::{ITEMS, fold_in, is_wanted};
use bench_versus::mix;

pub(super) async fn chain() -> Result<u64, ballet::Error> {
    let kept = iter(0..black_box(ITEMS)).map(mix).filter(is_wanted).map(fold_in);
    Ok(kept.fold(0_u64, u64::wrapping_add).await)
}
