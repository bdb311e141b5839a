//! A composed page: what stands for each part, why, and what that makes of the whole.
//!
//! This is where the rules of degradation are: a fresh value, else the last good one, else what the part's need says.
//! How the values are had is the affair of `gateway` and `part`.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::{Fault, Need};

/// What stands in the place of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// A fresh value.
    Ok,
    /// The last good value.
    Stale,
    /// The configured value.
    Fallback,
    /// Nothing.
    Missing,
}

impl Status {
    /// The name on the wire and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Stale => "stale",
            Self::Fallback => "fallback",
            Self::Missing => "missing",
        }
    }
}

/// The place of one part in a page.
#[derive(Clone, Debug)]
pub struct Slot {
    pub(crate) name: Arc<str>,
    pub(crate) need: Need,
    pub(crate) status: Status,
    pub(crate) value: Option<Arc<RawValue>>,
    pub(crate) age: Option<Duration>,
    pub(crate) fault: Option<Fault>,
}

impl Slot {
    /// The part's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands in its place.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Why no fresh value does.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// How old the value is; `None` where it never came from the upstream.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// Whether there can be no page because of it.
    pub(crate) fn is_fatal(&self) -> bool {
        self.need == Need::Required && self.status == Status::Missing
    }
}

/// A page, complete or not.
#[derive(Clone, Debug)]
pub struct Page {
    pub(crate) slots: Vec<Slot>,
}

impl Page {
    /// The parts, in the order of the configuration.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Whether every part has a fresh value. Only then may the page be kept by anybody.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.slots.iter().all(|slot| slot.status == Status::Ok)
    }

    /// Whether a required part is missing, so that there is no page: the client is answered with 502.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.slots.iter().any(Slot::is_fatal)
    }

    /// The body of the answer: `data`, or `null` where there is no page, and `meta`.
    ///
    /// # Errors
    ///
    /// None in practice: every value was JSON before.
    pub(crate) fn to_json(&self, request_id: &str) -> serde_json::Result<Vec<u8>> {
        let meta = Meta {
            request_id,
            completed: self.is_complete(),
            parts: self.slots.iter().map(PartMeta::from).collect(),
        };
        let data = (!self.is_failed()).then_some(Data(&self.slots));
        serde_json::to_vec(&Body { data, meta })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    data: Option<Data<'a>>,
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Meta<'a> {
    request_id: &'a str,
    completed: bool,
    parts: Vec<PartMeta<'a>>,
}

#[derive(Serialize)]
struct PartMeta<'a> {
    name: &'a str,
    status: Status,
    /// In seconds, as HTTP's `Age`, with three decimals.
    age: Option<f64>,
    error_code: Option<&'static str>,
}

impl<'a> From<&'a Slot> for PartMeta<'a> {
    fn from(slot: &'a Slot) -> Self {
        Self {
            name: &slot.name,
            status: slot.status,
            age: slot.age.map(|age| age.as_millis() as f64 / 1_000.0),
            error_code: slot.fault.map(Fault::code),
        }
    }
}

/// The values under the names of their parts, as the upstreams wrote them.
struct Data<'a>(&'a [Slot]);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for slot in self.0 {
            map.serialize_entry(&*slot.name, &slot.value.as_deref())?;
        }
        map.end()
    }
}
