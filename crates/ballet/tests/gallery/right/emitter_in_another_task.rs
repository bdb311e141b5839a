//! A channel flow is what several tasks emit into.

use ballet::channel::Sender;
use ballet::{Error, FlowExt, Scope, flow};

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Error> {
    let numbers = flow::channel_flow(1, async |s: Scope, tx: Sender<u32>| {
        s.spawn(async move { Ok(tx.send(1).await?) });
        Ok(())
    });
    assert_eq!(numbers.collect::<Vec<u32>>().await?, [1]);
    Ok(())
}
