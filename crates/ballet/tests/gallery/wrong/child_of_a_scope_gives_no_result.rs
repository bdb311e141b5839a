//! In a scope there is no failure of a child to handle: the code that awaits it ends with it.
use ballet::{Error, Scope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let stock = s.spawn(async { Ok(3) });
        match stock.await {
            Ok(count) => Ok(count),
            Err(failure) if failure.is_cancelled() => Ok(0),
            Err(failure) => Err(failure),
        }
    })
    .await?;
    Ok(())
}
