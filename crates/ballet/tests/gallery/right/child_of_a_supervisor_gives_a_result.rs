use ballet::{Error, SupervisorScope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let count = ballet::supervisor_scope(async |s: SupervisorScope| {
        let stock = s.spawn(async { Ok(3) });
        Ok(stock.await.unwrap_or(0))
    })
    .await?;
    assert_eq!(count, 3);
    Ok(())
}
