//! Pictures of a drawing: from points to ink, as `PROTOCOL.md` has it, to pixels and to vectors.
//!
//! The page draws the same by the same formula. No IO; what takes long runs where its caller puts it. Read this for the
//! discs along a stroke, then `raster` and `svg`.

mod outline;
mod raster;
mod svg;

pub use raster::{NoPicture, PIXELS_MAX, png};
pub use svg::svg;

use crate::wire::{Point, STEPS_PER_UNIT};

/// The share of the full width that a pen without any pressure still has.
const WIDTH_MIN: f64 = 0.15;
/// No curve between two points is cut finer than this.
const STEPS_MAX: f64 = 16.0;

/// A picture's size in units of the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sheet {
    pub width: u16,
    pub height: u16,
}

/// A place on a stroke, in units of the sheet.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Disc {
    x: f64,
    y: f64,
    r: f64,
}

impl Disc {
    fn of(point: Point, size: u16) -> Self {
        let steps = f64::from(STEPS_PER_UNIT);
        let pressure = f64::from(point.pressure) / 255.0;
        Self {
            x: f64::from(point.x) / steps,
            y: f64::from(point.y) / steps,
            r: f64::from(size) / steps / 2.0 * (WIDTH_MIN + (1.0 - WIDTH_MIN) * pressure),
        }
    }

    fn middle(self, other: Self) -> Self {
        Self { x: (self.x + other.x) / 2.0, y: (self.y + other.y) / 2.0, r: (self.r + other.r) / 2.0 }
    }
}

/// The discs along a stroke: its ink is the union of the hulls of each two that follow each other. A picture that is
/// smaller than the sheet, by this scale, shows no more of a curve than it has pixels for.
fn samples(points: &[Point], size: u16, scale: f64) -> Vec<Disc> {
    let knots: Vec<Disc> = points.iter().map(|&point| Disc::of(point, size)).collect();
    let (Some(&first), Some(&last)) = (knots.first(), knots.last()) else { return Vec::new() };
    let mut discs = vec![first];
    for (index, window) in knots.windows(3).enumerate() {
        let &[before, knot, after] = window else { continue };
        let (from, to) = (before.middle(knot), knot.middle(after));
        if index == 0 {
            discs.push(from);
        }
        bend(&mut discs, from, knot, to, scale.min(1.0));
    }
    if knots.len() > 1 {
        discs.push(last);
    }
    discs
}

/// The quadratic curve from one middle to the next, without its beginning.
fn bend(discs: &mut Vec<Disc>, from: Disc, knot: Disc, to: Disc, scale: f64) {
    let sharpness = f64::hypot(from.x - 2.0 * knot.x + to.x, from.y - 2.0 * knot.y + to.y);
    let steps = (2.0 * (sharpness * scale).sqrt()).ceil().clamp(1.0, STEPS_MAX);
    let mut step = 1.0;
    while step <= steps {
        let (t, s) = (step / steps, 1.0 - step / steps);
        discs.push(Disc {
            x: s * s * from.x + 2.0 * s * t * knot.x + t * t * to.x,
            y: s * s * from.y + 2.0 * s * t * knot.y + t * t * to.y,
            r: s * from.r + t * to.r,
        });
        step += 1.0;
    }
}

/// Whether all points have the same pressure: then the ink is a line of one width with round ends and joints.
fn is_even(points: &[Point]) -> bool {
    points.len() > 1 && points.iter().all(|point| point.pressure == points[0].pressure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: i32, y: i32, pressure: u8) -> Point {
        Point { x: x * 16, y: y * 16, pressure }
    }

    #[test]
    fn no_point_has_no_disc_and_one_has_one() {
        assert!(samples(&[], 64, 1.0).is_empty());
        assert_eq!(samples(&[point(3, 4, 255)], 64, 1.0), [Disc { x: 3.0, y: 4.0, r: 2.0 }]);
        assert_eq!(samples(&[point(0, 0, 0)], 64, 1.0)[0].r, 2.0 * 0.15);
    }

    #[test]
    fn a_stroke_begins_and_ends_at_its_points_and_bends_in_between() {
        let discs = samples(&[point(0, 0, 255), point(10, 0, 255), point(10, 10, 255)], 64, 1.0);
        assert_eq!((discs[0].x, discs[0].y), (0.0, 0.0));
        assert_eq!((discs[1].x, discs[1].y), (5.0, 0.0));
        let last = discs.last().unwrap();
        assert_eq!((last.x, last.y), (10.0, 10.0));
        // The curve's middle is half-way between the corner and the line of its ends.
        let middle = discs[1 + (discs.len() - 3) / 2];
        assert!(middle.x > 7.0 && middle.y < 3.0, "{middle:?}");
    }

    #[test]
    fn a_new_point_changes_only_the_last_line() {
        let points: Vec<_> =
            (0..20).map(|i| point(i * 7 % 13, i * 5 % 11, u8::try_from(i * 12).unwrap())).collect();
        let (short, long) = (samples(&points[..19], 64, 1.0), samples(&points, 64, 1.0));
        assert_eq!(short[..short.len() - 1], long[..short.len() - 1]);
    }
}
