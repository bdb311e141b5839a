//! The two listeners of a gateway: pages for clients, and what the operator sees.
//!
//! A client that hangs up is noticed while its page is being composed, and the page is dropped with all its children.

use std::sync::Arc;

use tokio::net::TcpListener;

use crate::{Gateway, http};

/// Serves pages, and on a listener of their own the metrics and the tree, until the stage drains and the last
/// request is answered.
///
/// # Errors
///
/// When the scope of the listeners fails, which no single connection can cause.
pub async fn serve(
    gateway: Arc<Gateway>,
    pages: TcpListener,
    admin: Option<TcpListener>,
) -> Result<(), ballet::Error> {
    ballet::scope(async |scope: ballet::Scope| {
        if let Some(admin) = admin {
            scope.named("admin").spawn(ballet_http::serve(admin, http::admin(Arc::clone(&gateway))));
        }
        scope.named("pages").spawn(ballet_http::serve(pages, http::pages(gateway)));
        Ok(())
    })
    .await?;
    Ok(())
}
