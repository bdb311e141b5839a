//! A stand: three upstreams and a gateway on loopback, and a client that looks at it from outside.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ballet::{Error, Scope};
use gateway::demo::{self, Mode, Upstream};
use gateway::{Config, Gateway, serve};
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::net::TcpListener;

pub(crate) type Result<T = (), E = Error> = std::result::Result<T, E>;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The names of the parts, in their order.
pub(crate) const NAMES: [&str; 3] = [demo::PARTS[0].0, demo::PARTS[1].0, demo::PARTS[2].0];
/// The needs of the demo's page.
pub(crate) const NEEDS: [&str; 3] = ["required", "optional", "fallback"];

/// What differs from one stand to another.
pub(crate) struct Plan {
    /// A name that no other stand of the test program has.
    pub(crate) name: String,
    pub(crate) needs: [&'static str; 3],
    pub(crate) deadline: Duration,
    /// How long a slow upstream takes.
    pub(crate) slow: Duration,
    /// Settings before the parts.
    pub(crate) settings: String,
    /// Settings of every part.
    pub(crate) of_parts: String,
}

impl Plan {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            needs: NEEDS,
            deadline: Duration::from_secs(2),
            slow: Duration::from_secs(4),
            settings: String::new(),
            of_parts: String::new(),
        }
    }

    pub(crate) fn deadline_ms(self, milliseconds: u64) -> Self {
        Self {
            deadline: Duration::from_millis(milliseconds),
            slow: Duration::from_millis(2 * milliseconds),
            ..self
        }
    }

    pub(crate) fn slow_ms(self, milliseconds: u64) -> Self {
        Self { slow: Duration::from_millis(milliseconds), ..self }
    }

    pub(crate) fn settings(self, settings: &str) -> Self {
        Self { settings: settings.to_owned(), ..self }
    }

    pub(crate) fn of_parts(self, settings: &str) -> Self {
        Self { of_parts: settings.to_owned(), ..self }
    }

    fn config(&self, upstreams: &[SocketAddr]) -> String {
        let mut text = format!("deadline_ms = {}\n{}\n", self.deadline.as_millis(), self.settings);
        for ((name, need), upstream) in NAMES.iter().zip(self.needs).zip(upstreams) {
            let fallback = if need == "fallback" { "fallback = []\n" } else { "" };
            let url = format!("http://{upstream}/{name}/{{id}}");
            text += &format!(
                "[[part]]\nname = \"{name}\"\nneed = \"{need}\"\nurl = \"{url}\"\n{fallback}{}\n",
                self.of_parts
            );
        }
        text
    }
}

/// A gateway with its upstreams.
pub(crate) struct Stand {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) upstreams: [Arc<Upstream>; 3],
    /// The same gateway without HTTP.
    pub(crate) gateway: Arc<Gateway>,
    client: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) took: Duration,
}

/// Runs `body` with a stand, and returns when every job of the stand has ended.
pub(crate) async fn with_stand<T>(plan: Plan, body: impl AsyncFnOnce(&Stand) -> Result<T>) -> Result<T> {
    let name = plan.name.clone();
    let result = ballet::scope(async |scope: Scope| {
        let stand = raise(&scope, &plan).await?;
        let result = body(&stand).await?;
        scope.cancel_children();
        Ok(result)
    })
    .await?;
    assert_eq!(jobs_below(&name), Vec::<String>::new(), "the stand left jobs behind");
    Ok(result)
}

async fn raise(scope: &Scope, plan: &Plan) -> Result<Stand> {
    let (mut upstreams, mut addresses) = (Vec::new(), Vec::new());
    for (name, _, answer) in demo::PARTS {
        let listener = listen().await?;
        addresses.push(listener.local_addr()?);
        let upstream = Upstream::new(name, answer, plan.slow);
        scope.named(format!("{}/upstream", plan.name)).spawn(Arc::clone(&upstream).serve(listener));
        upstreams.push(upstream);
    }
    let config = Config::parse(&plan.config(&addresses))?;
    let gateway = Gateway::with_reshape(&config, |_| Some(demo::fragile()))?;
    let gateway = Arc::new(gateway);
    let listener = listen().await?;
    let address = listener.local_addr()?;
    scope.named(plan.name.clone()).spawn(serve(Arc::clone(&gateway), listener, None));
    let Ok(upstreams) = upstreams.try_into() else { panic!("a stand has three upstreams") };
    Ok(Stand { name: plan.name.clone(), address, upstreams, gateway, client: client()? })
}

pub(crate) async fn listen() -> Result<TcpListener> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
}

/// A client without TLS, which nothing here needs and whose set-up takes long.
pub(crate) fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?)
}

impl Stand {
    pub(crate) fn set_modes(&self, modes: [Mode; 3]) {
        self.upstreams.iter().zip(modes).for_each(|(upstream, mode)| upstream.set_mode(mode));
    }

    pub(crate) fn set_all(&self, mode: Mode) {
        self.set_modes([mode; 3]);
    }

    pub(crate) fn asked(&self) -> [u64; 3] {
        [0, 1, 2].map(|index: usize| self.upstreams[index].asked())
    }

    pub(crate) async fn page(&self, id: &str) -> Result<Answer> {
        self.get(&format!("/page/{id}"), &[]).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let mut request = self.client.get(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let began = Instant::now();
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, headers, body, took: began.elapsed() })
    }

    /// The jobs that fetch parts now.
    pub(crate) fn fetches(&self) -> Vec<String> {
        let is_part = |path: &String| NAMES.iter().any(|name| path.ends_with(&format!("/{name}")));
        jobs_below(&self.name).into_iter().filter(is_part).collect()
    }

    /// Waits until no upstream is busy: what the gateway gave up, they have given up too.
    pub(crate) async fn wait_idle(&self) {
        let is_idle = || self.upstreams.iter().all(|upstream| upstream.under_way() == 0);
        wait_until("the upstreams are idle", || is_idle() && self.fetches().is_empty()).await;
    }
}

/// The paths of all live jobs of one stand.
fn jobs_below(name: &str) -> Vec<String> {
    let tree = ballet::tree();
    let paths = tree.iter().map(|node| node.path.clone());
    paths.filter(|path| path.split('/').any(|segment| segment == name)).collect()
}

/// Waits for a condition, and names it where it does not come.
pub(crate) async fn wait_until(what: &str, is_met: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_met() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Status and error code of each part.
    pub(crate) fn parts(&self) -> Vec<(&str, Option<&str>)> {
        let Some(parts) = self.body["meta"]["parts"].as_array() else { panic!("no meta.parts in {self:?}") };
        parts
            .iter()
            .map(|part| (part["status"].as_str().unwrap_or_default(), part["error_code"].as_str()))
            .collect()
    }
}
