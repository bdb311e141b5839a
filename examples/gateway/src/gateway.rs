//! The gateway: composes pages under one supervisor scope and one deadline each.
//!
//! Each part is a child, so that its failure and its panic stay its own; the scope returns when all of them have
//! ended, and a page whose caller goes away takes them with it. How a part is fetched stands in `part`, what the page
//! makes of the results in `page`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ballet::{
    Backoff, Breaker, Bulkhead, Deferred, Isolated, Outcome, Retry, RetryBudget, SupervisorScope, Trip,
};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::cache::Cache;
use crate::config::{BreakerSettings, Config, ConfigError, RetrySettings, is_name};
use crate::metrics::Metrics;
use crate::page::{Page, Slot};
use crate::part::{Part, Reshape};
use crate::{Fault, Identity};

/// How long an idle connection to an upstream is kept for the next request.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Idle connections that are kept for one upstream.
const IDLE_PER_UPSTREAM_MAX: usize = 64;

/// Composes pages.
///
/// # Examples
///
/// ```no_run
/// use gateway::{Config, Gateway, Identity};
///
/// #[ballet::main]
/// async fn main() -> Result<(), ballet::Error> {
///     let gateway = Gateway::new(&Config::load("gateway.toml".as_ref())?)?;
///     let visit = gateway.visit("42", Identity::from_headers(&Default::default()), None).expect("a good id");
///     let page = gateway.page(visit).await?;
///     println!("complete: {}", page.is_complete());
///     Ok(())
/// }
/// ```
pub struct Gateway {
    parts: Vec<Arc<Part>>,
    deadline: Duration,
    /// One place for each page under way.
    pages: Bulkhead,
    breakers: BTreeMap<String, Breaker>,
    max_age_seconds: u32,
    shared: Arc<Shared>,
}

/// What all parts have in common.
pub(crate) struct Shared {
    pub(crate) client: reqwest::Client,
    /// With the budget that all parts share.
    pub(crate) retry: Retry,
    pub(crate) cache: Cache,
    pub(crate) metrics: Metrics,
}

/// One request for a page: whose, for whom, and until when.
#[derive(Clone, Debug)]
pub struct Visit {
    id: String,
    identity: Identity,
    deadline: Instant,
    is_hurried: bool,
}

/// Why a gateway could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A part's address is none.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up: {0}")]
    Client(#[from] reqwest::Error),
    /// A fallback is not JSON.
    #[error("a fallback cannot be written as JSON: {0}")]
    Fallback(#[from] serde_json::Error),
    /// Two metrics have the same name.
    #[error("the metrics could not be set up: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Why no page was composed. Nothing was asked of any upstream, or nothing came of it; the client may come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// As many pages as the gateway composes at the same time are under way.
    #[error("too many pages are being composed")]
    Overloaded,
    /// What the page was asked for in is being cancelled. A client sees none of it: the connection is closed first.
    #[error("the gateway is being shut down")]
    ShuttingDown,
}

impl Gateway {
    /// A gateway that takes the parts as their upstreams send them.
    ///
    /// # Errors
    ///
    /// [`StartError`]; none where the configuration was [parsed](Config::parse) and the machine has what TLS needs.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        Self::with_reshape(config, |_| None)
    }

    /// A gateway with code of its own for some parts: `reshape` names the function that trims what an upstream sent,
    /// or refuses it with the reason. One that panics costs its part, and nothing else.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_reshape(
        config: &Config,
        reshape: impl Fn(&str) -> Option<Arc<Reshape>>,
    ) -> Result<Self, StartError> {
        let shared = Arc::new(Shared {
            client: client()?,
            retry: retry(&config.retry),
            cache: Cache::new(&config.cache),
            metrics: Metrics::new()?,
        });
        let mut breakers = BTreeMap::new();
        let mut parts = Vec::with_capacity(config.parts.len());
        for settings in &config.parts {
            let origin = settings.origin()?;
            let breaker = breaker(origin.clone(), config.breaker);
            let breaker = breakers.entry(origin).or_insert(breaker).clone();
            let part = Part::new(settings, reshape(&settings.name), breaker, Arc::clone(&shared))?;
            parts.push(Arc::new(part));
        }
        Ok(Self {
            parts,
            deadline: config.deadline(),
            pages: Bulkhead::new("pages", config.pages_max),
            breakers,
            max_age_seconds: config.max_age_seconds,
            shared,
        })
    }

    /// A request for the page of an id, from now on. The client may want it sooner than the gateway's own deadline,
    /// never later. `None` where the id is not one: 1 to 64 letters, digits, `-` or `_`.
    #[must_use]
    pub fn visit(&self, id: &str, identity: Identity, limit: Option<Duration>) -> Option<Visit> {
        let limit = limit.filter(|limit| *limit < self.deadline);
        let deadline = Instant::now() + limit.unwrap_or(self.deadline);
        is_name(id).then(|| Visit { id: id.to_owned(), identity, deadline, is_hurried: limit.is_some() })
    }

    /// Composes one page. It is there at the visit's deadline at the latest, with what there is by then; at once when
    /// a required part is found missing.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where the page was not composed at all.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime with IO and time on.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped half-way, the parts are cancelled and their upstream connections closed.
    pub async fn page(&self, visit: Visit) -> Result<Page, Unavailable> {
        let entry = self.shared.metrics.entered();
        let Ok(place) = self.pages.try_acquire() else {
            entry.ended_as("refused");
            return Err(Unavailable::Overloaded);
        };
        let visit = Arc::new(visit);
        let composed = ballet::supervisor_scope(async |scope: SupervisorScope<Fault>| {
            Ok(self.compose(&scope, &visit).await)
        });
        // The scope fails only by being cancelled, since its body never does.
        let page = place.run(composed).await.map_err(|_| Unavailable::ShuttingDown)?;
        entry.composed(&page);
        Ok(page)
    }

    async fn compose(&self, scope: &SupervisorScope<Fault>, visit: &Arc<Visit>) -> Page {
        let mut fetches: FuturesUnordered<_> = (0..)
            .zip(&self.parts)
            .map(|(index, part)| {
                let fetch = Arc::clone(part).fetch(Arc::clone(visit));
                let deferred = scope.named(part.name.to_string()).spawn(fetch);
                async move { (index, ended(deferred).await) }
            })
            .collect();
        let mut slots: Vec<Option<Slot>> = vec![None; self.parts.len()];
        while let Some((index, fetched)) = fetches.next().await {
            let slot: Slot = self.parts[index].slot(visit, fetched);
            if slot.is_fatal() {
                // There will be no page, so nobody needs the rest.
                scope.cancel_children();
            }
            slots[index] = Some(slot);
        }
        Page { slots: slots.into_iter().flatten().collect() }
    }

    /// How many pages are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.pages.occupancy().in_use
    }

    pub(crate) fn max_age_seconds(&self) -> u32 {
        self.max_age_seconds
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Each upstream's origin and breaker.
    pub(crate) fn breakers(&self) -> impl Iterator<Item = (&str, &Breaker)> {
        self.breakers.iter().map(|(origin, breaker)| (origin.as_str(), breaker))
    }
}

/// How the fetch of one part ended. A cancellation and a panic become faults here, and nowhere else.
async fn ended(deferred: Deferred<Arc<RawValue>, Fault, Isolated>) -> Result<Arc<RawValue>, Fault> {
    match deferred.outcome().await {
        Outcome::Ok(value) => Ok(value),
        Outcome::Err(fault) => Err(fault),
        Outcome::Cancelled(_) => Err(Fault::NotNeeded),
        Outcome::Panicked(panic) => {
            tracing::error!(%panic, "the code for a part panicked");
            Err(Fault::Panicked)
        }
    }
}

/// The bound of the pause doubles ten times at most.
fn retry(settings: &RetrySettings) -> Retry {
    let first = Duration::from_millis(settings.backoff_ms);
    let budget = RetryBudget::new(settings.percent, settings.burst);
    Retry::new(settings.attempts_max, Backoff::exponential(first, first * 1_024)).budget(&budget)
}

fn breaker(upstream: String, settings: BreakerSettings) -> Breaker {
    let rest = Backoff::constant(settings.open_for()).without_jitter();
    Breaker::new(upstream, Trip::in_a_row(settings.failures), rest)
}

fn client() -> reqwest::Result<reqwest::Client> {
    // The error means that the program has chosen its own already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        // An upstream may not send us elsewhere, and neither may the environment.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(IDLE_PER_UPSTREAM_MAX)
        .build()
}

impl Visit {
    /// Whose page it is.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who asks.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When the answer has to be there.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the client gave less time than the gateway would.
    pub(crate) fn is_hurried(&self) -> bool {
        self.is_hurried
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.parts.iter().map(|part| &part.name).collect();
        f.debug_struct("Gateway")
            .field("parts", &parts)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
