//! JSON of which only what is asked for is kept, and no more than there is room for.
//!
//! A list of zeros is packed to a thousandth, and as a tree of [`Value`]s it takes sixteen times its bytes; of small objects,
//! eighty times. So members that nobody asks for are read over, and what is still too large is an error before it is a tree.

use std::{cell::Cell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// How much of a tree is kept.
pub(super) struct Pruned<'a> {
    /// The members of objects that are kept, at any depth.
    names: &'a [&'a str],
    values_max: usize,
    left: &'a Cell<usize>,
}

/// Reads a tree in which these members are kept.
///
/// # Errors
///
/// When it is no JSON, or has more than so many values.
pub(super) fn read(json: &[u8], names: &[&str], values_max: usize) -> Result<Value, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let left = Cell::new(values_max);
    let tree = Pruned::new(names, values_max, &left).deserialize(&mut json)?;
    json.end().map(|()| tree)
}

impl<'a> Pruned<'a> {
    /// For trees that have this many values left between them.
    pub(super) fn new(names: &'a [&'a str], values_max: usize, left: &'a Cell<usize>) -> Self {
        Self { names, values_max, left }
    }

    fn inner(&self) -> Self {
        Self { ..*self }
    }
}

impl<'de> DeserializeSeed<'de> for Pruned<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        let too_many = || D::Error::custom(format_args!("there are more than {} values", self.values_max));
        self.left.set(self.left.get().checked_sub(1).ok_or_else(too_many)?);
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pruned<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.inner())? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if self.names.contains(&name.as_str()) {
                members.insert(name, object.next_value_seed(self.inner())?);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(json: &str, values_max: usize) -> Result<Value, String> {
        read(json.as_bytes(), &["a", "b"], values_max).map_err(|error| error.to_string())
    }

    #[test]
    fn only_what_is_asked_for_is_kept_and_counted() {
        let json = r#"{"a": [1, -1, 1.5, null, true, "x", {"x": 1, "b": {}}], "x": [1, {"a": 1}]}"#;
        let kept = json!({"a": [1, -1, 1.5, null, true, "x", {"b": {}}]});
        assert_eq!(told(json, 10), Ok(kept));
        assert!(told(json, 9).unwrap_err().starts_with("there are more than 9 values"));
    }

    #[test]
    fn what_is_no_json_is_none() {
        for json in ["", "{", "[1] 2", "{\"x\": }"] {
            assert!(told(json, 10).is_err(), "{json}");
        }
    }
}
