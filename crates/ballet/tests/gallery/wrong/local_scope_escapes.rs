//! The handle of a local scope cannot take in what lives shorter than it does.
use ballet::{Error, LocalScope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (give, kept) = std::sync::mpsc::channel();
    ballet::local_scope(async move |s: LocalScope<'_>| {
        let _ = give.send(s);
        Ok(())
    })
    .await?;
    let words = String::from("one two");
    kept.recv()?.spawn(async { Ok(words.len()) });
    Ok(())
}
