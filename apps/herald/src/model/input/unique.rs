//! JSON in which no object has a member twice.
//!
//! `serde_json::Value` keeps the last of them in silence, while other readers keep the first: a second `expires_at` would
//! take away the deadline that a client believes in.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{Faults, pointer_to};

/// Reads the value at `place`, and notes each member that comes again.
pub(super) struct Unique<'a> {
    pub(super) place: Place<'a>,
    pub(super) faults: &'a mut Faults,
}

/// Where a value stands. It is written out for a fault and no sooner: a name may be as long as the body.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Top,
    Member(&'a Place<'a>, &'a str),
    Element(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn pointer(self) -> String {
        match self {
            Self::Top => String::new(),
            Self::Member(of, name) => pointer_to(&of.pointer(), name),
            Self::Element(of, index) => format!("{}/{index}", of.pointer()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let place = Place::Element(&self.place, values.len());
            match list.next_element_seed(Unique { place, faults: self.faults })? {
                Some(value) => values.push(value),
                None => return Ok(values.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let place = Place::Member(&self.place, &name);
            if members.contains_key(&name) && !self.faults.are_enough() {
                self.faults.add(&place.pointer(), "must come only once");
            }
            let value = object.next_value_seed(Unique { place, faults: self.faults })?;
            members.insert(name, value);
        }
        Ok(members.into())
    }
}
