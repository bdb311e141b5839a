//! What a drawing is: the meaning of the operations, without IO.
//!
//! A [`Canvas`] is what the records of a log, applied in order, come to. [`Canvas::check`] says whether an operation
//! may be the next record; [`Canvas::apply`] makes it so. A live room keeps only how many points a stroke has
//! ([`Tally`]), a picture keeps the points (`Vec<Point>`); the rules are the same. Read `snapshot` for how a canvas
//! becomes records again.

mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use crate::{
    model::{Code, Role},
    wire::{ALL_LAYERS, LAYERS, Op, Point, Points, Record, STROKE_POINTS_MAX, Tool},
};

pub use snapshot::{Part, SYSTEM, parts};

/// So many of the last sayings are kept.
pub const SAYINGS_MAX: usize = 100;

/// What is kept of the points of a stroke.
pub trait Ink: Default {
    fn add(&mut self, points: &Points<'_>);
    fn count(&self) -> u32;
}

/// How many points there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally(u32);

impl Ink for Tally {
    fn add(&mut self, points: &Points<'_>) {
        self.0 += u32::from(points.len());
    }

    fn count(&self) -> u32 {
        self.0
    }
}

impl Ink for Vec<Point> {
    fn add(&mut self, points: &Points<'_>) {
        self.extend(points.iter());
    }

    fn count(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }
}

/// Which stroke: whose, and the number of the operation that began it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StrokeId {
    pub member: u32,
    pub number: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stroke<I> {
    /// Where it lies among the others: the greater, the higher.
    pub place: u64,
    pub layer: u8,
    pub tool: Tool,
    pub colour: [u8; 4],
    pub size: u16,
    pub ended: bool,
    /// Hidden, until it is redone or forgotten.
    pub undone: bool,
    pub ink: I,
}

/// What a member said, by the number of their operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    pub member: u32,
    pub number: u32,
    pub text: String,
}

/// A record that contradicts those before it: the log is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("operation {number} of member {member} contradicts the log: {why}")]
pub struct Contradiction {
    pub member: u32,
    pub number: u32,
    why: &'static str,
}

/// The drawing.
#[derive(Debug, Clone, Default)]
pub struct Canvas<I> {
    strokes: HashMap<StrokeId, Stroke<I>>,
    /// Each member's strokes that can be redone, as they were undone.
    undone: HashMap<u32, Vec<u32>>,
    locked: [bool; LAYERS as usize],
    sayings: VecDeque<Saying>,
    next_place: u64,
}

impl<I: Ink> Canvas<I> {
    /// The canvas after these records.
    ///
    /// # Errors
    ///
    /// When a record contradicts those before it.
    pub fn apply_all<'a>(
        &mut self,
        records: impl IntoIterator<Item = Record<'a>>,
    ) -> Result<(), Contradiction> {
        records.into_iter().try_for_each(|record| self.apply(&record))
    }

    /// Whether a member in this role may do this now.
    ///
    /// # Errors
    ///
    /// With the code that tells them why not.
    pub fn check(&self, member: u32, role: Role, op: &Op<'_>) -> Result<(), Code> {
        if !op.is_in_bounds() {
            return Err(Code::OutOfBounds);
        }
        match *op {
            Op::Say { .. } => Ok(()),
            Op::Clear { .. } | Op::Lock { .. } if role.may_manage() => Ok(()),
            Op::Clear { .. } | Op::Lock { .. } => Err(Code::Forbidden),
            _ if !role.may_draw() => Err(Code::Forbidden),
            Op::Begin { layer, .. } => self.check_layer(layer, role),
            Op::Points { stroke, points, .. } => {
                let stroke = self.own(member, stroke)?;
                self.check_layer(stroke.layer, role)?;
                check_growth(stroke, points)
            }
            Op::Undo { stroke } => self.check_turn(member, stroke, role, false),
            Op::Redo { stroke } => self.check_turn(member, stroke, role, true),
        }
    }

    fn check_layer(&self, layer: u8, role: Role) -> Result<(), Code> {
        let locked = self.locked.get(usize::from(layer)).copied().unwrap_or(true);
        if locked && !role.may_manage() { Err(Code::LayerLocked) } else { Ok(()) }
    }

    fn check_turn(&self, member: u32, stroke: u32, role: Role, undone: bool) -> Result<(), Code> {
        let stroke = self.own(member, stroke)?;
        self.check_layer(stroke.layer, role)?;
        if stroke.undone == undone { Ok(()) } else { Err(Code::NothingToDo) }
    }

    fn own(&self, member: u32, number: u32) -> Result<&Stroke<I>, Code> {
        self.strokes.get(&StrokeId { member, number }).ok_or(Code::StrokeGone)
    }

    /// Makes the record the next one. Whether it was allowed is known already.
    ///
    /// # Errors
    ///
    /// When it speaks of a stroke that is not there.
    pub fn apply(&mut self, record: &Record<'_>) -> Result<(), Contradiction> {
        let &Record { member, number, op } = record;
        match op {
            Op::Begin { layer, tool, colour, size, ends, points } => {
                let tool = Tool::from_code(tool).ok_or_else(|| contradiction(record, "no such tool"))?;
                self.forget_undone(member);
                let mut ink = I::default();
                ink.add(&points);
                let place = self.next_place;
                self.next_place += 1;
                let stroke = Stroke { place, layer, tool, colour, size, ended: ends, undone: false, ink };
                self.strokes.insert(StrokeId { member, number }, stroke);
            }
            Op::Points { stroke, ends, points } => {
                let stroke = self.stroke_of(record, stroke)?;
                stroke.ink.add(&points);
                stroke.ended |= ends;
            }
            Op::Undo { stroke: number } => {
                self.stroke_of(record, number)?.undone = true;
                self.undone.entry(member).or_default().push(number);
            }
            Op::Redo { stroke: number } => {
                self.stroke_of(record, number)?.undone = false;
                if let Some(undone) = self.undone.get_mut(&member) {
                    undone.retain(|&other| other != number);
                }
            }
            Op::Clear { layer } => self.clear(layer),
            Op::Lock { layer, locked } => {
                let of_layer = self.locked.get_mut(usize::from(layer));
                *of_layer.ok_or_else(|| contradiction(record, "no such layer"))? = locked;
            }
            Op::Say { text } => self.say(Saying { member, number, text: text.to_owned() }),
        }
        Ok(())
    }

    fn stroke_of(&mut self, record: &Record<'_>, number: u32) -> Result<&mut Stroke<I>, Contradiction> {
        let id = StrokeId { member: record.member, number };
        self.strokes.get_mut(&id).ok_or_else(|| contradiction(record, "no such stroke"))
    }

    fn forget_undone(&mut self, member: u32) {
        for number in self.undone.remove(&member).unwrap_or_default() {
            self.strokes.remove(&StrokeId { member, number });
        }
    }

    fn clear(&mut self, layer: u8) {
        self.strokes.retain(|_, stroke| layer != ALL_LAYERS && stroke.layer != layer);
        let strokes = &self.strokes;
        self.undone.retain(|&member, undone| {
            undone.retain(|&number| strokes.contains_key(&StrokeId { member, number }));
            !undone.is_empty()
        });
    }

    fn say(&mut self, saying: Saying) {
        if self.sayings.len() == SAYINGS_MAX {
            self.sayings.pop_front();
        }
        self.sayings.push_back(saying);
    }

    /// The strokes that can be seen, the lowest first.
    pub fn in_order(&self) -> Vec<(StrokeId, &Stroke<I>)> {
        let mut strokes: Vec<_> = self.strokes.iter().map(|(&id, stroke)| (id, stroke)).collect();
        strokes.retain(|(_, stroke)| !stroke.undone);
        strokes.sort_unstable_by_key(|(_, stroke)| stroke.place);
        strokes
    }

    /// How many strokes can be seen.
    pub fn visible(&self) -> u64 {
        let undone: usize = self.undone.values().map(Vec::len).sum();
        u64::try_from(self.strokes.len() - undone).unwrap_or(u64::MAX)
    }

    pub fn is_locked(&self, layer: u8) -> bool {
        self.locked.get(usize::from(layer)).copied().unwrap_or(false)
    }

    /// The last of what was said, the oldest first.
    pub fn sayings(&self) -> impl ExactSizeIterator<Item = &Saying> {
        self.sayings.iter()
    }
}

fn check_growth<I: Ink>(stroke: &Stroke<I>, points: Points<'_>) -> Result<(), Code> {
    if stroke.undone {
        Err(Code::StrokeGone)
    } else if stroke.ended {
        Err(Code::StrokeEnded)
    } else if stroke.ink.count() + u32::from(points.len()) > STROKE_POINTS_MAX {
        Err(Code::StrokeTooLong)
    } else {
        Ok(())
    }
}

fn contradiction(record: &Record<'_>, why: &'static str) -> Contradiction {
    Contradiction { member: record.member, number: record.number, why }
}
