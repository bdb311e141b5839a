//! Operations, and records: operations with their author and number, as the log and every client have them.

use super::{
    LAYERS, SAYING_BYTES_MAX, SIZE_MAX,
    points::{Point, Points},
    reader::{Malformed, Reader},
    writer::Build,
};
use crate::wire::ALL_LAYERS;

const BEGIN: u8 = 1;
const POINTS: u8 = 2;
const UNDO: u8 = 3;
const REDO: u8 = 4;
const CLEAR: u8 = 5;
const LOCK: u8 = 6;
const SAY: u8 = 7;

/// The flag of an operation that ends its stroke.
pub const ENDS: u8 = 1;

/// What a stroke does to its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Pen,
    Eraser,
}

/// One thing that a member does to the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op<'a> {
    /// A new stroke; its number is that of the operation.
    Begin {
        layer: u8,
        tool: u8,
        colour: [u8; 4],
        size: u16,
        ends: bool,
        points: Points<'a>,
    },
    /// More of a stroke.
    Points {
        stroke: u32,
        ends: bool,
        points: Points<'a>,
    },
    Undo {
        stroke: u32,
    },
    Redo {
        stroke: u32,
    },
    Clear {
        layer: u8,
    },
    Lock {
        layer: u8,
        locked: bool,
    },
    Say {
        text: &'a str,
    },
}

impl<'a> Op<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(match reader.u8()? {
            BEGIN => {
                let (layer, tool) = (reader.u8()?, reader.u8()?);
                let colour = [reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?];
                let (size, ends) = (reader.u16()?, read_flags(reader)?);
                Op::Begin { layer, tool, colour, size, ends, points: Points::read(reader)? }
            }
            POINTS => {
                let (stroke, ends) = (reader.u32()?, read_flags(reader)?);
                Op::Points { stroke, ends, points: Points::read(reader)? }
            }
            UNDO => Op::Undo { stroke: reader.u32()? },
            REDO => Op::Redo { stroke: reader.u32()? },
            CLEAR => Op::Clear { layer: reader.u8()? },
            LOCK => Op::Lock { layer: reader.u8()?, locked: read_bool(reader)? },
            SAY => Op::Say { text: read_saying(reader)? },
            _ => return Err(Malformed("there is no such operation")),
        })
    }

    /// Appends its bytes.
    pub fn put(&self, frame: &mut impl Build) {
        match *self {
            Op::Begin { layer, tool, colour, size, ends, points } => {
                frame.put_slice(&[BEGIN, layer, tool]);
                frame.put_slice(&colour);
                frame.put_u16_le(size);
                frame.put_u8(u8::from(ends));
                put_points(frame, &points);
            }
            Op::Points { stroke, ends, points } => {
                put_stroke(frame, POINTS, stroke);
                frame.put_u8(u8::from(ends));
                put_points(frame, &points);
            }
            Op::Undo { stroke } => put_stroke(frame, UNDO, stroke),
            Op::Redo { stroke } => put_stroke(frame, REDO, stroke),
            Op::Clear { layer } => frame.put_slice(&[CLEAR, layer]),
            Op::Lock { layer, locked } => frame.put_slice(&[LOCK, layer, locked.into()]),
            Op::Say { text } => {
                frame.put_u8(SAY);
                frame.put_text(text);
            }
        }
    }

    /// The points that it carries.
    pub fn points(&self) -> Points<'a> {
        match *self {
            Op::Begin { points, .. } | Op::Points { points, .. } => points,
            _ => Points::NONE,
        }
    }

    /// Whether everything that it names can exist: layer, tool, size, positions.
    pub fn is_in_bounds(&self) -> bool {
        let values = match *self {
            Op::Begin { layer, tool, size, .. } => {
                layer < LAYERS && Tool::from_code(tool).is_some() && (1..=SIZE_MAX).contains(&size)
            }
            Op::Clear { layer } => layer < LAYERS || layer == ALL_LAYERS,
            Op::Lock { layer, .. } => layer < LAYERS,
            _ => true,
        };
        values && self.points().iter().all(Point::is_in_bounds)
    }
}

impl Tool {
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Pen),
            1 => Some(Self::Eraser),
            _ => None,
        }
    }

    pub fn code(self) -> u8 {
        match self {
            Self::Pen => 0,
            Self::Eraser => 1,
        }
    }
}

fn read_flags(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
    match reader.u8()? {
        0 => Ok(false),
        ENDS => Ok(true),
        _ => Err(Malformed("there is no such flag")),
    }
}

pub(super) fn read_bool(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed("a yes or no is neither")),
    }
}

fn read_saying<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Malformed> {
    match reader.text(SAYING_BYTES_MAX)? {
        "" => Err(Malformed("a saying is empty")),
        text => Ok(text),
    }
}

fn put_stroke(frame: &mut impl Build, kind: u8, stroke: u32) {
    frame.put_u8(kind);
    frame.put_u32_le(stroke);
}

fn put_points(frame: &mut impl Build, points: &Points<'_>) {
    let (count, bytes) = points.encoded();
    frame.put_slice(&count);
    frame.put_slice(bytes);
}

/// An operation of a known author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    pub member: u32,
    pub number: u32,
    pub op: Op<'a>,
}

/// Appends the bytes of a record.
pub fn put_record(frame: &mut impl Build, record: &Record<'_>) {
    frame.put_u32_le(record.member);
    frame.put_u32_le(record.number);
    record.op.put(frame);
}

/// The operations of a frame, one after the other; the first that is malformed is the last.
#[derive(Debug, Clone)]
pub struct OpIter<'a> {
    reader: Reader<'a>,
    failed: bool,
}

impl<'a> OpIter<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes), failed: false }
    }
}

impl<'a> Iterator for OpIter<'a> {
    type Item = Result<Op<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.reader.is_empty() {
            return None;
        }
        let op = Op::read(&mut self.reader);
        self.failed = op.is_err();
        Some(op)
    }
}

/// Records, one after the other; the first that is malformed is the last.
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    reader: Reader<'a>,
    failed: bool,
}

impl<'a> RecordIter<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes), failed: false }
    }

    /// The bytes of the records that were not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    fn read(&mut self) -> Result<Record<'a>, Malformed> {
        let (member, number) = (self.reader.u32()?, self.reader.u32()?);
        Ok(Record { member, number, op: Op::read(&mut self.reader)? })
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.reader.is_empty() {
            return None;
        }
        let record = self.read();
        self.failed = record.is_err();
        Some(record)
    }
}
