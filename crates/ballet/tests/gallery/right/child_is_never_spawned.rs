#![deny(unused_must_use)]
use ballet::{Error, Scope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        s.named("tailor").spawn(async { Ok(()) });
        Ok(())
    })
    .await?;
    Ok(())
}
