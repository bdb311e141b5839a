//! What a change of the file means for the sources, and for the sinks: which are started, stopped, restarted.

use std::{collections::BTreeMap, fmt};

/// By name; what is in none of the lists goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes<N> {
    pub started: Vec<N>,
    pub stopped: Vec<N>,
    pub restarted: Vec<N>,
    pub kept: usize,
}

impl<N: Ord + Clone> Changes<N> {
    pub(crate) fn between<S>(
        old: &BTreeMap<N, S>,
        new: &BTreeMap<N, S>,
        differ: impl Fn(&S, &S) -> bool,
    ) -> Self {
        let (mut started, mut restarted) = (Vec::new(), Vec::new());
        for (name, settings) in new {
            match old.get(name) {
                None => started.push(name.clone()),
                Some(old) if differ(old, settings) => restarted.push(name.clone()),
                Some(_) => {}
            }
        }
        let stopped = old.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
        let kept = new.len() - started.len() - restarted.len();
        Self { started, stopped, restarted, kept }
    }
}

impl<N> fmt::Display for Changes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { started, stopped, restarted, kept } = self;
        let (started, stopped, restarted) = (started.len(), stopped.len(), restarted.len());
        write!(f, "{started} started, {stopped} stopped, {restarted} restarted, {kept} left as they are")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_gone_or_different_is_counted_and_the_rest_left() {
        let old = BTreeMap::from([("a", 1), ("b", 1), ("c", 1)]);
        let new = BTreeMap::from([("a", 1), ("b", 2), ("d", 1)]);
        let changes = Changes::between(&old, &new, |old, new| old != new);
        assert_eq!(
            (&changes.started[..], &changes.stopped[..], &changes.restarted[..]),
            (&["d"][..], &["c"][..], &["b"][..])
        );
        assert_eq!(changes.to_string(), "1 started, 1 stopped, 1 restarted, 1 left as they are");
    }
}
