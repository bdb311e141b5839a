//! The highest rate that a server keeps up with.

use std::time::Duration;

use anyhow::Result;

use crate::dialect::Updates;
use crate::load::{Load, Outcome};
use crate::server::{Kind, Server};

/// Each step asks for so much more than the one before.
const STEP: f64 = 1.3;
/// A step that failed is tried again so often, as others share the machine.
const TRIES: usize = 2;
const STEPS_MAX: usize = 24;

/// Asks for more and more until the server is too slow. Each step has a server of its own.
pub(crate) async fn highest(
    kind: Kind,
    load: &Load,
    start: f64,
    p99_max: Duration,
    updates: &Updates,
) -> Result<Outcome> {
    let mut rate = start;
    let mut best = Outcome::nothing(start);
    for _ in 0..STEPS_MAX {
        let mut passed = None;
        for _ in 0..TRIES {
            let server = Server::start(kind).await?;
            let outcome = load.run(&server, rate, updates).await?;
            if outcome.share() >= 0.99 && outcome.p99 <= p99_max {
                passed = Some(outcome);
                break;
            }
        }
        match passed {
            Some(outcome) => best = outcome,
            // It did not even keep up with what was to be easy.
            None if best.delivered == 0 && rate > 1.0 => {
                rate /= 4.0;
                continue;
            }
            None => break,
        }
        rate *= STEP;
    }
    Ok(best)
}
