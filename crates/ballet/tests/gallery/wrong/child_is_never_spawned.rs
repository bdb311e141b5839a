//! A name alone starts nothing.
#![deny(unused_must_use)]
use ballet::{Error, Scope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        s.named("tailor");
        Ok(())
    })
    .await?;
    Ok(())
}
