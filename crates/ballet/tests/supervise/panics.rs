//! Code of the user's that panics beside the lives of the children: none of it ends the supervisor.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ballet::{Error, Life, Strategy, Supervisor, child};
use tokio::time::sleep;

use crate::script::{Log, SECOND, failing, steady};

/// Whose second clone panics.
struct Brittle(Arc<AtomicU32>);

impl Clone for Brittle {
    fn clone(&self) -> Self {
        assert_ne!(self.0.fetch_add(1, Ordering::Relaxed), 1, "the clone slipped");
        Self(Arc::clone(&self.0))
    }
}

#[ballet::test]
async fn a_capture_that_cannot_be_cloned_is_an_incident_of_its_child() -> Result<(), Error> {
    let (log, brittle) = (Log::open(), Brittle(Arc::default()));
    let report = Supervisor::one_for_one()
        .intensity(9, SECOND)
        .child(steady(&log, "a"))
        .child(child("b").run(async move |life: Life| {
            life.ready();
            sleep(SECOND).await;
            drop(brittle);
            Err(Error::msg("fell"))
        }))
        .stop_when(|| sleep(SECOND * 3 / 2))
        .on_incident(|_| {})
        .run()
        .await?;
    let panics = report.incidents().iter().filter_map(|incident| incident.failure()?.panic()?.message());
    assert_eq!((panics.count(), report.incidents().len()), (1, 2), "{report:?}");
    assert_eq!(log.take(), ["0 a begins", "1500 a ends"]);
    Ok(())
}

/// Whose destructor panics once it is armed.
#[derive(Clone)]
struct Armed(Arc<AtomicBool>);

impl Drop for Armed {
    fn drop(&mut self) {
        assert!(!self.0.load(Ordering::Relaxed), "the destructor slipped");
    }
}

#[ballet::test]
async fn a_capture_that_panics_as_it_is_dropped_ends_neither_the_supervisor_nor_its_verdict()
-> Result<(), Error> {
    let (log, is_armed) = (Log::open(), Arc::new(AtomicBool::new(false)));
    let bomb = |name| {
        let armed = Armed(Arc::clone(&is_armed));
        child(name).run(async move |life: Life| {
            std::mem::forget(armed);
            life.ready();
            std::future::pending().await
        })
    };
    let supervisor = Supervisor::one_for_one()
        .child(steady(&log, "a"))
        .child(bomb("removed"))
        .child(bomb("last"))
        .stop_when(|| sleep(SECOND));
    let (children, taken) = (supervisor.children(), bomb("last"));
    let meddles = async {
        children.ready().await?;
        is_armed.store(true, Ordering::Relaxed);
        children.remove("removed").await?;
        assert!(children.add(taken).await.unwrap_err().is_taken());
        Ok::<_, Error>(())
    };
    let (report, meddled) = tokio::join!(supervisor.run(), meddles);
    meddled?;
    assert!(report?.incidents().is_empty());
    assert_eq!(log.take(), ["0 a begins", "1000 a ends"]);
    Ok(())
}

#[ballet::test]
async fn a_sink_may_panic_with_what_panics_again() -> Result<(), Error> {
    let log = Log::open();
    let report = Supervisor::one_for_one()
        .child(failing(child("a"), &log, "a", 1, SECOND))
        .stop_when(|| sleep(SECOND * 2))
        .on_incident(|_| std::panic::panic_any(Armed(Arc::new(AtomicBool::new(true)))))
        .run()
        .await?;
    assert_eq!(report.restarts(), 1);
    Ok(())
}

struct Unspeakable;

impl fmt::Debug for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("the error cannot be written")
    }
}

#[ballet::test]
async fn an_error_that_cannot_be_written_is_an_incident_like_any_other() {
    let writes = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
    let _writes = tracing::subscriber::set_default(writes);
    let supervisor =
        Supervisor::new(Strategy::OneForOne).child(child("a").transient().run(async |life: Life| {
            life.ready();
            if life.restarts() == 0 { Err(Unspeakable) } else { Ok(()) }
        }));
    let Ok(report) = supervisor.run().await else { panic!("it has restarted once") };
    assert_eq!((report.restarts(), report.incidents().len()), (1, 1));
}
