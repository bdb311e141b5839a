//! The emitters of two flows are of two types, as far as lifetimes go, so that they cannot be swapped.

use ballet::{Error, FlowExt, flow};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let outer = flow(async |out: &mut flow::Emitter<'_, u32>| {
        let inner = flow(async |own: &mut flow::Emitter<'_, u32>| {
            std::mem::swap(own, out);
            own.emit(1).await;
        });
        inner.drain().await;
    });
    assert_eq!(outer.collect::<Vec<u32>>().await, [1]);
    Ok(())
}
