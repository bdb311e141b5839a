//! A child may be polled by any worker.
use std::rc::Rc;

use ballet::{Error, Scope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        s.spawn(async {
            let count = Rc::new(3);
            tokio::task::yield_now().await;
            Ok(*count)
        });
        Ok(())
    })
    .await?;
    Ok(())
}
