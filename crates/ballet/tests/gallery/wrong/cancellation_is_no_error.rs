//! The reason for which a job is cancelled does not turn into an error that could be caught or retried.
use std::time::Duration;

use ballet::{Error, Scope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        s.named("singer").graceful(Duration::from_secs(1)).spawn(async {
            let reason = ballet::cancelled().await;
            Err::<(), _>(reason)?;
            Ok(())
        });
        s.cancel_children();
        Ok(())
    })
    .await?;
    Ok(())
}
