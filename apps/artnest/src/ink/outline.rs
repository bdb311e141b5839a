//! The outline of a stroke: the hulls of its discs as few closed paths that all wind the same way, so that the nonzero
//! rule fills their union once.
//!
//! Along a run of hulls the outline goes forth on one side and back on the other. Where two hulls meet it goes straight
//! on the outer side of the joint, and by the joint's middle on the inner side. There is a disc at both ends, and where
//! the straight way would miss what can be seen.

use super::Disc;

/// What may be missing of a disc at a joint, in units of the sheet: half of what the cutting of curves may miss.
const FLAT: f64 = 1.0 / 32.0;

type Corner = (f64, f64);

/// A closed part of an outline.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Disc(Disc),
    Polygon(Vec<Corner>),
}

/// The parts of the outline along the discs.
pub(super) fn outline(discs: &[Disc]) -> Vec<Part> {
    let mut parts = Vec::new();
    let Some(&first) = discs.first() else { return parts };
    parts.push(Part::Disc(first));
    let mut run: Option<Run> = None;
    for pair in discs.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let Some(hull) = Hull::of(from, to) else {
            close(&mut run, from, &mut parts);
            parts.push(Part::Disc(if from.r >= to.r { from } else { to }));
            continue;
        };
        match &mut run {
            Some(run) => run.join(hull, from, to, &mut parts),
            None => {
                // What came before ended in a disc that may be another one.
                parts.push(Part::Disc(from));
                run = Some(Run::begin(hull, from, to));
            }
        }
    }
    close(&mut run, discs[discs.len() - 1], &mut parts);
    parts
}

fn close(run: &mut Option<Run>, end: Disc, parts: &mut Vec<Part>) {
    if let Some(Run { mut forth, back, .. }) = run.take() {
        forth.extend(back.into_iter().rev());
        parts.push(Part::Polygon(forth));
        parts.push(Part::Disc(end));
    }
}

/// In which directions the two outer tangents of two discs touch them.
#[derive(Debug, Clone, Copy)]
struct Hull {
    left: Corner,
    right: Corner,
}

impl Hull {
    /// `None` where one disc holds the other.
    fn of(a: Disc, b: Disc) -> Option<Self> {
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let length = f64::hypot(dx, dy);
        let taper = a.r - b.r;
        if length <= taper.abs() {
            return None;
        }
        let (ux, uy) = (dx / length, dy / length);
        let sine = taper / length;
        let cosine = (1.0 - sine * sine).sqrt();
        Some(Self {
            left: (sine * ux + cosine * uy, sine * uy - cosine * ux),
            right: (sine * ux - cosine * uy, sine * uy + cosine * ux),
        })
    }
}

/// A run of hulls, each of which begins where the one before ended.
struct Run {
    hull: Hull,
    forth: Vec<Corner>,
    back: Vec<Corner>,
}

impl Run {
    fn begin(hull: Hull, from: Disc, to: Disc) -> Self {
        let mut run = Self { hull, forth: Vec::new(), back: Vec::new() };
        run.go(hull, from);
        run.go(hull, to);
        run
    }

    /// Goes around the joint and on along the next hull.
    fn join(&mut self, hull: Hull, joint: Disc, to: Disc, parts: &mut Vec<Part>) {
        let before = self.hull;
        let middle = (joint.x, joint.y);
        if cross(before.left, hull.left) < 0.0 {
            self.forth.push(middle);
        }
        if cross(before.right, hull.right) > 0.0 {
            self.back.push(middle);
        }
        self.hull = hull;
        self.go(hull, joint);
        self.go(hull, to);
        let cosine = f64::min(dot(before.left, hull.left), dot(before.right, hull.right));
        if joint.r * (1.0 - ((1.0 + cosine) / 2.0).max(0.0).sqrt()) > FLAT {
            parts.push(Part::Disc(joint));
        }
    }

    fn go(&mut self, Hull { left, right }: Hull, disc: Disc) {
        self.forth.push((disc.x + disc.r * left.0, disc.y + disc.r * left.1));
        self.back.push((disc.x + disc.r * right.0, disc.y + disc.r * right.1));
    }
}

fn cross(a: Corner, b: Corner) -> f64 {
    a.0 * b.1 - a.1 * b.0
}

fn dot(a: Corner, b: Corner) -> f64 {
    a.0 * b.0 + a.1 * b.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disc(x: f64, y: f64, r: f64) -> Disc {
        Disc { x, y, r }
    }

    /// With y downwards, a positive area is clockwise, as a circle of the rasteriser is.
    fn area(polygon: &[Corner]) -> f64 {
        let next = polygon.iter().cycle().skip(1);
        polygon.iter().zip(next).map(|(&a, &b)| cross(a, b)).sum()
    }

    fn polygons(parts: &[Part]) -> Vec<&Vec<Corner>> {
        let mut polygons = Vec::new();
        for part in parts {
            if let Part::Polygon(polygon) = part {
                polygons.push(polygon);
            }
        }
        polygons
    }

    #[test]
    fn a_hull_goes_clockwise_and_touches_both_discs() {
        let (a, b) = (disc(0.0, 0.0, 2.0), disc(10.0, 3.0, 1.0));
        let parts = outline(&[a, b]);
        let [polygon] = polygons(&parts)[..] else { panic!("{parts:?}") };
        for (corner, disc) in polygon.iter().zip([a, b, b, a]) {
            assert!((f64::hypot(corner.0 - disc.x, corner.1 - disc.y) - disc.r).abs() < 1e-9);
        }
        assert!(area(polygon) > 0.0);
    }

    #[test]
    fn a_run_is_one_polygon_whichever_way_it_bends() {
        for bend in [-1.0, 1.0] {
            let discs = [
                disc(0.0, 0.0, 1.0),
                disc(5.0, 0.0, 1.2),
                disc(9.0, 3.0 * bend, 1.0),
                disc(9.0, 8.0 * bend, 0.5),
            ];
            let parts = outline(&discs);
            let [polygon] = polygons(&parts)[..] else { panic!("{parts:?}") };
            assert!(area(polygon) > 0.0, "{bend}");
        }
    }

    #[test]
    fn a_disc_that_holds_the_next_ends_a_run() {
        let (big, small) = (disc(0.0, 0.0, 5.0), disc(1.0, 0.0, 1.0));
        let parts = outline(&[disc(-20.0, 0.0, 1.0), big, small, disc(20.0, 0.0, 1.0)]);
        assert_eq!(polygons(&parts).len(), 2);
        assert!(parts.contains(&Part::Disc(big)));
    }

    #[test]
    fn a_gentle_curve_needs_no_disc_at_its_joints() {
        let gentle: Vec<_> = (0..100).map(f64::from).map(|x| disc(x, x * x / 2_000.0, 1.0)).collect();
        assert_eq!(outline(&gentle).len(), 4);
        let sharp = [disc(0.0, 0.0, 2.0), disc(9.0, 0.0, 2.0), disc(0.0, 1.0, 2.0)];
        assert_eq!(outline(&sharp).len(), 5);
    }
}
