//! What goes wrong at the fault points of the code under test, and when.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::rehearsal::this_test;
use crate::job::lock;
use crate::scope::{Deed, FaultRules, Rules, When, with};
use crate::sync::Mutex;

/// Says what happens at the place that the code under test calls `point`, in this test.
///
/// A rule holds until the test ends. Where several are due at one pass, the one made first decides.
///
/// # Panics
///
/// Outside of a `#[ballet::test]`; elsewhere, use [`Faults`].
///
/// # Examples
///
/// ```
/// use ballet::testing::{self, at, passes};
/// use std::io::{Error, ErrorKind};
///
/// async fn commit() -> Result<(), Error> {
///     ballet::fault_point::<Error>("store.commit").await?;
///     Ok(())
/// }
///
/// testing::run("the third commit finds the disk full", async {
///     at("store.commit").nth(3).fails(|| Error::from(ErrorKind::StorageFull));
///     assert!(commit().await.is_ok() && commit().await.is_ok());
///     assert_eq!(commit().await.unwrap_err().kind(), ErrorKind::StorageFull);
///     assert!(commit().await.is_ok());
///     assert_eq!(passes("store.commit"), 4);
/// });
/// ```
#[track_caller]
pub fn at(point: &'static str) -> Point {
    this_test().faults().at(point)
}

/// How often the code of this test has come to the place that it calls `point`.
///
/// # Panics
///
/// Outside of a `#[ballet::test]`. Its example stands at [`at`].
#[must_use]
#[track_caller]
pub fn passes(point: &'static str) -> u64 {
    this_test().faults().passes(point)
}

/// What happens at the fault points of one tree. A `#[ballet::test]` has its own, for [`at`]; this type is for code that
/// is not in such a test, as a load on a real runtime. Cloning gives another handle to the same rules.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::testing::Faults;
///
/// let faults = Faults::seeded(7);
/// faults.at("wire.read").chance(0.5).fails(|| "cut");
/// let read = || ballet::fault_point::<&str>("wire.read");
/// let mut failed = 0;
/// for _ in 0..100 {
///     failed += u32::from(faults.during(read()).await.is_err());
/// }
/// assert!((30..70).contains(&failed) && read().await.is_ok());
/// # }
/// ```
#[derive(Clone)]
pub struct Faults(Arc<Mutex<Rules>>);

impl Faults {
    /// No rules yet; chances are drawn from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Rules::seeded(seed))))
    }

    /// Says what happens at `point`; see [`at`].
    pub fn at(&self, point: &'static str) -> Point {
        Point { faults: self.clone(), point, when: When::Always }
    }

    /// How often code that these rules hold for has come to `point`.
    #[must_use]
    pub fn passes(&self, point: &str) -> u64 {
        lock(&self.0).passes(point)
    }

    /// Runs `future` with these rules for it and all that it spawns.
    ///
    /// # Cancel safety
    ///
    /// As the future's.
    pub async fn during<F: Future>(&self, future: F) -> F::Output {
        with(FaultRules, self.rules(), future).await
    }

    pub(super) fn rules(&self) -> Arc<Mutex<Rules>> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}

/// A place in the code under test, for which a rule is being made; see [`at`].
#[must_use = "nothing happens there until it is said what"]
pub struct Point {
    faults: Faults,
    point: &'static str,
    when: When,
}

impl Point {
    /// Only the `nth` time from now, beginning with 1. Without this, and without [`chance`](Self::chance), each time.
    ///
    /// # Panics
    ///
    /// When `nth` is zero.
    #[track_caller]
    pub fn nth(self, nth: u64) -> Self {
        assert!(nth > 0, "the first time is `nth(1)`; there is none before it");
        Self { when: When::Nth(nth), ..self }
    }

    /// Each time with this probability, from 0 to 1, drawn from the test's seed.
    ///
    /// # Panics
    ///
    /// When it is no probability.
    #[track_caller]
    pub fn chance(self, chance: f64) -> Self {
        assert!((0.0..=1.0).contains(&chance), "{chance} is no probability: it has to be from 0 to 1");
        Self { when: When::Chance(chance), ..self }
    }

    /// It gives the error that `make` makes, which is of the type that the place names.
    pub fn fails<E: Send + 'static>(self, make: impl Fn() -> E + Send + Sync + 'static) {
        self.rule(Deed::Error(Arc::new(move || Box::new(make()) as Box<dyn Any + Send>)));
    }

    /// It panics.
    pub fn panics(self) {
        self.rule(Deed::Panic);
    }

    /// It takes this long, in the test's time.
    pub fn delays(self, duration: Duration) {
        self.rule(Deed::Delay(duration));
    }

    /// It cancels the job whose code comes there; in a shield that waits for the shield's end.
    pub fn cancels(self) {
        self.rule(Deed::Cancel);
    }

    fn rule(self, deed: Deed) {
        lock(&self.faults.0).add(self.point, self.when, deed);
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Point").field("point", &self.point).finish_non_exhaustive()
    }
}
