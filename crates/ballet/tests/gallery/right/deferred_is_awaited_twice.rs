use std::time::Duration;

use ballet::{Error, Scope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let word = ballet::scope(async |s: Scope| {
        let mut child = s.spawn(async { Ok(String::from("once")) });
        // Giving up on it loses nothing: the result stays.
        match tokio::time::timeout(Duration::ZERO, &mut child).await {
            Ok(word) => Ok(word),
            Err(_) => Ok(child.await),
        }
    })
    .await?;
    assert_eq!(word, "once");
    Ok(())
}
