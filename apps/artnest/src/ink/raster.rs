//! A drawing as pixels, in PNG.

use tiny_skia::{
    BlendMode, Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PixmapPaint, Shader,
    Stroke as Pen, Transform,
};

use super::{
    Disc, Sheet, is_even,
    outline::{Part, outline},
    samples,
};
use crate::{
    canvas::{Canvas, Stroke},
    wire::{LAYERS, Point, STEPS_PER_UNIT, Tool},
};

/// A picture may have so many pixels: 96 MiB, and as much again for a layer.
pub const PIXELS_MAX: u64 = 24_000_000;

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPicture {
    #[error(
        "a picture of {width} × {height} pixels; at least 1 and at most {PIXELS_MAX} of them can be drawn"
    )]
    Size { width: u64, height: u64 },
    /// Nobody wants it any more.
    #[error("nobody waits for the picture")]
    Unwanted,
}

/// Draws the sheet as a PNG file, with so many pixels to a unit; white below, or nothing. Looks before each stroke
/// whether it is still wanted.
///
/// # Errors
///
/// When it would have too many pixels, or is not wanted any more.
pub fn png(
    canvas: &Canvas<Vec<Point>>,
    sheet: Sheet,
    scale: f64,
    is_transparent: bool,
    is_wanted: impl Fn() -> bool,
) -> Result<Vec<u8>, NoPicture> {
    let mut picture = blank(sheet, scale)?;
    if !is_transparent {
        picture.fill(Color::WHITE);
    }
    let size = NoPicture::Size { width: picture.width().into(), height: picture.height().into() };
    let scale = Transform::from_scale(scale as f32, scale as f32);
    let strokes = canvas.in_order();
    for layer in 0..LAYERS {
        let on_layer = strokes.iter().map(|(_, stroke)| *stroke).filter(|stroke| stroke.layer == layer);
        let on_layer: Vec<_> = on_layer.collect();
        if on_layer.iter().any(|stroke| stroke.tool == Tool::Eraser) {
            let mut apart = Pixmap::new(picture.width(), picture.height()).ok_or(size)?;
            draw_all(&mut apart, &on_layer, scale, &is_wanted)?;
            let whole = Transform::identity();
            picture.draw_pixmap(0, 0, apart.as_ref(), &PixmapPaint::default(), whole, None);
        } else {
            draw_all(&mut picture, &on_layer, scale, &is_wanted)?;
        }
    }
    picture.encode_png().map_err(|_| size)
}

fn blank(sheet: Sheet, scale: f64) -> Result<Pixmap, NoPicture> {
    let pixels = |units: u16| (f64::from(units) * scale).round() as u64;
    let (width, height) = (pixels(sheet.width), pixels(sheet.height));
    let size = NoPicture::Size { width, height };
    if width.saturating_mul(height) > PIXELS_MAX {
        return Err(size);
    }
    let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else { return Err(size) };
    Pixmap::new(width, height).ok_or(size)
}

fn draw_all(
    picture: &mut Pixmap,
    strokes: &[&Stroke<Vec<Point>>],
    scale: Transform,
    is_wanted: &impl Fn() -> bool,
) -> Result<(), NoPicture> {
    for stroke in strokes {
        if !is_wanted() {
            return Err(NoPicture::Unwanted);
        }
        draw(picture, stroke, scale);
    }
    Ok(())
}

fn draw(picture: &mut Pixmap, stroke: &Stroke<Vec<Point>>, scale: Transform) {
    let [red, green, blue, alpha] = stroke.colour;
    let blend_mode = match stroke.tool {
        Tool::Pen => BlendMode::SourceOver,
        Tool::Eraser => BlendMode::DestinationOut,
    };
    let colour = Color::from_rgba8(red, green, blue, alpha);
    let paint =
        Paint { shader: Shader::SolidColor(colour), blend_mode, anti_alias: true, ..Paint::default() };
    let discs = samples(&stroke.ink, stroke.size, scale.sx.into());
    if is_even(&stroke.ink) {
        let width = discs.first().map_or(0.0, |disc| disc.r * 2.0) as f32;
        let pen = Pen { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Pen::default() };
        if let Some(path) = middle_line(&discs) {
            picture.stroke_path(&path, &paint, &pen, scale, None);
        }
    } else if let Some(path) = filled(&discs) {
        picture.fill_path(&path, &paint, FillRule::Winding, scale, None);
    }
}

fn middle_line(discs: &[Disc]) -> Option<Path> {
    let mut path = PathBuilder::new();
    let (first, rest) = discs.split_first()?;
    path.move_to(first.x as f32, first.y as f32);
    let mut is_a_dot = true;
    for disc in rest {
        is_a_dot &= (disc.x, disc.y) == (first.x, first.y);
        path.line_to(disc.x as f32, disc.y as f32);
    }
    if is_a_dot {
        // A line that goes nowhere has no caps here; on a canvas it has.
        path.line_to(first.x as f32 + 1.0 / f32::from(STEPS_PER_UNIT), first.y as f32);
    }
    path.finish()
}

fn filled(discs: &[Disc]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for part in outline(discs) {
        match part {
            Part::Disc(disc) => path.push_circle(disc.x as f32, disc.y as f32, disc.r as f32),
            Part::Polygon(corners) => {
                for (index, (x, y)) in corners.into_iter().enumerate() {
                    if index == 0 {
                        path.move_to(x as f32, y as f32);
                    } else {
                        path.line_to(x as f32, y as f32);
                    }
                }
                path.close();
            }
        }
    }
    path.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Op, PointsWriter, Record};

    const SHEET: Sheet = Sheet { width: 40, height: 20 };

    /// Layer, tool, colour, and positions with pressure.
    type Drawn<'a> = (u8, u8, [u8; 4], &'a [(i32, i32, u8)]);

    fn drawn(strokes: &[Drawn<'_>]) -> Canvas<Vec<Point>> {
        let mut canvas = Canvas::default();
        for (number, &(layer, tool, colour, points)) in (1..).zip(strokes) {
            let points = points.iter().map(|&(x, y, pressure)| Point { x: x * 16, y: y * 16, pressure });
            let points = PointsWriter::from_iter(points);
            let op = Op::Begin { layer, tool, colour, size: 8 * 16, ends: true, points: points.points() };
            canvas.apply(&Record { member: 1, number, op }).unwrap();
        }
        canvas
    }

    fn pixel(canvas: &Canvas<Vec<Point>>, is_transparent: bool, x: u32, y: u32) -> [u8; 4] {
        let picture = Pixmap::decode_png(&png(canvas, SHEET, 1.0, is_transparent, || true).unwrap()).unwrap();
        let pixel = picture.pixel(x, y).unwrap().demultiply();
        [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()]
    }

    const RED: [u8; 4] = [255, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 255, 255];
    const WHITE: [u8; 4] = [255, 255, 255, 255];
    const NOTHING: [u8; 4] = [0, 0, 0, 0];
    const ACROSS: &[(i32, i32, u8)] = &[(5, 10, 255), (35, 10, 255)];
    const TAPERED: &[(i32, i32, u8)] = &[(5, 10, 255), (20, 10, 20), (35, 10, 255)];
    const DOT: &[(i32, i32, u8)] = &[(20, 10, 255)];

    #[test]
    fn an_empty_room_is_a_white_sheet_or_nothing() {
        let empty = drawn(&[]);
        assert_eq!(pixel(&empty, false, 20, 10), WHITE);
        assert_eq!(pixel(&empty, true, 20, 10), NOTHING);
        assert_eq!(pixel(&drawn(&[(0, 0, RED, &[])]), false, 20, 10), WHITE);
    }

    #[test]
    fn even_and_tapered_strokes_and_dots_leave_ink() {
        for points in [ACROSS, TAPERED, DOT, &[(20, 10, 255), (20, 10, 255)]] {
            assert_eq!(pixel(&drawn(&[(0, 0, RED, points)]), false, 20, 10), RED, "{points:?}");
        }
        let tapered = drawn(&[(0, 0, RED, TAPERED)]);
        assert_eq!(pixel(&tapered, false, 5, 7), RED);
        assert_eq!(pixel(&tapered, false, 20, 6), WHITE);
    }

    #[test]
    fn an_eraser_takes_from_its_own_layer_only() {
        let canvas = drawn(&[(0, 0, RED, ACROSS), (1, 0, BLUE, ACROSS), (1, 1, RED, DOT)]);
        assert_eq!(pixel(&canvas, false, 20, 10), RED);
        assert_eq!(pixel(&canvas, false, 10, 10), BLUE);
        let canvas = drawn(&[(0, 0, RED, ACROSS), (0, 1, RED, DOT), (0, 0, BLUE, DOT)]);
        assert_eq!(pixel(&canvas, true, 20, 10), BLUE);
        assert_eq!(pixel(&drawn(&[(0, 0, RED, ACROSS), (0, 1, RED, DOT)]), true, 20, 10), NOTHING);
    }

    #[test]
    fn the_alpha_of_a_stroke_that_crosses_itself_counts_once() {
        let crossing: &[(i32, i32, u8)] =
            &[(5, 10, 255), (30, 10, 200), (20, 4, 255), (20, 18, 200), (10, 10, 255)];
        let canvas = drawn(&[(0, 0, [255, 0, 0, 128], crossing)]);
        let [red, _, _, alpha] = pixel(&canvas, true, 20, 10);
        assert_eq!((red, alpha), (255, 128));
    }

    #[test]
    fn a_picture_of_too_many_pixels_is_refused_before_it_is_made() {
        let empty = drawn(&[]);
        let huge = Sheet { width: 8_192, height: 8_192 };
        assert!(png(&empty, huge, 1.0, false, || true).is_err());
        assert!(png(&empty, huge, f64::INFINITY, false, || true).is_err());
        assert!(png(&empty, SHEET, 0.0, false, || true).is_err());
        assert!(png(&empty, SHEET, f64::NAN, false, || true).is_err());
    }

    #[test]
    fn a_picture_that_nobody_wants_any_more_is_not_finished() {
        let canvas = drawn(&[(0, 0, RED, DOT), (0, 0, RED, DOT)]);
        assert_eq!(png(&canvas, SHEET, 1.0, false, || false), Err(NoPicture::Unwanted));
    }
}
