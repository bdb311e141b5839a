//! The timeline for machines.

use std::time::Duration;

use serde_core::ser::{Serialize, SerializeStruct, Serializer};

use super::{Curtain, Departure, Phase};

/// An object with `ending`, `failure` (its text, or null), `asked`, `lossy`, `exit_code`, `took_us`, `phases` (each
/// `phase`, `took_us`), `departures` (each `path`, `place`, `state`, `after_us`) and `finalizers_dropped`. Times are
/// whole microseconds.
impl Serialize for Curtain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Curtain", 9)?;
        object.serialize_field("ending", self.ending.name())?;
        object.serialize_field("failure", &self.failure().map(ToString::to_string))?;
        object.serialize_field("asked", &self.asked)?;
        object.serialize_field("lossy", &self.is_lossy())?;
        object.serialize_field("exit_code", &self.code())?;
        object.serialize_field("took_us", &micros(self.took()))?;
        let phases: Vec<_> =
            self.phases.iter().map(|(phase, took)| Step { phase: *phase, took: *took }).collect();
        object.serialize_field("phases", &phases)?;
        object.serialize_field("departures", &self.departures)?;
        object.serialize_field("finalizers_dropped", &self.finalizers_dropped)?;
        object.end()
    }
}

impl Serialize for Departure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Departure", 4)?;
        object.serialize_field("path", &self.path)?;
        object.serialize_field("place", &self.place)?;
        object.serialize_field("state", &self.state.to_string())?;
        object.serialize_field("after_us", &micros(self.after))?;
        object.end()
    }
}

struct Step {
    phase: Phase,
    took: Duration,
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Step", 2)?;
        object.serialize_field("phase", &self.phase.to_string())?;
        object.serialize_field("took_us", &micros(self.took))?;
        object.end()
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
