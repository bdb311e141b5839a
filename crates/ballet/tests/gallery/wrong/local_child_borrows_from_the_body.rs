//! The children of a local scope live on after its body, so they borrow from around the scope and not from in it.
use ballet::{Error, LocalScope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    ballet::local_scope(async |s: LocalScope<'_>| {
        let words = String::from("one two");
        s.spawn(async { Ok(words.len()) });
        Ok(())
    })
    .await?;
    Ok(())
}
