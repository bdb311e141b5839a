//! OTP's `supervisor.erl` (kernel of Erlang/OTP 27), as far as it decides: who is restarted, in which order children
//! begin and end, when it shuts itself down. A child starts and stops in no time.
//!
//! Ours differs in three points, marked ≠: a child that was terminated by hand is not started with its group; it can be
//! restarted by hand while it lives; and the window is measured exactly, where OTP counts whole seconds.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use ballet::{Restart, Strategy};

use super::{End, Kind, Plan};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Restarted too often, or not started, for this child.
    GaveUp(String, bool),
    Significant(String),
    Stopped,
}

struct Child {
    name: &'static str,
    kind: Kind,
    is_alive: bool,
    was_terminated: bool,
}

pub(crate) struct Otp {
    strategy: Strategy,
    intensity: usize,
    period: Duration,
    all_significant: bool,
    children: Vec<Child>,
    restarts: VecDeque<Duration>,
    spoiled: HashMap<&'static str, u32>,
    now: Duration,
    words: Vec<String>,
    verdict: Option<Verdict>,
}

impl Otp {
    pub(crate) fn new(plan: &Plan, tick: Duration, names: [&'static str; 6]) -> Self {
        let child =
            |(name, kind): (_, &Kind)| Child { name, kind: *kind, is_alive: false, was_terminated: false };
        let mut otp = Self {
            strategy: plan.strategy,
            intensity: plan.intensity as usize,
            period: tick * plan.window,
            all_significant: plan.all_significant,
            children: names.into_iter().zip(&plan.children).map(child).collect(),
            restarts: VecDeque::new(),
            spoiled: HashMap::new(),
            now: Duration::ZERO,
            words: Vec::new(),
            verdict: None,
        };
        for index in 0..otp.children.len() {
            otp.start(index);
        }
        otp
    }

    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.verdict.clone()
    }

    pub(crate) fn words(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words)
    }

    pub(crate) fn children(&self) -> Vec<(String, bool)> {
        self.children.iter().map(|child| (child.name.to_owned(), child.is_alive)).collect()
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    pub(crate) fn spoil(&mut self, name: &'static str, lives: u32) {
        self.spoiled.insert(name, lives);
    }

    /// `handle_info({'EXIT', …})` and `do_restart`.
    pub(crate) fn end(&mut self, name: &str, end: End) {
        let Some(index) = self.find(name).filter(|index| self.children[*index].is_alive) else { return };
        self.exited(index);
        match (self.children[index].kind.restart, end) {
            (Restart::Permanent, _) | (Restart::Transient, End::Fails | End::Panics) => {
                self.restart_by_rule(index);
            }
            (Restart::Transient, End::Returns | End::IsCancelled) | (Restart::Temporary, _) => {
                self.auto_shutdown(index);
            }
        }
    }

    /// `start_child`
    pub(crate) fn add(&mut self, name: &'static str, kind: Kind) {
        if self.find(name).is_some() {
            return;
        }
        self.children.push(Child { name, kind, is_alive: false, was_terminated: false });
        let index = self.children.len() - 1;
        if !self.start(index) {
            self.children.remove(index);
        }
    }

    /// `terminate_child`
    pub(crate) fn terminate(&mut self, name: &str) {
        let Some(index) = self.find(name) else { return };
        self.stop_one(index);
        self.children[index].was_terminated = true;
        if self.children[index].kind.restart == Restart::Temporary {
            self.children.remove(index);
        }
    }

    /// `terminate_child` and `delete_child`
    pub(crate) fn remove(&mut self, name: &str) {
        let Some(index) = self.find(name) else { return };
        self.stop_one(index);
        self.children.remove(index);
    }

    /// `restart_child`, which OTP refuses while it lives ≠
    pub(crate) fn restart(&mut self, name: &str) {
        let Some(index) = self.find(name) else { return };
        self.stop_one(index);
        let has_started = self.start(index);
        self.children[index].was_terminated = !has_started;
    }

    pub(crate) fn stop(&mut self) {
        self.shut_down(Verdict::Stopped);
    }

    /// `restart/2`, until nobody has to be tried again.
    fn restart_by_rule(&mut self, index: usize) {
        let mut index = index;
        loop {
            if !self.add_restart() {
                let name = self.children[index].name.to_owned();
                return self.shut_down(Verdict::GaveUp(name, false));
            }
            match self.restart_by_strategy(index) {
                Ok(()) => return,
                Err(failed) => index = failed,
            }
        }
    }

    /// `add_restart`: those within the period, its edge included.
    fn add_restart(&mut self) -> bool {
        self.restarts.push_front(self.now);
        let threshold = self.now.checked_sub(self.period);
        self.restarts.retain(|at| threshold.is_none_or(|threshold| *at >= threshold));
        self.restarts.len() <= self.intensity
    }

    /// `restart/3`; gives who has to be tried again.
    fn restart_by_strategy(&mut self, index: usize) -> Result<(), usize> {
        let from = match self.strategy {
            Strategy::OneForOne => return self.start(index).then_some(()).ok_or(index),
            Strategy::OneForAll => 0,
            Strategy::RestForOne => index,
        };
        let name = self.children[index].name;
        // `terminate_children`: last first; temporary ones are not restarted, and forgotten.
        for other in (from..self.children.len()).rev() {
            let child = &self.children[other];
            let is_bystander =
                child.name != name && child.kind.restart == Restart::Temporary && child.is_alive;
            self.stop_one(other);
            if is_bystander {
                self.children.remove(other);
            }
        }
        // `start_children`: in order, up to the first that fails. What was terminated by hand stays down ≠
        for other in from..self.children.len() {
            if !self.children[other].was_terminated && !self.start(other) {
                return Err(other);
            }
        }
        Ok(())
    }

    /// `do_auto_shutdown`; a temporary child is forgotten first.
    fn auto_shutdown(&mut self, index: usize) {
        let Kind { restart, is_significant } = self.children[index].kind;
        let name = self.children[index].name.to_owned();
        if restart == Restart::Temporary {
            self.children.remove(index);
        }
        let others = || self.children.iter().any(|child| child.kind.is_significant && child.is_alive);
        if is_significant && !(self.all_significant && others()) {
            self.shut_down(Verdict::Significant(name));
        }
    }

    fn shut_down(&mut self, verdict: Verdict) {
        if self.verdict.is_none() {
            (0..self.children.len()).rev().for_each(|index| self.stop_one(index));
            self.verdict = Some(verdict);
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.children.iter().position(|child| child.name == name)
    }

    /// Whether it became ready.
    fn start(&mut self, index: usize) -> bool {
        let name = self.children[index].name;
        self.words.push(format!("{name} begins"));
        self.children[index].is_alive = true;
        let is_spoiled =
            self.spoiled.get_mut(name).filter(|left| **left > 0).map(|left| *left -= 1).is_some();
        if is_spoiled {
            self.exited(index);
        }
        !is_spoiled
    }

    fn exited(&mut self, index: usize) {
        self.children[index].is_alive = false;
        self.words.push(format!("{} ends", self.children[index].name));
    }

    fn stop_one(&mut self, index: usize) {
        if self.children[index].is_alive {
            self.exited(index);
        }
    }
}
