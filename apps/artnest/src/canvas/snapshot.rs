//! A canvas as the shortest log that leads to it, in parts that can be read one by one.

use super::{Canvas, Stroke, StrokeId};
use crate::wire::{Op, Point, PointsWriter, RECORDS_BYTES_MAX, Record, put_record};

/// The author of records that are nobody's: locks.
pub const SYSTEM: u32 = 0;

/// Some of the records of a snapshot.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub records: u32,
    pub bytes: Vec<u8>,
}

/// Records that lead to this canvas, and as little more as can be: strokes in their order, what is undone, locks,
/// sayings.
pub fn parts(canvas: &Canvas<Vec<Point>>) -> Vec<Part> {
    let mut parts = Parts::default();
    let mut strokes: Vec<_> = canvas.strokes.iter().collect();
    strokes.sort_unstable_by_key(|(_, stroke)| stroke.place);
    for (&id, stroke) in strokes {
        parts.put_stroke(id, stroke);
    }
    let mut undone: Vec<_> = canvas.undone.iter().collect();
    undone.sort_unstable();
    for (&member, numbers) in undone {
        for &stroke in numbers {
            parts.put(&Record { member, number: 0, op: Op::Undo { stroke } });
        }
    }
    for (layer, &locked) in (0..).zip(&canvas.locked) {
        if locked {
            parts.put(&Record { member: SYSTEM, number: 0, op: Op::Lock { layer, locked } });
        }
    }
    for saying in &canvas.sayings {
        let op = Op::Say { text: &saying.text };
        parts.put(&Record { member: saying.member, number: saying.number, op });
    }
    parts.0
}

#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn put_stroke(&mut self, id: StrokeId, stroke: &Stroke<Vec<Point>>) {
        let &Stroke { layer, tool, colour, size, ended, .. } = stroke;
        let mut rest = stroke.ink.iter().copied().peekable();
        let mut next = || {
            let mut writer = PointsWriter::default();
            while rest.next_if(|&point| writer.push(point)).is_some() {}
            (writer, ended && rest.peek().is_none(), rest.peek().is_some())
        };
        let (first, ends, mut more) = next();
        let begin = Op::Begin { layer, tool: tool.code(), colour, size, ends, points: first.points() };
        self.put(&Record { member: id.member, number: id.number, op: begin });
        while more {
            let (writer, ends);
            (writer, ends, more) = next();
            let op = Op::Points { stroke: id.number, ends, points: writer.points() };
            self.put(&Record { member: id.member, number: 0, op });
        }
    }

    fn put(&mut self, record: &Record<'_>) {
        let mut bytes = Vec::with_capacity(64);
        put_record(&mut bytes, record);
        let full = self.0.last().is_none_or(|part| part.bytes.len() + bytes.len() > RECORDS_BYTES_MAX);
        if full {
            self.0.push(Part::default());
        }
        if let Some(part) = self.0.last_mut() {
            part.records += 1;
            part.bytes.extend_from_slice(&bytes);
        }
    }
}
