//! A guarded client for the length of a test, and visits as the loop makes them.

use std::time::Duration;

use ballet::SupervisorScope;
use toml::de::DeTable;
use tributary::{
    clock::Clock,
    fields::Fields,
    kinds,
    source::{Errand, Mark, Progress, SourceName, Trouble, Visit, Visited},
    web::{Answer, Guard, Request, Settings, Web},
};
use url::Url;

/// Settings for servers on 127.0.0.1, and nowhere else on this machine, with patience for one that is busy.
pub(crate) fn settings() -> Settings {
    Settings {
        guard: Guard::new(vec!["127.0.0.1/32".parse().expect("a range")]),
        connect_timeout: Duration::from_secs(60),
        first_byte_timeout: Duration::from_secs(60),
        timeout: Duration::from_secs(120),
        host_rate: ballet::Rate::new(60_000, Duration::from_secs(60)),
        ..Settings::default()
    }
}

/// Runs a test with a client, whose connections have ended when it returns.
pub(crate) async fn with_web<T>(settings: Settings, test: impl AsyncFnOnce(Web) -> T) -> T {
    let ran = ballet::supervisor_scope(async |connections: SupervisorScope| {
        let web = Web::new(settings, Clock::system(), connections)?;
        Ok(test(web).await)
    });
    ran.await.expect("a client")
}

/// Asks for a page without any condition.
pub(crate) async fn get(web: &Web, url: &Url) -> Result<Answer, Trouble> {
    web.get(Request { url, accept: "*/*", authorization: None, known: None, progress: &Progress::default() })
        .await
}

/// A source of a kind, from its settings.
pub(crate) fn source(kind: &str, toml: &str) -> Box<dyn Visit> {
    try_source(kind, toml).expect("sound settings")
}

/// A source of a kind, or what is wrong with its settings.
pub(crate) fn try_source(kind: &str, toml: &str) -> Result<Box<dyn Visit>, String> {
    let table = DeTable::parse(toml).expect("TOML");
    let fields = Fields::new(toml, "source", &table);
    let kind = kinds::named(kind).expect("a kind");
    let source = kind.read(&fields).and_then(|source| fields.finish().map(|()| source));
    source.map_err(|wrong| wrong.to_string())
}

/// One visit, at the configured address.
pub(crate) async fn visit(web: &Web, source: &dyn Visit, mark: Option<&Mark>) -> Result<Visited, Trouble> {
    let name: SourceName = "test".parse().expect("a name");
    let (clock, progress) = (Clock::system(), Progress::default());
    let at = source.address();
    source.visit(&Errand { web, clock: &clock, source: &name, at, mark, progress: &progress }).await
}
