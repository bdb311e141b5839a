//! What is compared with what, and what has to be reached.

use bench_report::{Better, Comparison, Goal, Row};
use bench_scope::{Allocator, Case, Flavour, Peer, Scenario, Work};

use crate::Figures;

const WAVES: [usize; 3] = [1, 16, 1_000];
const ALL_AT_ONCE: usize = 100_000;
const FLAVOURS: [Flavour; 2] = [Flavour::TwoWorkers, Flavour::CurrentThread];

/// Those who run children in parallel.
const PARALLEL: [Peer; 4] = [Peer::Spawn, Peer::JoinSet, Peer::Tracker, Peer::Executor];
/// Those who run children inside one task.
const IN_TASK: [Peer; 2] = [Peer::Unordered, Peer::Buffered];
const OURS: [Peer; 6] =
    [Peer::Scope, Peer::Awaited, Peer::InJob, Peer::AwaitedInJob, Peer::OnTokio, Peer::Local];

/// One scenario on one flavour, measured by everybody in turn.
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) flavour: Flavour,
}

/// Everything, in the order in which it is shown.
pub(crate) fn all() -> impl Iterator<Item = Plan> {
    FLAVOURS.into_iter().flat_map(|flavour| scenarios().map(move |scenario| Plan { scenario, flavour }))
}

fn scenarios() -> impl Iterator<Item = Scenario> {
    let waves = |work| WAVES.map(|wave| Scenario::SpawnAndJoin { wave, work });
    let at_once = |work| Scenario::SpawnAndJoin { wave: ALL_AT_ONCE, work };
    // Nobody waits for 100 000 children that work: they cost what 1 000 of them cost, 100 times.
    waves(Work::Nothing)
        .into_iter()
        .chain([at_once(Work::Nothing)])
        .chain(waves(Work::YieldOnce))
        .chain([at_once(Work::YieldOnce)])
        .chain(waves(Work::Micros(1)))
        .chain(waves(Work::Micros(10)))
        .chain([Scenario::Yield, Scenario::TokioYield, Scenario::Switch, Scenario::CancelAndJoin])
        .chain([Scenario::Timers, Scenario::Idle])
}

impl Plan {
    pub(crate) fn name(&self, allocator: Allocator) -> String {
        let Plan { scenario, flavour } = self;
        match allocator {
            Allocator::Counting => format!("{scenario}, {flavour}"),
            _ => format!("{scenario}, {allocator}, {flavour}"),
        }
    }

    pub(crate) fn allocators(&self) -> &'static [Allocator] {
        match self.scenario {
            Scenario::Idle => &[Allocator::Counting],
            _ => &[Allocator::System, Allocator::Mimalloc],
        }
    }

    pub(crate) fn case(&self, peer: Peer) -> Case {
        Case { scenario: self.scenario, flavour: self.flavour, peer }
    }

    /// Who takes part: awaiting differs from the scope's end only where there are results, where a scope is opened only
    /// where it is the scope that is measured, and what a Tokio task costs more as a child shows where it does nothing.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        let takes_part = |peer: &Peer| match (peer, self.scenario) {
            (Peer::Awaited | Peer::AwaitedInJob, scenario) => {
                matches!(scenario, Scenario::SpawnAndJoin { .. })
            }
            (Peer::InJob, scenario) => {
                matches!(scenario, Scenario::SpawnAndJoin { .. } | Scenario::CancelAndJoin)
            }
            (Peer::OnTokio, Scenario::SpawnAndJoin { work, .. }) => work == Work::Nothing,
            (Peer::OnTokio, scenario) => scenario == Scenario::Idle,
            _ => true,
        };
        OURS.into_iter().filter(takes_part).chain(PARALLEL).chain(IN_TASK).collect()
    }

    /// Ours against each peer of its kind: the forms of a scope against those who run in parallel, the local scope
    /// against those in one task. Last, where a goal asks for it, the scope against the best of all.
    pub(crate) fn rows(&self, allocator: Allocator, figures: &Figures) -> Vec<Row> {
        let name = self.name(allocator);
        let figure = |peer| figures[&(allocator, peer)];
        let row = |label: &str, ours: Peer, peer: Peer, goal| {
            let (unit, peer_name) = (self.scenario.unit(), peer.to_string());
            let name = format!("{name}: {label}");
            Comparison { name, unit, better: Better::Lower, peer_name, goal }.row(figure(ours), figure(peer))
        };
        let mut rows: Vec<_> = self
            .pairs()
            .into_iter()
            .map(|(ours, peer)| row(&ours.to_string(), ours, peer, self.goal(ours, peer)))
            .collect();
        if let Some(goal) = self.goal_against_the_best() {
            let peers = PARALLEL.into_iter().chain(IN_TASK);
            let best = peers.min_by(|one, other| figure(*one).total_cmp(&figure(*other)));
            rows.extend(best.map(|best| row("scope, against the best", Peer::Scope, best, Some(goal))));
        }
        rows
    }

    fn pairs(&self) -> Vec<(Peer, Peer)> {
        let ours = self.peers().into_iter().filter(|peer| OURS.contains(peer));
        let kind = |ours| if ours == Peer::Local { &IN_TASK[..] } else { &PARALLEL[..] };
        ours.flat_map(|ours| kind(ours).iter().map(move |peer| (ours, *peer))).collect()
    }

    /// What ours has to reach against one peer.
    fn goal(&self, ours: Peer, peer: Peer) -> Option<Goal> {
        match (self.scenario, ours, peer) {
            (Scenario::SpawnAndJoin { work: Work::Nothing, .. }, ours, peer) => bare_child_goal(ours, peer),
            (Scenario::CancelAndJoin, Peer::Scope | Peer::InJob, Peer::JoinSet) => Some(Goal::Ratio(3.0)),
            (Scenario::Idle, Peer::Scope, Peer::Spawn) => Some(Goal::AtMost(128.0)),
            _ => None,
        }
    }

    /// Children long enough that they should not feel who runs them; a wave of one shows only how it is handed over.
    fn goal_against_the_best(&self) -> Option<Goal> {
        match self.scenario {
            Scenario::SpawnAndJoin { wave: 2.., work: Work::Micros(10) } => Some(Goal::Ratio(0.97)),
            _ => None,
        }
    }
}

/// What has to be reached where children do nothing, so that only the cost of a child is left.
fn bare_child_goal(ours: Peer, peer: Peer) -> Option<Goal> {
    let is_scope = matches!(ours, Peer::Scope | Peer::Awaited | Peer::InJob | Peer::AwaitedInJob);
    match (ours, peer) {
        (_, Peer::Spawn) if is_scope => Some(Goal::Ratio(5.0)),
        (_, Peer::JoinSet) if is_scope => Some(Goal::Ratio(8.0)),
        // At most 1.15 times the cost.
        (Peer::OnTokio, Peer::Spawn) => Some(Goal::Ratio(0.87)),
        (Peer::Local, Peer::Buffered) => Some(Goal::Ratio(1.0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of all plans, where everybody took the same.
    fn rows() -> Vec<Row> {
        let mut rows = Vec::new();
        for plan in all() {
            for allocator in plan.allocators() {
                let figures = plan.peers().into_iter().map(|peer| ((*allocator, peer), 100.0)).collect();
                rows.extend(plan.rows(*allocator, &figures));
            }
        }
        rows
    }

    #[test]
    fn no_two_rows_compare_the_same() {
        let mut names: Vec<_> = rows().into_iter().map(|row| (row.name, row.peer_name)).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn who_is_as_good_as_the_best_misses_only_what_asks_for_more() {
        let missed: Vec<_> = rows().into_iter().filter(|row| !row.ok).filter_map(|row| row.goal).collect();
        assert!(missed.iter().any(|goal| goal == "ratio >= 3"), "{missed:?}");
        assert!(
            missed.iter().all(|goal| ["ratio >= 3", "ratio >= 5", "ratio >= 8"].contains(&goal.as_str())),
            "{missed:?}"
        );
    }
}
