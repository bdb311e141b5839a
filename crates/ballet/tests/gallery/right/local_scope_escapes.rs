use ballet::{Error, LocalScope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let words = String::from("one two");
    let (give, kept) = std::sync::mpsc::channel();
    ballet::local_scope(async move |s: LocalScope<'_>| {
        let _ = give.send(s);
        Ok(())
    })
    .await?;
    // It has ended: the child is refused, and dropped before its first poll.
    let child = kept.recv()?.spawn(async { Ok(words.len()) });
    assert_eq!(child.job().state(), ballet::observe::State::Cancelled);
    Ok(())
}
