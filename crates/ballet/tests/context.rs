//! What follows the tree: keys and what a child gets of them, the trace, and the span.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ballet::{
    Context, Error, Inheritance, InvalidTraceParent, Key, LocalScope, Scope, SupervisorScope, Trace,
    TraceParent,
};

/// Inherited.
struct Tenant;

impl Key for Tenant {
    type Value = &'static str;
}

/// Inherited, of the same type as [`Tenant`].
struct Locale;

impl Key for Locale {
    type Value = &'static str;
}

/// Seen only by the job that set it.
struct Draft;

impl Key for Draft {
    type Value = u32;
    const INHERITANCE: Inheritance<u32> = Inheritance::Local;
}

/// How many spawns stand between this code and the one that set it.
struct Depth;

impl Key for Depth {
    type Value = u32;
    const INHERITANCE: Inheritance<u32> = Inheritance::Transformed(|parent| parent + 1);
}

fn tenant() -> Option<&'static str> {
    Context::current().get(Tenant).copied()
}

fn draft() -> Option<u32> {
    Context::current().get(Draft).copied()
}

fn depth() -> Option<u32> {
    Context::current().get(Depth).copied()
}

#[ballet::test]
async fn a_value_is_seen_inside_its_future_and_nowhere_else() {
    assert_eq!(tenant(), None);
    assert_eq!(ballet::with(Tenant, "acme", async { tenant() }).await, Some("acme"));
    assert_eq!(tenant(), None);
}

#[ballet::test]
async fn the_nearest_value_of_a_key_hides_those_further_out() {
    let inner = ballet::with(Tenant, "inner", async { tenant() });
    let both = ballet::with(Tenant, "outer", async { (tenant(), inner.await, tenant()) });
    assert_eq!(both.await, (Some("outer"), Some("inner"), Some("outer")));
}

#[ballet::test]
async fn keys_are_told_apart_by_their_type_and_not_by_that_of_their_values() {
    let locale = ballet::with(Locale, "cy", async { (tenant(), Context::current().get(Locale).copied()) });
    assert_eq!(ballet::with(Tenant, "acme", locale).await, (Some("acme"), Some("cy")));
}

#[ballet::test]
async fn an_inherited_value_reaches_every_kind_of_scope_and_every_generation() -> Result<(), Error> {
    let scopes = ballet::scope(async |s: Scope| {
        let child = s.spawn(async {
            let supervised = ballet::supervisor_scope(async |s: SupervisorScope| {
                Ok(s.spawn(async { Ok(tenant()) }).await?)
            });
            let local =
                ballet::local_scope(async |s: LocalScope<'_>| Ok(s.spawn(async { Ok(tenant()) }).await));
            Ok([tenant(), supervised.await?, local.await?])
        });
        Ok(child.await)
    });
    assert_eq!(ballet::with(Tenant, "acme", scopes).await?, [Some("acme"); 3]);
    Ok(())
}

#[ballet::test]
async fn a_child_has_the_context_of_the_scope_that_owns_it_and_not_of_the_code_that_spawns_it()
-> Result<(), Error> {
    let scope = ballet::scope(async |s: Scope| {
        let nearer = ballet::with(Tenant, "of the code", async { s.spawn(async { Ok(tenant()) }).await });
        Ok(nearer.await)
    });
    assert_eq!(ballet::with(Tenant, "of the scope", scope).await?, Some("of the scope"));
    Ok(())
}

#[ballet::test]
async fn a_child_can_have_a_value_of_its_own_that_its_siblings_do_not_see() -> Result<(), Error> {
    ballet::scope(async |s: Scope| {
        let own = s.named("own").spawn(ballet::with(Tenant, "acme", async { Ok(tenant()) }));
        let plain = s.named("plain").spawn(async { Ok(tenant()) });
        assert_eq!((own.await, plain.await), (Some("acme"), None));
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn a_local_value_is_seen_by_its_job_and_not_by_its_children() -> Result<(), Error> {
    let scope = ballet::scope(async |s: Scope| {
        let child = s.spawn(async { Ok((draft(), tenant())) });
        Ok((draft(), child.await))
    });
    let scope = ballet::with(Draft, 3, ballet::with(Tenant, "acme", scope));
    assert_eq!(scope.await?, (Some(3), (None, Some("acme"))));
    Ok(())
}

#[ballet::test]
async fn a_transformed_value_changes_once_for_each_generation() -> Result<(), Error> {
    let generations = ballet::scope(async |s: Scope| {
        let child = s.spawn(async {
            let grandchild = ballet::scope(async |s: Scope| Ok(s.spawn(async { Ok(depth()) }).await));
            Ok((depth(), grandchild.await?))
        });
        Ok((depth(), child.await))
    });
    assert_eq!(ballet::with(Depth, 0, generations).await?, (Some(0), (Some(1), Some(2))));
    Ok(())
}

#[ballet::test]
async fn a_transformation_is_called_once_for_each_child_and_only_for_the_nearest_value() -> Result<(), Error>
{
    struct Calls;
    impl Key for Calls {
        type Value = Arc<AtomicU32>;
        const INHERITANCE: Inheritance<Arc<AtomicU32>> = Inheritance::Transformed(|calls| {
            calls.fetch_add(1, Ordering::Relaxed);
            Arc::clone(calls)
        });
    }
    let (hidden, seen) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let scope = ballet::scope(async |s: Scope| {
        for _ in 0..3 {
            s.spawn(async { Ok(()) }).await;
        }
        // Also for one that is refused.
        s.cancel();
        s.spawn(async { Ok(()) });
        Ok(())
    });
    let inner = ballet::with(Calls, Arc::clone(&seen), scope);
    ballet::with(Calls, Arc::clone(&hidden), inner).await?;
    assert_eq!((hidden.load(Ordering::Relaxed), seen.load(Ordering::Relaxed)), (0, 4));
    Ok(())
}

#[ballet::test]
async fn a_transformation_may_use_the_scope_that_it_is_called_for() -> Result<(), Error> {
    struct Census;
    impl Key for Census {
        type Value = Option<Scope>;
        const INHERITANCE: Inheritance<Option<Scope>> = Inheritance::Transformed(|scope| {
            scope.as_ref().map(|scope| scope.tree().children.len());
            scope.clone()
        });
    }
    ballet::scope(async |outer: Scope| {
        let inner = ballet::scope(async |s: Scope| Ok(s.spawn(async { Ok("a child") }).await));
        assert_eq!(ballet::with(Census, Some(outer.clone()), inner).await?, "a child");
        Ok(())
    })
    .await?;
    Ok(())
}

#[ballet::test]
async fn values_and_deadlines_stand_beside_each_other() -> Result<(), Error> {
    let inside = ballet::scope(async |s: Scope| {
        let child = s.spawn(async { Ok((Context::current().deadline().is_some(), depth(), tenant())) });
        Ok(child.await)
    });
    let limited = ballet::timeout(Duration::from_secs(1), ballet::with(Depth, 0, inside));
    assert_eq!(ballet::with(Tenant, "acme", limited).await??, (true, Some(1), Some("acme")));
    Ok(())
}

#[ballet::test]
async fn a_finalizer_sees_what_its_scope_sees() -> Result<(), Error> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let scope = ballet::scope(async |s: Scope| {
        s.defer(async move {
            let _ = tell.send(tenant());
            Ok(())
        });
        Ok(())
    });
    ballet::with(Tenant, "acme", scope).await?;
    assert_eq!(told.await?, Some("acme"));
    Ok(())
}

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_traceparent_is_read_and_written_back_unchanged() -> Result<(), InvalidTraceParent> {
    let caller: TraceParent = CALLER.parse()?;
    assert_eq!(caller.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(caller.span_id().to_string(), "00f067aa0ba902b7");
    assert_eq!(caller.to_string(), CALLER);
    Ok(())
}

#[test]
fn a_traceparent_that_breaks_the_recommendation_is_refused() {
    let broken = [
        "",
        "00",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e47366-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473ü-00f067aa0ba902b7-01",
    ];
    for text in broken {
        assert!(text.parse::<TraceParent>().is_err(), "{text}");
    }
}

#[test]
fn a_traceparent_of_a_later_version_is_read_as_far_as_it_is_known() -> Result<(), InvalidTraceParent> {
    for later in [
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-",
    ] {
        assert_eq!(later.parse::<TraceParent>()?.to_string(), CALLER, "{later}");
    }
    Ok(())
}

#[test]
fn only_the_flag_that_is_known_is_passed_on() -> Result<(), InvalidTraceParent> {
    for (flags, passed_on, is_sampled) in [("00", "00", false), ("fe", "00", false), ("ff", "01", true)] {
        let parent: TraceParent = CALLER.replace("-01", &format!("-{flags}")).parse()?;
        assert_eq!(parent.is_sampled(), is_sampled);
        assert_eq!(parent.to_string(), CALLER.replace("-01", &format!("-{passed_on}")));
    }
    Ok(())
}

#[test]
fn traces_and_spans_that_begin_here_differ_on_every_thread() -> Result<(), InvalidTraceParent> {
    let start = || {
        let start = TraceParent::start();
        [start, start.child()]
    };
    let elsewhere: Vec<_> = (0..4).map(|_| std::thread::spawn(move || [(); 100].map(|()| start()))).collect();
    let mut begun: Vec<_> = elsewhere.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    begun.push(start());
    let traces: HashSet<_> = begun.iter().flatten().map(TraceParent::trace_id).collect();
    let spans: HashSet<_> = begun.iter().flatten().map(TraceParent::span_id).collect();
    assert_eq!((traces.len(), spans.len()), (401, 802));
    for parent in begun.iter().flatten() {
        assert_eq!(parent.to_string().parse::<TraceParent>()?, *parent);
    }
    Ok(())
}

#[ballet::test]
async fn a_trace_reaches_every_generation() -> Result<(), Error> {
    let trace = TraceParent::start();
    let tree = ballet::scope(async |s: Scope| {
        let child = s.spawn(async {
            let grandchild = async { Ok(Context::current().get(Trace).copied()) };
            Ok(ballet::scope(async |s: Scope| Ok(s.spawn(grandchild).await)).await?)
        });
        Ok(child.await)
    });
    assert_eq!(ballet::with(Trace, trace, tree).await?, Some(trace));
    Ok(())
}

/// The name of the `tracing` span that this code runs in.
fn span() -> Option<&'static str> {
    tracing::Span::current().metadata().map(tracing::Metadata::name)
}

#[ballet::test]
async fn a_child_runs_in_the_span_of_the_code_that_spawned_it() -> Result<(), Error> {
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry());
    ballet::scope(async |s: Scope| {
        let spawn = || {
            s.spawn(async {
                let first_poll = span();
                tokio::task::yield_now().await;
                Ok((first_poll, span()))
            })
        };
        let child = tracing::info_span!("request").in_scope(spawn);
        assert_eq!(child.await, (Some("request"), Some("request")));
        assert_eq!(spawn().await, (None, None));
        Ok(())
    })
    .await?;
    Ok(())
}
