//! Tests that own time: what `#[ballet::test]` runs.
//!
//! Time is virtual: it stands still while a job can run, and jumps to the next timer when all wait. A test fails
//! when a job of its tree is left after its body. What a flow does is tested event by event (`flow`), a
//! shutdown against a limit (`shutdown`). Nothing in the
//! crate uses this module.
//!
//! Not yet: a test in which all wait and no timer is left hangs, and time also jumps while real IO is pending.

mod flow;
mod shutdown;

pub use flow::{EVENTS_MAX, Event, Events, PATIENCE, ShowError, test_flow};
pub use shutdown::assert_shutdown_within;

use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::time::Duration;

use crate::job::Node;

/// How long, in virtual time, adopted scopes may take to end after the body of a test.
const ADOPTED_BUDGET: Duration = Duration::from_secs(60);

/// Runs the body of a `#[ballet::test]` on a current-thread runtime in virtual time, below a root of its own.
///
/// # Panics
///
/// When the body panics, and when a job or an open scope is left once the body has ended: the message draws the tree.
#[track_caller]
pub fn run<R>(name: &'static str, body: impl Future<Output = R>) -> R {
    let root = Node::test_root(name, Location::caller());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap_or_else(|error| panic!("the Tokio runtime could not be started: {error}"));
    runtime.block_on(async {
        let result = {
            let mut body = pin!(body);
            poll_fn(|cx| {
                let _inside = root.enter(cx);
                body.as_mut().poll(cx)
            })
            .await
        };
        let _ = tokio::time::timeout(ADOPTED_BUDGET, root.node().wait_childless()).await;
        let tree = root.node().tree();
        assert!(tree.children.is_empty(), "the test `{name}` leaked what stands below it here:\n{tree}");
        result
    })
}
