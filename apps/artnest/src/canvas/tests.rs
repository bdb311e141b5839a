//! The rules of a drawing, and that a snapshot leads to the same one.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::wire::{PointsWriter, RecordIter};

const ADA: u32 = 1;
const GRACE: u32 = 2;

/// A canvas that is told what somebody does, and takes what it allows.
#[derive(Default)]
struct Room<I> {
    canvas: Canvas<I>,
    numbers: HashMap<u32, u32>,
}

impl<I: Ink> Room<I> {
    fn tries(&mut self, member: u32, role: Role, op: Op<'_>) -> Result<u32, Code> {
        let number = self.numbers.entry(member).or_default();
        *number += 1;
        self.canvas.check(member, role, &op)?;
        self.canvas.apply(&Record { member, number: *number, op }).expect("what was checked can be applied");
        Ok(*number)
    }

    fn draws(&mut self, member: u32, layer: u8) -> u32 {
        let op = begin(layer, Points::NONE);
        self.tries(member, Role::Artist, op).expect("an artist may draw")
    }
}

fn begin(layer: u8, points: Points<'_>) -> Op<'_> {
    Op::Begin { layer, tool: 0, colour: [0, 0, 0, 255], size: 64, ends: false, points }
}

fn seen<I: Ink>(room: &Room<I>) -> Vec<(u32, u32)> {
    room.canvas.in_order().into_iter().map(|(id, _)| (id.member, id.number)).collect()
}

#[test]
fn a_stroke_with_no_point_or_one_is_a_stroke() {
    let mut room = Room::<Tally>::default();
    let none = room.draws(ADA, 0);
    let dot = PointsWriter::from_iter([Point { x: 0, y: 0, pressure: 0 }]);
    room.tries(ADA, Role::Artist, begin(0, dot.points())).unwrap();
    assert_eq!(room.canvas.visible(), 2);
    room.tries(ADA, Role::Artist, Op::Points { stroke: none, ends: true, points: Points::NONE }).unwrap();
    let more = Op::Points { stroke: none, ends: false, points: dot.points() };
    assert_eq!(room.tries(ADA, Role::Artist, more), Err(Code::StrokeEnded));
}

#[test]
fn undo_and_redo_are_for_ones_own_strokes_and_keep_their_place() {
    let mut room = Room::<Tally>::default();
    let (mine, theirs) = (room.draws(ADA, 0), room.draws(GRACE, 0));
    assert_eq!(room.tries(GRACE, Role::Owner, Op::Undo { stroke: mine + 7 }), Err(Code::StrokeGone));
    room.tries(ADA, Role::Artist, Op::Undo { stroke: mine }).unwrap();
    assert_eq!(seen(&room), [(GRACE, theirs)]);
    assert_eq!(room.tries(ADA, Role::Artist, Op::Undo { stroke: mine }), Err(Code::NothingToDo));
    room.tries(ADA, Role::Artist, Op::Redo { stroke: mine }).unwrap();
    assert_eq!(seen(&room), [(ADA, mine), (GRACE, theirs)]);
    assert_eq!(room.tries(ADA, Role::Artist, Op::Redo { stroke: mine }), Err(Code::NothingToDo));
}

#[test]
fn a_new_stroke_forgets_what_its_author_has_undone_and_nobody_else() {
    let mut room = Room::<Tally>::default();
    let (mine, theirs) = (room.draws(ADA, 0), room.draws(GRACE, 0));
    room.tries(ADA, Role::Artist, Op::Undo { stroke: mine }).unwrap();
    room.tries(GRACE, Role::Artist, Op::Undo { stroke: theirs }).unwrap();
    room.draws(ADA, 0);
    assert_eq!(room.tries(ADA, Role::Artist, Op::Redo { stroke: mine }), Err(Code::StrokeGone));
    room.tries(GRACE, Role::Artist, Op::Redo { stroke: theirs }).unwrap();
    assert_eq!(room.canvas.visible(), 2);
}

#[test]
fn a_clear_takes_its_layer_and_what_was_still_being_drawn() {
    let mut room = Room::<Tally>::default();
    let (low, high) = (room.draws(ADA, 0), room.draws(ADA, 2));
    let undone = room.draws(GRACE, 0);
    room.tries(GRACE, Role::Artist, Op::Undo { stroke: undone }).unwrap();
    assert_eq!(room.tries(ADA, Role::Artist, Op::Clear { layer: 0 }), Err(Code::Forbidden));
    room.tries(ADA, Role::Owner, Op::Clear { layer: 0 }).unwrap();
    assert_eq!(seen(&room), [(ADA, high)]);
    assert_eq!(room.canvas.visible(), 1);
    let more = Op::Points { stroke: low, ends: false, points: Points::NONE };
    assert_eq!(room.tries(ADA, Role::Artist, more), Err(Code::StrokeGone));
    assert_eq!(room.tries(GRACE, Role::Artist, Op::Redo { stroke: undone }), Err(Code::StrokeGone));
    room.tries(ADA, Role::Owner, Op::Clear { layer: ALL_LAYERS }).unwrap();
    assert_eq!(room.canvas.visible(), 0);
}

#[test]
fn a_locked_layer_is_for_owners() {
    let mut room = Room::<Tally>::default();
    let stroke = room.draws(ADA, 1);
    room.tries(GRACE, Role::Owner, Op::Lock { layer: 1, locked: true }).unwrap();
    let more = Op::Points { stroke, ends: false, points: Points::NONE };
    for op in [begin(1, Points::NONE), more, Op::Undo { stroke }] {
        assert_eq!(room.tries(ADA, Role::Artist, op), Err(Code::LayerLocked), "{op:?}");
    }
    room.draws(ADA, 0);
    room.tries(GRACE, Role::Owner, begin(1, Points::NONE)).unwrap();
    room.tries(GRACE, Role::Owner, Op::Lock { layer: 1, locked: false }).unwrap();
    room.tries(ADA, Role::Artist, more).unwrap();
}

#[test]
fn what_cannot_exist_is_out_of_bounds() {
    let far = PointsWriter::from_iter([Point { x: 0, y: crate::wire::POSITION_MAX + 1, pressure: 0 }]);
    let ops = [
        Op::Begin { layer: LAYERS, tool: 0, colour: [0; 4], size: 1, ends: false, points: Points::NONE },
        Op::Begin { layer: 0, tool: 2, colour: [0; 4], size: 1, ends: false, points: Points::NONE },
        Op::Begin { layer: 0, tool: 0, colour: [0; 4], size: 0, ends: false, points: Points::NONE },
        Op::Begin { layer: 0, tool: 0, colour: [0; 4], size: u16::MAX, ends: false, points: Points::NONE },
        begin(0, far.points()),
        Op::Clear { layer: LAYERS },
        Op::Lock { layer: ALL_LAYERS, locked: true },
    ];
    for op in ops {
        let canvas = Canvas::<Tally>::default();
        assert_eq!(canvas.check(ADA, Role::Owner, &op), Err(Code::OutOfBounds), "{op:?}");
    }
}

#[test]
fn a_stroke_has_at_most_so_many_points() {
    let mut room = Room::<Tally>::default();
    let stroke = room.draws(ADA, 0);
    let many = PointsWriter::from_iter((0..1_000).map(|x| Point { x, y: 0, pressure: 255 }));
    let more = Op::Points { stroke, ends: false, points: many.points() };
    for _ in 0..STROKE_POINTS_MAX / 1_000 {
        room.tries(ADA, Role::Artist, more).unwrap();
    }
    assert_eq!(room.tries(ADA, Role::Artist, more), Err(Code::StrokeTooLong));
}

/// Something that somebody tries; most of it is allowed at some time. Who, what, on which layer, to which stroke, and
/// with which points.
type Attempt = (u32, u8, u8, u32, Vec<(i32, i32)>);

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let points = vec((-40_000..40_000_i32, -40_000..40_000_i32), 0..5);
    vec((1..4_u32, 0..8_u8, 0..4_u8, 1..30_u32, points), 0..200)
}

proptest! {
    #[test]
    fn a_snapshot_leads_to_the_same_drawing(attempts in attempts()) {
        let mut room = Room::<Vec<Point>>::default();
        let mut index = Canvas::<Tally>::default();
        for (member, kind, layer, stroke, points) in attempts {
            let role = if member == 1 { Role::Owner } else { Role::Artist };
            let points = PointsWriter::from_iter(points.iter().map(|&(x, y)| Point { x, y, pressure: 9 }));
            let op = match kind {
                0..=2 => Op::Begin { layer, tool: 1, colour: [1, 2, 3, 4], size: 5, ends: false, points: points.points() },
                3..=4 => Op::Points { stroke, ends: layer == 0, points: points.points() },
                5 => Op::Undo { stroke },
                6 => Op::Redo { stroke },
                _ if layer == 3 => Op::Clear { layer: (stroke % 3).try_into().unwrap() },
                _ if layer == 2 => Op::Lock { layer: (stroke % 3).try_into().unwrap(), locked: stroke > 15 },
                _ => Op::Say { text: "hello" },
            };
            if let Ok(number) = room.tries(member, role, op) {
                index.apply(&Record { member, number, op }).unwrap();
            }
        }
        let mut copy = Canvas::<Vec<Point>>::default();
        for part in parts(&room.canvas) {
            prop_assert!(part.bytes.len() <= crate::wire::RECORDS_BYTES_MAX);
            let records: Result<Vec<_>, _> = RecordIter::new(&part.bytes).collect();
            let records = records.unwrap();
            prop_assert_eq!(records.len(), part.records as usize);
            copy.apply_all(records).unwrap();
        }
        let look = |canvas: &Canvas<Vec<Point>>| -> Vec<_> {
            let strokes = canvas.in_order().into_iter();
            strokes.map(|(id, stroke)| (id, Stroke { place: 0, ..stroke.clone() })).collect()
        };
        prop_assert_eq!(look(&copy), look(&room.canvas));
        prop_assert_eq!(&copy.undone.into_iter().filter(|(_, numbers)| !numbers.is_empty()).collect::<HashMap<_, _>>(),
            &room.canvas.undone.clone().into_iter().filter(|(_, numbers)| !numbers.is_empty()).collect());
        prop_assert_eq!(copy.locked, room.canvas.locked);
        prop_assert_eq!(copy.sayings, room.canvas.sayings.clone());
        prop_assert_eq!(index.visible(), room.canvas.visible());
    }
}
