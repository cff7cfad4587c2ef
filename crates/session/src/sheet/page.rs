//! Draws a placed sheet: pictures, labels, captions.
use super::layout::{self, BODY, Cell, LABELS, MARGIN, SMALL, Sheet, line_height};
use super::text::{Font, Fonts};
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const INK: Rgb<u8> = Rgb([28, 30, 34]);
const QUIET: Rgb<u8> = Rgb([105, 110, 118]);
const RULE: Rgb<u8> = Rgb([226, 228, 232]);

/// Draws the sheet.
pub(super) fn draw(sheet: &Sheet, fonts: &Fonts) -> RgbImage {
    let placing = layout::place(sheet, fonts);
    let mut page = RgbImage::from_pixel(placing.width, placing.height, PAPER);
    let (title, size) = &placing.title;
    let below = lines(&mut page, &fonts.bold, (MARGIN, MARGIN), title, *size, INK) + 6;
    lines(&mut page, &fonts.regular, (MARGIN, below), &placing.subtitle, BODY, QUIET);
    for (row, placed) in sheet.rows.iter().zip(&placing.rows) {
        rule(&mut page, placed.top - layout::ROW_GAP / 2);
        let y = lines(&mut page, &fonts.bold, (MARGIN, placed.top), &placed.label, BODY, INK);
        lines(&mut page, &fonts.regular, (MARGIN, y + 4), &placed.note, SMALL, QUIET);
        for ((cell, at), caption) in row.cells.iter().zip(&placed.cells).zip(&placed.captions) {
            picture(&mut page, cell, *at, sheet.side);
            let below = (at.0, at.1 + sheet.side + 3);
            lines(&mut page, &fonts.regular, below, caption, SMALL, INK);
        }
    }
    rule(&mut page, placing.footer_top - layout::ROW_GAP / 2);
    lines(&mut page, &fonts.regular, (MARGIN, placing.footer_top), &placing.footer, SMALL, QUIET);
    page
}

/// Draws lines below each other; gives the top of what follows.
fn lines(
    page: &mut RgbImage,
    font: &Font,
    at: (u32, u32),
    lines: &[String],
    size: f32,
    ink: Rgb<u8>,
) -> u32 {
    let mut y = at.1;
    for line in lines {
        font.draw(page, (at.0, y), line, size, ink);
        y += line_height(size);
    }
    y
}

/// A thin line across the page.
fn rule(page: &mut RgbImage, y: u32) {
    for x in MARGIN..page.width() - MARGIN {
        page.put_pixel(x, y, RULE);
    }
}

/// Puts a picture into its square. Small pictures grow by whole numbers without smoothing, so that
/// what the model drew is seen and nothing else; only what is too large is smoothed.
fn picture(page: &mut RgbImage, cell: &Cell, at: (u32, u32), side: u32) {
    let (w, h) = cell.picture.dimensions();
    let longest = w.max(h).max(1);
    let fitted = if longest > side {
        let scaled = |x: u32| (x * side / longest).max(1);
        imageops::resize(&cell.picture, scaled(w), scaled(h), FilterType::Lanczos3)
    } else {
        let factor = side / longest;
        imageops::resize(&cell.picture, w * factor, h * factor, FilterType::Nearest)
    };
    let (dx, dy) = ((side - fitted.width()) / 2, (side - fitted.height()) / 2);
    imageops::replace(page, &fitted, i64::from(at.0 + dx), i64::from(at.1 + dy));
}

// The label column must be wide enough for the words that the demo puts there.
const _: () = assert!(LABELS > 100);
