//! The pictures that a drawing begins with: a picture and a mask.
use crate::Failure;
use std::path::Path;
use wayword_diffusion::pictures::{self, Pixels};
use wayword_formats::picture::{self, Reading};

/// A picture as people see it, on white where it is transparent.
pub(super) fn picture(path: &Path) -> Result<Pixels, Failure> {
    let found = picture::read(path, Reading::SEEN)?;
    let (width, height) = (found.width, found.height);
    Ok(Pixels { width, height, channels: 3, data: found.on_white() })
}

/// A mask of one channel.
pub(crate) fn mask(path: &Path) -> Result<Pixels, Failure> {
    let found = picture::read(path, Reading::SEEN)?;
    let (width, height) = (found.width, found.height);
    let alpha = found.alpha.unwrap_or_else(|| vec![u8::MAX; width * height]);
    let pixels = found.rgb.as_chunks::<3>().0.iter().zip(alpha);
    let data = pixels.flat_map(|([r, g, b], a)| [*r, *g, *b, a]).collect();
    Ok(pictures::binary(&Pixels { width, height, channels: 4, data }))
}
