//! The handle names the failure domain, and the compiler holds the function that opens the scope to it.
use ballet::{Error, Scope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: Scope| {
        s.spawn(async { Ok(()) });
        Ok(())
    })
    .await?;
    Ok(())
}
