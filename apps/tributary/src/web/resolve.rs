//! From names to addresses that may be asked.
//!
//! This is the resolver inside the client: the addresses it lets through are the very ones that are connected to, so a
//! name whose next answer would be another address (DNS rebinding) gains nothing by it.

use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use futures_util::{FutureExt, future::BoxFuture};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
};
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::{
    Settings,
    guard::{Forbidden, Guard},
};

/// Names that are remembered, for as long as their records say.
const NAMES_KEPT_MAX: u64 = 4_096;
/// Of the addresses of one name; more of them would only be tried one after the other.
const ADDRESSES_MAX: usize = 8;

/// Why there is no address.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Unresolved {
    #[error("the name is not resolved: {0}")]
    Lookup(NetError),
    #[error("there is no such name")]
    Unknown,
    #[error("the name has no addresses")]
    Empty,
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

impl From<NetError> for Unresolved {
    fn from(error: NetError) -> Self {
        match error {
            error if error.is_nx_domain() => Self::Unknown,
            error if error.is_no_records_found() => Self::Empty,
            error => Self::Lookup(error),
        }
    }
}

/// Looks up names, and keeps to itself what the guard refuses.
#[derive(Clone)]
pub(super) struct Resolve {
    resolver: TokioResolver,
    guard: Arc<Guard>,
}

impl Resolve {
    /// # Errors
    ///
    /// When the system's own settings are asked for and cannot be read.
    pub(super) fn new(settings: &Settings, guard: Arc<Guard>) -> Result<Self, NetError> {
        let mut builder = if settings.name_servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = settings.name_servers.iter().map(|address| name_server(*address)).collect();
            let config = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.cache_size = NAMES_KEPT_MAX;
        // Both kinds, so that a host with one broken way is reached by the other.
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        Ok(Self { resolver: builder.build()?, guard })
    }

    async fn resolve(self, name: Name) -> Result<vec::IntoIter<SocketAddr>, Unresolved> {
        // With the dot at its end the name is whole: no domain of the local network is put behind it.
        let whole = format!("{}.", name.as_str().trim_end_matches('.'));
        let found = self.resolver.lookup_ip(whole).await?;
        let mut addresses = Vec::new();
        let mut forbidden = None;
        for address in found.iter() {
            match self.guard.check(address) {
                // The port is the request's, which the connector puts in.
                Ok(()) => addresses.push(SocketAddr::new(address, 0)),
                Err(refusal) => forbidden = Some(refusal),
            }
        }
        addresses.truncate(ADDRESSES_MAX);
        match forbidden {
            _ if !addresses.is_empty() => Ok(addresses.into_iter()),
            Some(refusal) => Err(refusal.into()),
            None => Err(Unresolved::Empty),
        }
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(at_port);
    NameServerConfig::new(address.ip(), true, connections.into())
}

impl Service<Name> for Resolve {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Unresolved;
    type Future = BoxFuture<'static, Result<Self::Response, Unresolved>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Unresolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        self.clone().resolve(name).boxed()
    }
}
