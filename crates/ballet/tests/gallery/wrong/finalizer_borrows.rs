//! A finalizer runs even where its scope was dropped half-way and the caller's stack is gone.
use ballet::{Error, Scope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let folder = String::from("/tmp/stage");
    ballet::scope(async |s: Scope| {
        s.defer(async {
            println!("removing {folder}");
            Ok(())
        });
        Ok(())
    })
    .await?;
    Ok(())
}
