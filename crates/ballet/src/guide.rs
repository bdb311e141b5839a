#![doc = include_str!("guide/links.md")]
#![doc = include_str!("../../../docs/guide/README.md")]

// The texts stand in docs/guide, where they can be read without rustdoc. This module is compiled by rustdoc alone:
// it shows them as pages, runs their snippets as tests, and holds no code. Their links are references, and in
// Markdown the first definition of a label counts. So `guide/links.md`, before each text, leads to the pages here,
// and the definitions at the end of each text lead to the files.

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/ten-minutes.md")]
///
/// *Its words*: [`scope`](fn@crate::scope), [`Scope`](crate::Scope), [`Deferred`](crate::Deferred),
/// [`Failure`](crate::Failure), [`local_scope`](crate::local_scope), [`scope_with`](crate::scope_with),
/// [`par_map`](crate::par_map), [`main`](macro@crate::main).
pub mod ten_minutes {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/failure-domains.md")]
///
/// *Its words*: [`scope`](fn@crate::scope), [`supervisor_scope`](crate::supervisor_scope),
/// [`Outcome`](crate::Outcome), [`Failure`](crate::Failure), [`Error`](crate::Error), [`Panic`](crate::Panic),
/// [`on_failure`](crate::SupervisorScope::on_failure), [`race_ok`](crate::race_ok).
pub mod failure_domains {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/cancellation.md")]
///
/// *Its words*: [`Scope::cancel`](crate::Scope::cancel), [`Reason`](crate::Reason), [`timeout`](crate::timeout),
/// [`shield`](crate::shield), [`Scope::defer`](crate::Scope::defer), [`Scope::acquire`](crate::Scope::acquire),
/// [`Child::graceful`](crate::Child::graceful), [`cancelled`](crate::cancelled), [`Stage`](crate::Stage),
/// [`Phases`](crate::Phases), [`draining`](crate::draining).
pub mod cancellation {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/blocking.md")]
///
/// *Its words*: [`Scope::blocking`](crate::Scope::blocking), [`Scope::compute`](crate::Scope::compute),
/// [`Cancel`](crate::Cancel), [`Bulkhead`](crate::Bulkhead), [`Dispatcher`](crate::Dispatcher),
/// [`BLOCKING_PLACES`](crate::BLOCKING_PLACES).
pub mod blocking {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/migrating.md")]
///
/// *Its words*: [`Scope`](crate::Scope), [`Scope::spawn_all`](crate::Scope::spawn_all),
/// [`par_map_unordered`](crate::par_map_unordered), [`race`](crate::race), [`race_ok`](crate::race_ok),
/// [`adopt`](crate::adopt), [`Scope::cancel_when`](crate::Scope::cancel_when).
pub mod migrating {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/coming-from.md")]
pub mod coming_from {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/channels.md")]
///
/// *Its words*: [`channel`](crate::channel), [`Sender`](crate::channel::Sender),
/// [`Receiver`](crate::channel::Receiver), [`Scope::produce`](crate::Scope::produce),
/// [`Scope::pipe`](crate::Scope::pipe), [`select`](fn@crate::channel::select),
/// [`InContext`](crate::channel::InContext).
pub mod channels {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/flows.md")]
///
/// *Its words*: [`Flow`](crate::Flow), [`FlowExt`](crate::FlowExt), [`flow`](fn@crate::flow),
/// [`Emitter`](crate::flow::Emitter), [`Never`](crate::flow::Never), [`channel_flow`](crate::flow::channel_flow),
/// [`BoxFlow`](crate::flow::BoxFlow).
pub mod flows {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/shared-state.md")]
///
/// *Its words*: [`SharedFlow`](crate::SharedFlow), [`SharedEmitter`](crate::flow::SharedEmitter),
/// [`Subscriber`](crate::flow::Subscriber), [`Sharing`](crate::Sharing), [`StateFlow`](crate::StateFlow),
/// [`StateCell`](crate::flow::StateCell), [`Watcher`](crate::flow::Watcher),
/// [`share_in`](crate::FlowExt::share_in), [`state_in`](crate::FlowExt::state_in),
/// `ballet::testing::test_flow` (feature `testing`).
pub mod shared_state {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/context.md")]
///
/// *Its words*: [`Context`](crate::Context), [`Key`](crate::Key), [`Inheritance`](crate::Inheritance),
/// [`with`](crate::with), [`Trace`](crate::Trace), [`TraceParent`](crate::TraceParent).
pub mod context {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/supervision.md")]
///
/// *Its words*: [`Supervisor`](crate::Supervisor), [`child`](crate::child), [`Life`](crate::Life),
/// [`Children`](crate::Children), [`Escalation`](crate::Escalation), [`Report`](crate::Report),
/// [`Backoff`](crate::Backoff), [`Retry`](crate::Retry), [`RetryBudget`](crate::RetryBudget),
/// [`Breaker`](crate::Breaker), [`RateLimiter`](crate::RateLimiter), [`Hedge`](crate::Hedge),
/// [`Bulkhead`](crate::Bulkhead).
pub mod supervision {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/lifecycle.md")]
///
/// *Its words*: [`Stage`](crate::Stage), [`component`](crate::component), [`draining`](crate::draining),
/// [`Phases`](crate::Phases), [`Phase`](crate::Phase), [`Curtain`](crate::Curtain),
/// `ballet::testing::assert_shutdown_within` (feature `testing`).
pub mod lifecycle {}

#[doc = include_str!("guide/links.md")]
#[doc = include_str!("../../../docs/guide/testing.md")]
///
/// *Its words* (feature `testing`): `ballet::test`, `testing::run`, `testing::advance_by`, `testing::wait_idle`,
/// `testing::real`, `testing::cancel_at_every_await`, `testing::run_seeds`, `testing::at`, `testing::Faults`; and
/// [`fault_point`](crate::fault_point).
pub mod testing {}
