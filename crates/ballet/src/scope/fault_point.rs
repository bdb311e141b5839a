//! Named places at which a test makes something go wrong.
//!
//! Code that serves names its places and knows nothing else; what happens there is decided by rules that a test keeps
//! in its context, and so reach whatever runs in its tree, on any thread, and nothing else. Without the feature
//! `testing` there is nothing here but an `Ok`.

#[cfg(feature = "testing")]
pub(crate) use rules::{Deed, FaultRules, Rules, When};

/// A place at which a test can make an error, a panic, a delay or a cancellation happen; elsewhere nothing happens.
///
/// `E` is the type of the errors that may come here. What happens is said with [`testing::at`]; without Ballet's
/// feature `testing`, which is for tests, the call is a constant.
///
/// [`testing::at`]: https://docs.rs/ballet/latest/ballet/testing/fn.at.html
///
/// # Errors
///
/// The one that the test makes.
///
/// # Panics
///
/// Where the test says so, or makes an error of another type, or cancels code that is no job's.
///
/// # Cancel safety
///
/// Nothing is lost.
///
/// # Cost
///
/// None without the feature. With it, a walk to the values of the context.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::io;
///
/// async fn commit() -> Result<(), io::Error> {
///     ballet::fault_point::<io::Error>("store.commit").await?;
///     Ok(())
/// }
///
/// assert!(commit().await.is_ok());
/// # }
/// ```
pub async fn fault_point<E: Send + 'static>(name: &'static str) -> Result<(), E> {
    #[cfg(feature = "testing")]
    if let Some(deed) = rules::due(name) {
        return rules::happen(name, deed).await;
    }
    let _ = name;
    Ok(())
}

#[cfg(feature = "testing")]
mod rules {
    use std::any::{Any, type_name};
    use std::collections::HashMap;
    use std::future::pending;
    use std::iter;
    use std::panic::Location;
    use std::sync::Arc;
    use std::time::Duration;

    use fastrand::Rng;

    use crate::context::Key;
    use crate::job::{NodeRef, Origin, Reason, current, lock};
    use crate::sync::Mutex;

    /// The key of the rules in the context.
    pub(crate) struct FaultRules;

    impl Key for FaultRules {
        type Value = Arc<Mutex<Rules>>;
    }

    /// What happens where.
    pub(crate) struct Rules {
        rules: Vec<Rule>,
        passes: HashMap<&'static str, u64>,
        dice: Rng,
    }

    struct Rule {
        point: &'static str,
        when: When,
        deed: Deed,
        /// How often the place was passed since the rule was made.
        passed: u64,
    }

    /// At which of the passes of a place something happens.
    #[derive(Clone, Copy)]
    pub(crate) enum When {
        Always,
        /// From 1.
        Nth(u64),
        Chance(f64),
    }

    /// What happens.
    #[derive(Clone)]
    pub(crate) enum Deed {
        /// Makes the error.
        Error(Arc<dyn Fn() -> Box<dyn Any + Send> + Send + Sync>),
        Panic,
        Delay(Duration),
        Cancel,
    }

    impl Rules {
        pub(crate) fn seeded(seed: u64) -> Self {
            Self { rules: Vec::new(), passes: HashMap::new(), dice: Rng::with_seed(seed) }
        }

        pub(crate) fn add(&mut self, point: &'static str, when: When, deed: Deed) {
            self.rules.push(Rule { point, when, deed, passed: 0 });
        }

        pub(crate) fn passes(&self, point: &str) -> u64 {
            self.passes.get(point).copied().unwrap_or(0)
        }

        /// Counts a pass for every rule of the place; the first that is due decides.
        fn pass(&mut self, point: &'static str) -> Option<Deed> {
            *self.passes.entry(point).or_default() += 1;
            let mut due = None;
            for rule in self.rules.iter_mut().filter(|rule| rule.point == point) {
                rule.passed += 1;
                let is_due = match rule.when {
                    When::Always => true,
                    When::Nth(nth) => rule.passed == nth,
                    When::Chance(chance) => self.dice.f64() < chance,
                };
                if is_due && due.is_none() {
                    due = Some(rule.deed.clone());
                }
            }
            due
        }
    }

    /// What happens at this pass of `point`, if anything does.
    pub(super) fn due(point: &'static str) -> Option<Deed> {
        let values = current().values();
        let rules = values.get::<FaultRules>()?;
        lock(rules).pass(point)
    }

    pub(super) async fn happen<E: 'static>(point: &'static str, deed: Deed) -> Result<(), E> {
        match deed {
            Deed::Error(make) => match make().downcast::<E>() {
                Ok(error) => Err(*error),
                Err(_) => {
                    panic!("the error made at `{point}` is not of the type there, {}", type_name::<E>())
                }
            },
            Deed::Panic => panic!("the fault point `{point}` panics"),
            Deed::Delay(duration) => {
                tokio::time::sleep(duration).await;
                Ok(())
            }
            Deed::Cancel => {
                let Some(job) = job() else { panic!("`{point}` is to be cancelled and no job's code") };
                job.ask(&Reason::Requested(Origin::new(job.path(), Location::caller())));
                // The yield at which it is cut; in a shield it is none.
                if job.is_to_be_cut() { pending().await } else { Ok(()) }
            }
        }
    }

    /// The job whose code runs here.
    fn job() -> Option<NodeRef> {
        iter::successors(Some(current()), |node| node.birth_ref()).find(|node| node.is_job())
    }
}
