//! Under a supervisor a child's failure is its own, and whoever awaits it says what becomes of it.
use ballet::{Error, SupervisorScope};

#[tokio::main]
async fn main() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        let stock = s.spawn(async { Ok(3) });
        let count: u32 = stock.await;
        Ok(count)
    })
    .await?;
    Ok(())
}
