//! How sources reach their servers: one guarded HTTP client for all of them.
//!
//! It connects to no address that the operator has not allowed (`guard`, `resolve`), asks no host more often than it may
//! be asked (`hosts`, which hears what servers say through `dialect`), and takes no more time, redirects, headers or bytes
//! than the settings say (`fetch`, `redirects`, `unpack`). It caches nothing and retries nothing: what an answer means for
//! the next visit is the source's and the loop's to decide. HTTP/1.1 is all it speaks.
//!
//! Begin with `fetch`, which is one visit from the first request to the last byte.

mod answer;
mod compute;
mod dialect;
mod fetch;
mod guard;
mod hosts;
mod redirects;
mod resolve;
mod settings;
mod unpack;

use std::{fmt, sync::Arc, time::Duration};

use ballet::SupervisorScope;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::rt::Executor;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioTimer,
};
use rustls::crypto::ring;

pub use answer::{Answer, Validators};
pub use fetch::Request;
pub use guard::{Forbidden, Guard};
pub use settings::Settings;

pub(crate) use compute::compute;
pub(crate) use dialect::retry_after;

use self::{hosts::Hosts, resolve::Resolve};
use crate::clock::Clock;

/// Of an answer's head, all headers together and their number.
const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 128;
/// Connections that are kept for the next request, of each host and for this long.
const IDLE_MAX: usize = 2;
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// The guarded HTTP client, shared by all sources; cloning it is cheap.
#[derive(Clone)]
pub struct Web(Arc<Shared>);

struct Shared {
    settings: Settings,
    clock: Clock,
    hosts: Hosts,
    client: Client<HttpsConnector<HttpConnector<Resolve>>, Empty<Bytes>>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("the system's name servers cannot be read; name some in `name_servers` of `[web]`: {0}")]
    Resolver(#[from] hickory_resolver::net::NetError),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Web {
    /// A client whose connections are jobs of this scope. The scope should outlive all sources; its connections end when the
    /// last clone of the client is gone.
    ///
    /// # Errors
    ///
    /// When the system cannot say whom to ask for names.
    pub fn new(settings: Settings, clock: Clock, connections: SupervisorScope) -> Result<Self, Unusable> {
        let guard = Arc::new(settings.guard.clone());
        let mut http = HttpConnector::new_with_resolver(Resolve::new(&settings, guard)?);
        http.enforce_http(false);
        http.set_connect_timeout(Some(settings.connect_timeout));
        http.set_nodelay(true);
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(Owner(connections))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME_MAX)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .http1_max_headers(HEADERS_MAX)
            .build(https);
        let hosts = Hosts::new(settings.host_rate);
        Ok(Self(Arc::new(Shared { settings, clock, hosts, client })))
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// Gives hyper's connections an owner.
#[derive(Clone)]
struct Owner(SupervisorScope);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Owner {
    fn execute(&self, connection: F) {
        // Where the scope is closed, the connection is dropped, and whoever wanted it is told by hyper.
        self.0.named("connection").spawn(async move {
            connection.await;
            Ok(())
        });
    }
}
