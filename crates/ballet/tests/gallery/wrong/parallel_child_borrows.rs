//! A child that runs in parallel could outlive a scope whose future is leaked, and then what it borrows.
use ballet::{Error, Scope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let words = String::from("one two");
    ballet::scope(async |s: Scope| {
        s.spawn(async { Ok(words.len()) });
        Ok(())
    })
    .await?;
    Ok(())
}
