//! Letters: widths, wrapping and drawing with the bundled fonts.
use crate::Failure;
use ab_glyph::{Font as _, FontRef, PxScale, ScaleFont, point};
use image::{Rgb, RgbImage};

/// Lato, by Lukasz Dziedzic, SIL Open Font License 1.1 (`crates/session/assets/OFL.txt`).
const REGULAR: &[u8] = include_bytes!("../../assets/Lato-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../assets/Lato-Bold.ttf");

/// The two weights that a sheet uses.
pub(crate) struct Fonts {
    /// For sentences.
    pub(crate) regular: Font,
    /// For the title and labels.
    pub(crate) bold: Font,
}

impl Fonts {
    /// The fonts inside the program.
    ///
    /// # Errors
    /// If they are damaged, which a test would have noticed.
    pub(crate) fn bundled() -> Result<Fonts, Failure> {
        Ok(Fonts {
            regular: Font(FontRef::try_from_slice(REGULAR)?),
            bold: Font(FontRef::try_from_slice(BOLD)?),
        })
    }
}

/// One weight.
pub(crate) struct Font(FontRef<'static>);

impl Font {
    /// Pixels that a line takes.
    pub(crate) fn width(&self, text: &str, size: f32) -> f32 {
        let font = self.0.as_scaled(PxScale::from(size));
        let mut width = 0.0;
        let mut before = None;
        for letter in text.chars() {
            let id = font.glyph_id(letter);
            if let Some(before) = before {
                width += font.kern(before, id);
            }
            width += font.h_advance(id);
            before = Some(id);
        }
        width
    }

    /// Breaks a text between words so that no line is wider than `width`, where words allow it. A
    /// newline in the text stays one.
    #[expect(clippy::cast_precision_loss, reason = "page widths are small")]
    pub(crate) fn wrap(&self, text: &str, size: f32, width: u32) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let longer = if line.is_empty() { word.into() } else { format!("{line} {word}") };
                if !line.is_empty() && self.width(&longer, size) > width as f32 {
                    lines.push(std::mem::replace(&mut line, word.into()));
                } else {
                    line = longer;
                }
            }
            lines.push(line);
        }
        lines
    }

    /// Cuts a line to a width, with an ellipsis where something is missing.
    #[expect(clippy::cast_precision_loss, reason = "page widths are small")]
    pub(crate) fn fit(&self, text: &str, size: f32, width: u32) -> String {
        if self.width(text, size) <= width as f32 {
            return text.into();
        }
        let mut kept: Vec<char> = text.chars().collect();
        loop {
            kept.pop();
            let shorter = format!("{}…", kept.iter().collect::<String>().trim_end());
            if kept.is_empty() || self.width(&shorter, size) <= width as f32 {
                return shorter;
            }
        }
    }

    /// Draws one line whose top left corner is `at`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "pixel positions; what falls outside the page is skipped"
    )]
    pub(crate) fn draw(
        &self,
        page: &mut RgbImage,
        at: (u32, u32),
        text: &str,
        size: f32,
        ink: Rgb<u8>,
    ) {
        let font = self.0.as_scaled(PxScale::from(size));
        let baseline = at.1 as f32 + font.ascent();
        let mut x = at.0 as f32;
        let mut before = None;
        for letter in text.chars() {
            let id = font.glyph_id(letter);
            if let Some(before) = before {
                x += font.kern(before, id);
            }
            let glyph = id.with_scale_and_position(size, point(x, baseline));
            x += font.h_advance(id);
            before = Some(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            outline.draw(|dx, dy, coverage| {
                let (px, py) = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
                if px < 0.0 || py < 0.0 || px >= page.width() as f32 || py >= page.height() as f32 {
                    return;
                }
                let pixel = page.get_pixel_mut(px as u32, py as u32);
                for (under, over) in pixel.0.iter_mut().zip(ink.0) {
                    let mixed = f32::from(*under) * (1.0 - coverage) + f32::from(over) * coverage;
                    *under = mixed.round() as u8;
                }
            });
        }
    }
}
