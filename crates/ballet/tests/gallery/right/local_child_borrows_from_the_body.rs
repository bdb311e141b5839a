use ballet::{Error, LocalScope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let words = String::from("one two");
    ballet::local_scope(async |s: LocalScope<'_>| {
        s.spawn(async { Ok(words.len()) });
        Ok(())
    })
    .await?;
    Ok(())
}
