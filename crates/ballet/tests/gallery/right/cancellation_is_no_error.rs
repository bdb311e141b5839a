use std::time::Duration;

use ballet::{Error, Scope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        s.named("singer").graceful(Duration::from_secs(1)).spawn(async {
            let reason = ballet::cancelled().await;
            assert!(matches!(reason, ballet::Reason::Requested(_)));
            Ok(())
        });
        tokio::task::yield_now().await;
        s.cancel_children();
        Ok(())
    })
    .await?;
    Ok(())
}
