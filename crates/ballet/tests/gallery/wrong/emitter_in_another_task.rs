//! An emitter is lent to the code of its flow, so no other task can emit with it.

use ballet::{Error, FlowExt, Scope, flow};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let numbers = flow(async move |out| {
            s.spawn(async move { Ok(out.emit(1).await) });
        });
        assert_eq!(numbers.collect::<Vec<u32>>().await, [1]);
        Ok(())
    })
    .await?;
    Ok(())
}
