//! The last good value of each part, for when no fresh one can be had.
//!
//! Bounded in entries and in bytes; what was used longest ago goes first. It holds only whole values that an upstream
//! sent and the gateway accepted: nothing stale, no fallback, no half of an answer is ever put here. How old a value
//! may be is the part's affair.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::config::CacheSettings;

#[derive(Debug)]
pub(crate) struct Cache {
    /// `None` where the operator allows no entry.
    shelf: Option<Mutex<Shelf>>,
    bytes_max: usize,
}

#[derive(Debug)]
struct Shelf {
    values: LruCache<String, Value>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Value {
    json: Arc<RawValue>,
    at: Instant,
}

/// How much the cache holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fill {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

impl Cache {
    pub(crate) fn new(settings: &CacheSettings) -> Self {
        let shelf = NonZeroUsize::new(settings.entries_max)
            .map(|entries_max| Mutex::new(Shelf { values: LruCache::new(entries_max), bytes: 0 }));
        Self { shelf, bytes_max: settings.bytes_max }
    }

    /// The value last put under the key, and its age, unless it is older than `age_max`.
    pub(crate) fn get(&self, key: &str, age_max: Duration) -> Option<(Arc<RawValue>, Duration)> {
        let value = lock(self.shelf.as_ref()?).values.get(key).cloned()?;
        let age = value.at.elapsed();
        (age <= age_max).then_some((value.json, age))
    }

    /// Keeps a value in place of the one before; one that is larger than the whole cache is not kept.
    pub(crate) fn put(&self, key: String, json: Arc<RawValue>) {
        let Some(shelf) = &self.shelf else { return };
        let mut shelf = lock(shelf);
        shelf.bytes += weight(&key, &json);
        if let Some((key, replaced)) = shelf.values.push(key, Value { json, at: Instant::now() }) {
            shelf.bytes -= weight(&key, &replaced.json);
        }
        while shelf.bytes > self.bytes_max
            && let Some((key, evicted)) = shelf.values.pop_lru()
        {
            shelf.bytes -= weight(&key, &evicted.json);
        }
    }

    pub(crate) fn fill(&self) -> Fill {
        self.shelf.as_ref().map_or_else(Fill::default, |shelf| {
            let shelf = lock(shelf);
            Fill { entries: shelf.values.len(), bytes: shelf.bytes }
        })
    }
}

fn weight(key: &str, json: &RawValue) -> usize {
    key.len() + json.get().len()
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    // Nothing in the critical sections can panic half-way.
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn cache(entries_max: usize, bytes_max: usize) -> Cache {
        Cache::new(&CacheSettings { entries_max, bytes_max })
    }

    fn json(text: &str) -> Arc<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap().into()
    }

    fn has(cache: &Cache, key: &str) -> bool {
        cache.get(key, HOUR).is_some()
    }

    #[ballet::test]
    async fn a_value_ages_and_is_too_old_at_last() {
        let cache = cache(2, 100);
        cache.put("a".into(), json("1"));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (value, age) = cache.get("a", Duration::from_secs(5)).unwrap();
        assert_eq!((value.get(), age), ("1", Duration::from_secs(5)));
        assert!(cache.get("a", Duration::from_millis(4_999)).is_none());
        cache.put("a".into(), json("2"));
        assert_eq!(cache.get("a", Duration::ZERO).unwrap().0.get(), "2");
    }

    #[ballet::test]
    async fn what_was_used_longest_ago_makes_room_for_a_new_entry() {
        let cache = cache(2, 100);
        cache.put("a".into(), json("1"));
        cache.put("b".into(), json("2"));
        assert!(has(&cache, "a"));
        cache.put("c".into(), json("3"));
        assert!(has(&cache, "a") && !has(&cache, "b") && has(&cache, "c"));
        assert_eq!(cache.fill(), Fill { entries: 2, bytes: 4 });
    }

    #[ballet::test]
    async fn bytes_are_bounded_whatever_is_put() {
        let cache = cache(100, 20);
        for key in 0..100_u32 {
            cache.put(key.to_string(), json("\"12345\""));
            assert!(cache.fill().bytes <= 20);
        }
        assert!(has(&cache, "99"));
        cache.put("huge".into(), json(&format!("\"{}\"", "x".repeat(100))));
        assert!(!has(&cache, "huge"));
        assert_eq!(cache.fill().bytes, 0);
    }

    #[ballet::test]
    async fn replacing_a_value_does_not_count_it_twice() {
        let cache = cache(2, 100);
        (0..50).for_each(|_| cache.put("a".into(), json("12345")));
        assert_eq!(cache.fill(), Fill { entries: 1, bytes: 6 });
    }

    #[ballet::test]
    async fn a_cache_without_entries_keeps_nothing() {
        let cache = cache(0, 100);
        cache.put("a".into(), json("1"));
        assert!(!has(&cache, "a"));
    }
}
