use ballet::{Error, SupervisorScope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    ballet::supervisor_scope(async |s: SupervisorScope| {
        s.spawn(async { Ok(()) });
        Ok(())
    })
    .await?;
    Ok(())
}
