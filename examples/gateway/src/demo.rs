//! A gateway with three small upstreams on loopback that fall ill on request, so that a degraded page can be seen
//! without anything else installed.
//!
//! The upstreams are real HTTP servers, and the tests use the same ones. What each mode does stands in `upstream`.

mod upstream;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ballet::Scope;
use serde_json::value::RawValue;
use tokio::net::TcpListener;

pub use upstream::{Mode, Upstream, WrongMode};

use crate::part::Reshape;
use crate::{Config, Gateway, cli::bind, serve};

/// Twice the demo's deadline.
const SLOW: Duration = Duration::from_millis(600);

/// The parts of the demo's page: name, need and what the upstream says of them.
pub const PARTS: [(&str, &str, &str); 3] = [
    ("profile", "need = \"required\"", r#"{"name":"Anna","since":2019}"#),
    ("inventory", "need = \"optional\"", r#"{"in_stock":3}"#),
    ("recommendations", "need = \"fallback\"\nfallback = []", r#"["violin","music stand"]"#),
];

/// The configuration of the demo, as one would write it.
#[must_use]
pub fn config(listen: SocketAddr, admin: SocketAddr, upstreams: [SocketAddr; 3]) -> String {
    let parts = PARTS.iter().zip(upstreams).map(|((name, need, _), upstream)| {
        format!("\n[[part]]\nname = \"{name}\"\n{need}\nurl = \"http://{upstream}/{name}/{{id}}\"\n")
    });
    format!("listen = \"{listen}\"\nadmin = \"{admin}\"\ndeadline_ms = 300\n{}", parts.collect::<String>())
}

/// Runs the demo until the stage drains.
///
/// # Errors
///
/// When a port is taken.
pub async fn run(scope: &Scope, listen: SocketAddr) -> Result<(), ballet::Error> {
    let pages = bind(listen, "Name another address with --listen, as in --listen 127.0.0.1:0.").await?;
    let admin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mut addresses = Vec::new();
    for (name, _, answer) in PARTS {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        addresses.push(listener.local_addr()?);
        let upstream = Upstream::new(name, answer, SLOW);
        scope.named(format!("upstream-{name}")).spawn(Arc::clone(&upstream).serve(listener));
    }
    let upstreams = [addresses[0], addresses[1], addresses[2]];
    let text = config(pages.local_addr()?, admin.local_addr()?, upstreams);
    greet(pages.local_addr()?, admin.local_addr()?, upstreams, &text)?;
    let gateway = Gateway::with_reshape(&Config::parse(&text)?, |_| Some(fragile()))?;
    scope.named("gateway").spawn(serve(Arc::new(gateway), pages, Some(admin)));
    Ok(())
}

/// Code for a part with a bug in it: it panics on what an upstream in [`Mode::Panic`] sends.
///
/// # Panics
///
/// Never itself; the function that it gives does.
#[must_use]
pub fn fragile() -> Arc<Reshape> {
    Arc::new(|raw: Box<RawValue>| match raw.get() {
        upstream::POISON => panic!("the code of this part cannot take what its upstream sent"),
        _ => Ok(raw),
    })
}

fn greet(pages: SocketAddr, admin: SocketAddr, upstreams: [SocketAddr; 3], config: &str) -> io::Result<()> {
    let [profile, inventory, recommendations] = upstreams;
    let modes: Vec<_> = Mode::ALL.map(Mode::as_str).into();
    let config = config.replace('\n', "\n  ").replace("\n  \n", "\n\n");
    write!(
        io::stdout(),
        "Three upstreams and a gateway are up. This is the gateway's configuration:

  {config}
Ask for a page, make an upstream ill, and ask again:

  curl -i http://{pages}/page/42
  curl -X PUT -d hang http://{inventory}/mode
  curl -i http://{pages}/page/42    # inventory is stale: its last good value, and its age
  curl -i http://{pages}/page/43    # inventory is missing: there is no last good value for 43
  curl -X PUT -d 5xx http://{profile}/mode
  curl -i http://{pages}/page/44    # 502: the page cannot do without the profile

An upstream can be: {modes}.
The others: http://{recommendations}/mode; what was asked of one: http://{profile}/
Metrics and the live tree: http://{admin}/metrics and http://{admin}/tree
Ctrl-C ends it.
",
        modes = modes.join(", "),
    )
}
