//! Contact sheets: labelled rows of pictures on a white page, as one RGB picture.
mod layout;
mod page;
mod text;

pub(crate) use layout::{Cell, Row, Sheet};

use crate::Failure;
use image::RgbImage;

/// Draws a sheet.
///
/// # Errors
/// Only if the bundled fonts cannot be read.
pub(crate) fn draw(sheet: &Sheet) -> Result<RgbImage, Failure> {
    let fonts = text::Fonts::bundled()?;
    Ok(page::draw(sheet, &fonts))
}

#[cfg(test)]
mod tests;
