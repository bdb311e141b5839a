//! A result is given once.
use ballet::{Error, Scope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let child = s.spawn(async { Ok(String::from("once")) });
        Ok((child.await, child.await))
    })
    .await?;
    Ok(())
}
