//! The row every benchmark reports: ours against one peer, measured in the same run.
//!
//! A benchmark is a program of its own that prints its rows to standard output as one JSON array, so that
//! xtask can show any of them without importing what they measure. Progress goes to standard error. Where what is
//! measured are programs of their own, `contestant` keeps them ready, so that they can take turns.

mod contestant;
mod cores;

pub use contestant::Contestant;
pub use cores::a_core_for_each_thread;

use std::fmt;

use serde::{Deserialize, Serialize};

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was done, as a person would say it.
    pub name: String,
    /// The unit of `ours` and `peer`.
    pub unit: String,
    /// What our side took or reached.
    pub ours: f64,
    /// What the peer took or reached in the same run.
    pub peer: f64,
    /// Who the peer is.
    pub peer_name: String,
    /// How many times better ours is: above 1 is better for costs and rates alike.
    pub ratio: f64,
    /// What is to be reached, such as `ratio >= 5`; absent where the row only informs.
    pub goal: Option<String>,
    /// Whether the goal is reached; a row without a goal is always ok.
    pub ok: bool,
}

/// Which direction is better for a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// A cost, such as nanoseconds or bytes.
    Lower,
    /// A rate, such as mails per second.
    Higher,
}

/// What a row has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// At least this many times better than the peer.
    Ratio(f64),
    /// At least this much of the unit, whatever the peer does.
    AtLeast(f64),
    /// At most this much of the unit, whatever the peer does.
    AtMost(f64),
}

impl Goal {
    fn is_met(self, ours: f64, ratio: f64) -> bool {
        match self {
            Goal::Ratio(least) => ratio >= least,
            Goal::AtLeast(least) => ours >= least,
            Goal::AtMost(most) => ours <= most,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::Ratio(least) => write!(formatter, "ratio >= {least}"),
            Goal::AtLeast(least) => write!(formatter, "ours >= {least}"),
            Goal::AtMost(most) => write!(formatter, "ours <= {most}"),
        }
    }
}

/// What is compared: the words of a row, before its figures.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was done, as a person would say it.
    pub name: String,
    /// The unit of both figures.
    pub unit: &'static str,
    /// Which direction is better.
    pub better: Better,
    /// Who the peer is.
    pub peer_name: String,
    /// What is to be reached, if anything.
    pub goal: Option<Goal>,
}

impl Comparison {
    /// The row of this comparison with its two figures.
    #[must_use]
    pub fn row(self, ours: f64, peer: f64) -> Row {
        let ratio = match self.better {
            Better::Lower => peer / ours,
            Better::Higher => ours / peer,
        };
        Row {
            name: self.name,
            unit: self.unit.to_owned(),
            ours,
            peer,
            peer_name: self.peer_name,
            ratio,
            goal: self.goal.map(|goal| goal.to_string()),
            ok: self.goal.is_none_or(|goal| goal.is_met(ours, ratio)),
        }
    }
}

/// Prints the rows where xtask reads them.
///
/// # Errors
///
/// When standard output cannot be written, or a figure is not a finite number.
pub fn print(rows: &[Row]) -> serde_json::Result<()> {
    serde_json::to_writer_pretty(std::io::stdout().lock(), rows)
}

/// The middle of the figures; of an even number of them, the upper of the two in the middle.
///
/// # Panics
///
/// When there are no figures.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(better: Better, goal: Goal) -> Comparison {
        Comparison { name: "spawn".into(), unit: "ns", better, peer_name: "peer".into(), goal: Some(goal) }
    }

    #[test]
    fn above_one_is_better_for_costs_and_rates() {
        assert_eq!(comparison(Better::Lower, Goal::Ratio(5.0)).row(100.0, 500.0).ratio, 5.0);
        assert_eq!(comparison(Better::Higher, Goal::Ratio(5.0)).row(500.0, 100.0).ratio, 5.0);
    }

    #[test]
    fn a_goal_is_met_or_missed() {
        assert!(comparison(Better::Lower, Goal::Ratio(5.0)).row(100.0, 500.0).ok);
        assert!(!comparison(Better::Lower, Goal::Ratio(5.0)).row(101.0, 500.0).ok);
        assert!(comparison(Better::Higher, Goal::AtLeast(8_000.0)).row(8_000.0, 1.0).ok);
        assert!(!comparison(Better::Higher, Goal::AtLeast(8_000.0)).row(7_999.0, 1.0).ok);
        assert!(!comparison(Better::Lower, Goal::AtMost(128.0)).row(129.0, 500.0).ok);
    }

    #[test]
    fn a_row_survives_json() {
        let row = comparison(Better::Lower, Goal::Ratio(5.0)).row(100.0, 500.0);
        let text = serde_json::to_string(&row).unwrap();
        assert!(text.contains(r#""goal":"ratio >= 5""#), "{text}");
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
    }

    #[test]
    fn the_median_ignores_outliers() {
        assert_eq!(median(vec![9.0, 1.0, 3.0, 1_000.0, 2.0]), 3.0);
    }
}
