//! The items of an inner flow are emitted again.

use ballet::{Error, FlowExt, flow};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Error> {
    let outer = flow(async |out| {
        let mut inner = std::pin::pin!(flow(async |own| own.emit(1).await));
        while let Some(number) = inner.next().await {
            out.emit(number).await;
        }
    });
    assert_eq!(outer.collect::<Vec<u32>>().await, [1]);
    Ok(())
}
