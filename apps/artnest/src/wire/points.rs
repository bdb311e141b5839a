//! Points of a stroke: the first as it is, each other relative to the one before.

use super::{
    POINTS_MAX, POSITION_MAX,
    reader::{Malformed, Reader},
};

/// The position and the pressure of the first point.
const FIRST_BYTES: usize = 9;
/// Those of every other.
const OTHER_BYTES: usize = 5;

/// One point: a position in sixteenths of a unit, and how hard the pen was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub x: i32,
    pub y: i32,
    pub pressure: u8,
}

impl Point {
    /// Whether it is within the bounds of what can be drawn on.
    pub fn is_in_bounds(self) -> bool {
        let bounds = -POSITION_MAX..=POSITION_MAX;
        bounds.contains(&self.x) && bounds.contains(&self.y)
    }
}

/// Points as they stand in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Points<'a> {
    count: u16,
    bytes: &'a [u8],
}

impl<'a> Points<'a> {
    pub const NONE: Points<'static> = Points { count: 0, bytes: &[] };

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let count = reader.u16()?;
        if count > POINTS_MAX {
            return Err(Malformed("an operation has too many points"));
        }
        let bytes = reader.bytes(length(count))?;
        Ok(Self { count, bytes })
    }

    pub fn len(&self) -> u16 {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The points one by one. Positions wrap around where the bytes lead beyond 32 bits; no such point is
    /// [in bounds](Point::is_in_bounds) on the way there.
    pub fn iter(&self) -> impl Iterator<Item = Point> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        let mut last: Option<Point> = None;
        std::iter::from_fn(move || {
            let point = match last {
                None => first(&mut reader).ok()?,
                Some(last) => next(&mut reader, last).ok()?,
            };
            last = Some(point);
            Some(point)
        })
    }

    /// Their bytes, with the count before them.
    pub(super) fn encoded(&self) -> ([u8; 2], &'a [u8]) {
        (self.count.to_le_bytes(), self.bytes)
    }
}

fn length(count: u16) -> usize {
    match usize::from(count) {
        0 => 0,
        count => FIRST_BYTES + OTHER_BYTES * (count - 1),
    }
}

fn first(reader: &mut Reader<'_>) -> Result<Point, Malformed> {
    Ok(Point { x: reader.i32()?, y: reader.i32()?, pressure: reader.u8()? })
}

fn next(reader: &mut Reader<'_>, last: Point) -> Result<Point, Malformed> {
    let (dx, dy) = (reader.i16()?, reader.i16()?);
    let (x, y) = (last.x.wrapping_add(dx.into()), last.y.wrapping_add(dy.into()));
    Ok(Point { x, y, pressure: reader.u8()? })
}

/// Puts points into the fewest operations that can carry them.
#[derive(Debug, Default)]
pub struct PointsWriter {
    count: u16,
    bytes: Vec<u8>,
    last: Option<Point>,
}

impl PointsWriter {
    /// Whether the point was taken. It is not where the operation is full, or where it is too far from the one before.
    pub fn push(&mut self, point: Point) -> bool {
        if self.count == POINTS_MAX {
            return false;
        }
        match self.last {
            None => {
                self.bytes.extend_from_slice(&point.x.to_le_bytes());
                self.bytes.extend_from_slice(&point.y.to_le_bytes());
            }
            Some(last) => {
                let step =
                    |from: i32, to: i32| to.checked_sub(from).and_then(|step| i16::try_from(step).ok());
                let (Some(dx), Some(dy)) = (step(last.x, point.x), step(last.y, point.y)) else {
                    return false;
                };
                self.bytes.extend_from_slice(&dx.to_le_bytes());
                self.bytes.extend_from_slice(&dy.to_le_bytes());
            }
        }
        self.bytes.push(point.pressure);
        self.count += 1;
        self.last = Some(point);
        true
    }

    pub fn points(&self) -> Points<'_> {
        Points { count: self.count, bytes: &self.bytes }
    }
}

impl FromIterator<Point> for PointsWriter {
    /// Those that one operation can carry.
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        let mut writer = Self::default();
        for point in points {
            if !writer.push(point) {
                break;
            }
        }
        writer
    }
}
