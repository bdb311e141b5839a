#![deny(unused_must_use)]
use ballet::{Error, SupervisorScope};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    ballet::supervisor_scope(async |_: SupervisorScope| Ok::<(), Error>(())).await?;
    Ok(())
}
