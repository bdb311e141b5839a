//! Whether a lane that has run out of work stays up for a moment.
//!
//! To wake a worker takes some tens of microseconds, in which the work waits. Where much work comes, ends, and comes
//! again right after, a lane had better look for it itself. So after a stretch of work that was worth a wake, and came
//! soon after the one before, a lane lies down as always but has its worker come back to it for a little while. That
//! costs little more than the work did: a lane with little to do, or whose work comes at longer intervals, never stays up.
//!
//! Nor does one where a call from outside has come to any lane of the crew since its last stretch ended: from Tokio's
//! drivers, most often. What comes next will be called out as well, and a worker that asks the drivers without a pause
//! takes the time of those who would call. All times are as of the last look at the clock.

use std::time::Duration;

use super::clock::Moment;
use super::lane::Round;

/// A stretch of work shorter than this was not worth a wake.
const WORTH_A_WAKE: Duration = Duration::from_micros(40);

/// The longest vigil, and the longest rest after which one would have paid.
const VIGIL_MAX: Duration = Duration::from_micros(50);

/// The vigils of one lane.
#[derive(Default)]
pub(super) struct Vigil {
    /// The stretch of work that the lane is in, if it has any.
    stretch: Option<Stretch>,
    /// When it last ran out of work.
    idle_since: Option<Moment>,
    /// The calls from outside until then, to whatever lane.
    calls: u64,
    /// The last stretch was such that another is expected soon.
    pays: bool,
}

#[derive(Clone, Copy)]
struct Stretch {
    start: Moment,
    came_soon: bool,
}

impl Vigil {
    /// Takes note of a round, after which the lane has more to do or not, and of how many calls there were by then.
    pub(super) fn note(&mut self, round: &Round, has_more: bool, calls: u64) {
        if round.polls == 0 {
            return;
        }
        let start = round.start;
        let came_soon = self.idle_since.is_some_and(|since| start.since(since) <= VIGIL_MAX);
        let stretch = *self.stretch.get_or_insert(Stretch { start, came_soon });
        if !has_more {
            self.stretch = None;
            self.idle_since = Some(round.looked);
            let was_called = std::mem::replace(&mut self.calls, calls) != calls;
            let was_worth_it = round.looked.since(stretch.start) > WORTH_A_WAKE;
            self.pays = stretch.came_soon && was_worth_it && !was_called;
        }
    }

    /// Whether a lane without work is still up at this time.
    pub(super) fn lasts(&mut self, now: Moment) -> bool {
        self.pays &= self.idle_since.is_some_and(|since| now.since(since) <= VIGIL_MAX);
        self.pays
    }
}

#[cfg(all(test, not(ballet_loom)))]
mod tests {
    use super::*;

    /// Works from `start` to `end`, in microseconds, and has nothing to do then.
    fn work(vigil: &mut Vigil, start: i64, end: i64) {
        vigil.note(&Round::of(Moment::at_micros(start), Moment::at_micros(end)), false, 0);
    }

    fn lasts(vigil: &mut Vigil, micros: i64) -> bool {
        vigil.lasts(Moment::at_micros(micros))
    }

    #[test]
    fn a_lane_stays_up_after_much_work_that_came_soon() {
        let mut vigil = Vigil::default();
        work(&mut vigil, 1_000, 1_100);
        assert!(!lasts(&mut vigil, 1_100), "nobody knows yet that more comes soon");
        work(&mut vigil, 1_130, 1_200);
        assert!(lasts(&mut vigil, 1_201));
        assert!(lasts(&mut vigil, 1_250));
        work(&mut vigil, 1_250, 1_300);
        assert!(lasts(&mut vigil, 1_301), "it found work");
        assert!(!lasts(&mut vigil, 1_351), "it has been long enough");
        assert!(!lasts(&mut vigil, 1_352));
    }

    #[test]
    fn a_lane_goes_to_sleep_where_there_is_little_to_do() {
        let mut vigil = Vigil::default();
        for stretch in 0..10 {
            work(&mut vigil, stretch * 60, stretch * 60 + 30);
            assert!(!lasts(&mut vigil, stretch * 60 + 30), "the work was not worth a wake");
        }
        for stretch in 10..20 {
            work(&mut vigil, stretch * 1_000, stretch * 1_000 + 900);
            assert!(!lasts(&mut vigil, stretch * 1_000 + 900), "the work came late");
        }
    }

    #[test]
    fn a_lane_goes_to_sleep_where_work_is_called_out() {
        let mut vigil = Vigil::default();
        work(&mut vigil, 0, 100);
        vigil.note(&Round::of(Moment::at_micros(110), Moment::at_micros(200)), false, 1);
        assert!(!lasts(&mut vigil, 201), "the next will be called out too");
        vigil.note(&Round::of(Moment::at_micros(210), Moment::at_micros(300)), false, 1);
        assert!(lasts(&mut vigil, 301), "nobody called this time");
    }

    #[test]
    fn a_stretch_of_several_rounds_is_one() {
        let mut vigil = Vigil::default();
        work(&mut vigil, 0, 100);
        vigil.note(&Round::of(Moment::at_micros(120), Moment::at_micros(150)), true, 0);
        work(&mut vigil, 155, 170);
        assert!(lasts(&mut vigil, 171));
    }
}
