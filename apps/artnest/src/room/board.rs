//! Who is here and where they point.
//!
//! Everything here is conflated: a connection writes its own line without waiting, and so many times a second what
//! changed is published as frames that all connections share. One that missed a frame gets the whole board instead.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ballet::StateFlow;
use ballet::flow::{StateCell, Watcher};
use bytes::Bytes;
use tokio::{sync::Notify, time::sleep};

use crate::{
    model::Role,
    wire::{Cursor, Frames, Pointing, RosterEntry},
};

/// The time between two publications.
const TICK: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(crate) struct Board {
    lines: Mutex<Lines>,
    changed: Notify,
    cell: StateCell<Tick>,
    ticks: StateFlow<Tick>,
}

#[derive(Debug, Default)]
struct Lines {
    people: HashMap<u32, Line>,
    /// Whose presence, name or role changed since the last tick.
    changed: HashSet<u32>,
    /// Whose cursor moved since the last tick.
    moved: HashSet<u32>,
    /// Those of the changed who are gone, as they were last.
    left: HashMap<u32, RosterEntry>,
    tick: u64,
}

#[derive(Debug)]
struct Line {
    entry: RosterEntry,
    cursor: Cursor,
}

/// What changed from one tick to the next. Two ticks are the same where their numbers are.
#[derive(Debug, Clone)]
pub(crate) struct Tick {
    pub(crate) number: u64,
    pub(crate) roster: Option<Bytes>,
    pub(crate) cursors: Option<Bytes>,
}

impl PartialEq for Tick {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

/// The whole board, as of a tick.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) number: u64,
    pub(crate) roster: Bytes,
    pub(crate) cursors: Bytes,
}

impl Board {
    pub(crate) fn new() -> Self {
        let (cell, ticks) = StateFlow::new(Tick { number: 0, roster: None, cursors: None });
        Self { lines: Mutex::default(), changed: Notify::new(), cell, ticks }
    }

    /// Somebody is here, perhaps with another name or role than before.
    pub(crate) fn put(&self, member: u32, role: Role, name: &str) {
        self.change(|lines| {
            let entry = RosterEntry { member, here: true, role, name: name.to_owned() };
            let nowhere = Cursor { member, x: 0, y: 0, pointing: Pointing::Away };
            let cursor = lines.people.get(&member).map_or(nowhere, |line| line.cursor);
            lines.people.insert(member, Line { entry, cursor });
            lines.left.remove(&member);
            lines.changed.insert(member);
        });
    }

    pub(crate) fn remove(&self, member: u32) {
        self.change(|lines| {
            if let Some(line) = lines.people.remove(&member) {
                lines.left.insert(member, RosterEntry { here: false, ..line.entry });
                lines.changed.insert(member);
                lines.moved.remove(&member);
            }
        });
    }

    /// Somebody points elsewhere.
    pub(crate) fn point(&self, cursor: Cursor) {
        self.change(|lines| {
            if let Some(line) = lines.people.get_mut(&cursor.member)
                && line.cursor != cursor
            {
                line.cursor = cursor;
                lines.moved.insert(cursor.member);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn name_of(&self, member: u32) -> Option<String> {
        self.lock().people.get(&member).map(|line| line.entry.name.clone())
    }

    /// Everybody who is here.
    pub(crate) fn people(&self) -> HashSet<u32> {
        self.lock().people.keys().copied().collect()
    }

    pub(crate) fn watch(&self) -> Watcher<Tick> {
        self.ticks.watch()
    }

    /// All of it, with some who are not here as well.
    pub(crate) fn whole(&self, also: &[RosterEntry]) -> Whole {
        let lines = self.lock();
        let here = lines.people.values().map(|line| &line.entry);
        let absent = also.iter().filter(|entry| !lines.people.contains_key(&entry.member));
        let entries: Vec<_> = here.chain(absent).collect();
        let shown: Vec<_> = lines.people.values().map(|line| &line.cursor).collect();
        let shown: Vec<_> = shown.into_iter().filter(|cursor| cursor.pointing != Pointing::Away).collect();
        Whole {
            number: lines.tick,
            roster: Frames::roster(true, entries.into_iter()),
            cursors: Frames::cursors(true, shown.into_iter()),
        }
    }

    /// Publishes what changes, until it is cancelled.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what is not published yet stays noted.
    pub(crate) async fn publish(self: Arc<Self>) -> Result<(), ballet::Error> {
        loop {
            self.changed.notified().await;
            if let Some(tick) = self.tick() {
                self.cell.set(tick);
            }
            sleep(TICK).await;
        }
    }

    fn tick(&self) -> Option<Tick> {
        let mut lines = self.lock();
        if lines.changed.is_empty() && lines.moved.is_empty() {
            return None;
        }
        lines.tick += 1;
        let Lines { people, changed, moved, left, tick } = &mut *lines;
        let entries: Vec<_> = changed
            .drain()
            .filter_map(|member| people.get(&member).map(|line| &line.entry).or(left.get(&member)))
            .collect();
        let roster = (!entries.is_empty()).then(|| Frames::roster(false, entries.into_iter()));
        let cursors: Vec<_> =
            moved.drain().filter_map(|member| people.get(&member)).map(|line| &line.cursor).collect();
        let cursors = (!cursors.is_empty()).then(|| Frames::cursors(false, cursors.into_iter()));
        left.clear();
        Some(Tick { number: *tick, roster, cursors })
    }
}
