use ballet::{Error, LocalScope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let words = String::from("one two");
    let length = ballet::local_scope(async |s: LocalScope<'_>| {
        let length = s.spawn(async { Ok(words.len()) });
        Ok(length.await)
    })
    .await?;
    assert_eq!(length, words.len());
    Ok(())
}
