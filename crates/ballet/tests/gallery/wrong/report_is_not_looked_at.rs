//! What a scope reports is looked at: the scope is awaited, and its result is used.
#![deny(unused_must_use)]
use ballet::{Error, SupervisorScope};

#[tokio::main]
async fn main() {
    ballet::supervisor_scope(async |_: SupervisorScope| Ok::<(), Error>(()));
    ballet::supervisor_scope(async |_: SupervisorScope| Ok::<(), Error>(())).await;
}
