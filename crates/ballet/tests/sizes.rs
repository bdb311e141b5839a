//! What wraps a future keeps it once. Where it is kept twice at each level, as an `async fn` keeps its argument beside
//! what it awaits, a future in four scopes takes sixteen times its room.

use std::hint::black_box;
use std::time::Duration;

use ballet::channel::InContext;
use ballet::{
    Backoff, Breaker, Bulkhead, Error, Key, Lent, Retry, Scope, SupervisorScope, Trip, scope, scope_with,
    shield, supervisor_scope, timeout, with,
};

const BODY: usize = 4_096;
/// What a wrapper may take beside what it wraps.
const WRAPPER_MAX: usize = 256;

struct Tenant;

impl Key for Tenant {
    type Value = u32;
}

async fn large() -> Result<(), Error> {
    let kept = [1_u8; BODY];
    tokio::task::yield_now().await;
    black_box(&kept);
    Ok(())
}

#[test]
fn what_wraps_a_future_keeps_it_once() {
    const LIMIT: Duration = Duration::from_secs(1);
    let captured = [1_u8; BODY];
    let capturing = async move |_: Scope, _: Lent<u32>| {
        tokio::task::yield_now().await;
        black_box(&captured);
        Ok::<_, Error>(())
    };
    let breaker = Breaker::new("peer", Trip::in_a_row(3), Backoff::NONE);
    let place = Bulkhead::new("peer", 1).try_acquire().expect("the one place");
    let sizes = [
        ("scope", size_of_val(&scope(async |_: Scope| large().await))),
        ("supervisor_scope", size_of_val(&supervisor_scope(async |_: SupervisorScope| large().await))),
        ("scope_with", size_of_val(&scope_with(1, async |_: Scope, _: Lent<u32>| large().await))),
        ("scope_with of what is captured", size_of_val(&scope_with(1, capturing))),
        ("timeout", size_of_val(&timeout(LIMIT, large()))),
        ("shield", size_of_val(&shield(large()))),
        ("with", size_of_val(&with(Tenant, 1, large()))),
        ("InContext::enter", size_of_val(&InContext::new(1).enter(|_| large()))),
        ("Breaker::run", size_of_val(&breaker.run(large()))),
        ("Bulkhead::run", size_of_val(&place.run(large()))),
        ("Retry::run", size_of_val(&Retry::new(3, Backoff::NONE).run(|_| large()))),
    ];
    for (wrapper, size) in sizes {
        assert!(size < BODY + WRAPPER_MAX, "{wrapper} takes {size} bytes for a future of {BODY}");
    }
}

#[test]
fn scopes_in_scopes_take_room_for_each_level_and_not_twice_as_much() {
    let nested = scope(async |_: Scope| {
        let inner = scope(async |_: Scope| {
            let innermost = scope(async |_: Scope| large().await);
            innermost.await.map_err(Error::from)
        });
        inner.await.map_err(Error::from)
    });
    let size = size_of_val(&nested);
    assert!(size < BODY + 3 * WRAPPER_MAX, "three scopes take {size} bytes for a body of {BODY}");
}
