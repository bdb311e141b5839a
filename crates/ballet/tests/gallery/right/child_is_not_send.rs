use std::sync::Arc;

use ballet::{Error, Scope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let count = ballet::scope(async |s: Scope| {
        let child = s.spawn(async {
            let count = Arc::new(3);
            tokio::task::yield_now().await;
            Ok(*count)
        });
        Ok(child.await)
    })
    .await?;
    assert_eq!(count, 3);
    Ok(())
}
