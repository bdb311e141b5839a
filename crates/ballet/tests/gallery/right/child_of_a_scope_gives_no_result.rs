use ballet::{Error, Scope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let count = ballet::scope(async |s: Scope| {
        let stock = s.spawn(async { Ok(3) });
        Ok(stock.await)
    })
    .await?;
    assert_eq!(count, 3);
    Ok(())
}
