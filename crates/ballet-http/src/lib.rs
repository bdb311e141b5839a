//! HTTP servers whose connections are children of a scope, and what an orchestrator asks of them.
//!
//! [`serve`] accepts connections and answers requests on each with an [`axum`] router until the [`Stage`](ballet::Stage)
//! drains; [`Health`] answers whether the process is alive and ready. TLS is a proxy's work; HTTP/2 is refused.
//! Read `server` for how a connection lives.

mod health;
mod server;

pub use health::Health;
pub use server::{ACCEPT_PAUSE, Server, serve};
