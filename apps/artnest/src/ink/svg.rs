//! A drawing as vectors.
//!
//! Even strokes are lines with a width, others filled hulls. An eraser is a mask over everything that lies under it in
//! its layer, so layers with erasers are groups within groups, one for each run of erasers.

use std::fmt::{self, Write};

use super::{
    Disc, Sheet, is_even,
    outline::{Part, outline},
    samples,
};
use crate::{
    canvas::{Canvas, Stroke},
    wire::{LAYERS, Point, Tool},
};

type Strokes<'a> = [&'a Stroke<Vec<Point>>];

/// The sheet as an SVG file.
pub fn svg(canvas: &Canvas<Vec<Point>>, sheet: Sheet) -> String {
    let mut svg = Svg::default();
    // Writing to a String cannot fail.
    let _ = svg.document(canvas, sheet);
    svg.0
}

#[derive(Default)]
struct Svg(String);

impl Svg {
    fn document(&mut self, canvas: &Canvas<Vec<Point>>, sheet: Sheet) -> fmt::Result {
        let Sheet { width, height } = sheet;
        writeln!(
            self.0,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">"#
        )?;
        writeln!(self.0, r##"<rect width="{width}" height="{height}" fill="#ffffff"/>"##)?;
        let strokes = canvas.in_order();
        for layer in 0..LAYERS {
            let on_layer = strokes.iter().map(|(_, stroke)| *stroke).filter(|stroke| stroke.layer == layer);
            let on_layer: Vec<_> = on_layer.filter(|stroke| !stroke.ink.is_empty()).collect();
            if !on_layer.is_empty() {
                self.layer(layer, &on_layer)?;
            }
        }
        self.0.write_str("</svg>\n")
    }

    fn layer(&mut self, layer: u8, strokes: &Strokes<'_>) -> fmt::Result {
        // What is drawn first lies within the masks of all erasers after it, so groups open in reverse.
        let runs: Vec<_> = strokes.chunk_by(|a, b| a.tool == b.tool).collect();
        let masks: Vec<_> = runs.iter().filter(|run| is_erasing(run)).collect();
        for (number, run) in masks.iter().enumerate() {
            self.mask(layer, number, run)?;
        }
        writeln!(self.0, r#"<g id="layer-{layer}" stroke-linecap="round" stroke-linejoin="round">"#)?;
        for number in (0..masks.len()).rev() {
            writeln!(self.0, r#"<g mask="url(#erased-{layer}-{number})">"#)?;
        }
        for run in &runs {
            if is_erasing(run) {
                self.0.write_str("</g>\n")?;
                continue;
            }
            for stroke in *run {
                let [red, green, blue, alpha] = stroke.colour;
                self.stroke(stroke, &format!("#{red:02x}{green:02x}{blue:02x}"), alpha)?;
            }
        }
        self.0.write_str("</g>\n")
    }

    /// White is what stays.
    fn mask(&mut self, layer: u8, number: usize, run: &Strokes<'_>) -> fmt::Result {
        writeln!(
            self.0,
            r#"<mask id="erased-{layer}-{number}" maskUnits="userSpaceOnUse" stroke-linecap="round" stroke-linejoin="round">"#
        )?;
        self.0.write_str("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n")?;
        for stroke in run {
            self.stroke(stroke, "#000000", stroke.colour[3])?;
        }
        self.0.write_str("</mask>\n")
    }

    fn stroke(&mut self, stroke: &Stroke<Vec<Point>>, colour: &str, alpha: u8) -> fmt::Result {
        let discs = samples(&stroke.ink, stroke.size, 1.0);
        let Some(first) = discs.first() else { return Ok(()) };
        self.0.write_str("<path d=\"")?;
        if is_even(&stroke.ink) {
            self.line(&discs)?;
            write!(self.0, r#"" fill="none" stroke="{colour}" stroke-width="{}""#, Short(first.r * 2.0))?;
        } else {
            self.outline(&discs)?;
            write!(self.0, r#"" fill="{colour}""#)?;
        }
        if alpha < 255 {
            write!(self.0, r#" opacity="{}""#, Short(f64::from(alpha) / 255.0))?;
        }
        self.0.write_str("/>\n")
    }

    fn line(&mut self, discs: &[Disc]) -> fmt::Result {
        for (index, disc) in discs.iter().enumerate() {
            write!(self.0, "{}{} {}", if index == 0 { 'M' } else { 'L' }, Short(disc.x), Short(disc.y))?;
        }
        Ok(())
    }

    fn outline(&mut self, discs: &[Disc]) -> fmt::Result {
        for part in outline(discs) {
            match part {
                Part::Disc(Disc { x, y, r }) => {
                    let (left, right, r, y) = (Short(x - r), Short(x + r), Short(r), Short(y));
                    write!(self.0, "M{left} {y}A{r} {r} 0 1 1 {right} {y}A{r} {r} 0 1 1 {left} {y}Z")?;
                }
                Part::Polygon(corners) => {
                    for (index, (x, y)) in corners.into_iter().enumerate() {
                        write!(self.0, "{}{} {}", if index == 0 { 'M' } else { 'L' }, Short(x), Short(y))?;
                    }
                    self.0.write_char('Z')?;
                }
            }
        }
        Ok(())
    }
}

fn is_erasing(run: &Strokes<'_>) -> bool {
    run.first().is_some_and(|stroke| stroke.tool == Tool::Eraser)
}

/// A number to hundredths, without what says nothing.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.2}", self.0);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        f.write_str(if text == "-0" { "0" } else { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Op, PointsWriter, Record};

    fn drawn(strokes: &[(u8, u8, u8)]) -> String {
        let mut canvas = Canvas::default();
        for (number, &(layer, tool, pressure)) in (1..).zip(strokes) {
            let points = [(0, 255), (32, pressure)].map(|(x, pressure)| Point { x, y: 16, pressure });
            let points = PointsWriter::from_iter(points);
            let colour = [255, 128, 0, 255];
            let op = Op::Begin { layer, tool, colour, size: 64, ends: true, points: points.points() };
            canvas.apply(&Record { member: 1, number, op }).unwrap();
        }
        svg(&canvas, Sheet { width: 40, height: 20 })
    }

    #[test]
    fn an_even_stroke_is_a_line_and_an_uneven_one_is_filled() {
        assert!(
            drawn(&[(0, 0, 255)])
                .contains(r##"<path d="M0 1L2 1" fill="none" stroke="#ff8000" stroke-width="4"/>"##)
        );
        assert!(drawn(&[(0, 0, 99)]).contains(r##"Z" fill="#ff8000"/>"##));
    }

    #[test]
    fn each_run_of_erasers_is_a_mask_around_what_was_there_before_it() {
        let svg = drawn(&[(1, 0, 255), (1, 1, 255), (1, 1, 255), (1, 0, 255), (1, 1, 255)]);
        assert_eq!(svg.matches("<mask ").count(), 2);
        let inner = svg.find(r##"<g mask="url(#erased-1-0)">"##).unwrap();
        let outer = svg.find(r##"<g mask="url(#erased-1-1)">"##).unwrap();
        assert!(outer < inner);
        assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
    }

    #[test]
    fn an_empty_room_is_a_white_sheet() {
        let svg = drawn(&[]);
        assert!(svg.contains("<rect") && !svg.contains("<path"));
    }

    #[test]
    fn numbers_say_no_more_than_they_have_to() {
        let shown = [0.0, -0.001, 1.5, 10.0, -3.256].map(|number| Short(number).to_string());
        assert_eq!(shown, ["0", "0", "1.5", "10", "-3.26"]);
    }
}
