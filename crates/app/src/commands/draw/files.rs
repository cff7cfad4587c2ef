//! The pictures that a drawing begins with: a picture and a mask.
use crate::failure::Failure;
use image::{DynamicImage, ImageDecoder as _, ImageReader};
use std::path::Path;
use wayword_diffusion::pictures::{self, Pixels};

/// A picture, turned as its EXIF data say, on white where it is transparent.
pub(super) fn picture(path: &Path) -> Result<Pixels, Failure> {
    let picture = decode(path)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let rgba = picture.to_rgba8().into_raw();
    let on_white = |p: &[u8]| -> [u8; 3] {
        let mix = |v: u8| {
            let (v, a) = (u32::from(v), u32::from(p[3]));
            ((v * a + 255 * (255 - a) + 127) / 255).min(255) as u8
        };
        [mix(p[0]), mix(p[1]), mix(p[2])]
    };
    let data = rgba.chunks_exact(4).flat_map(on_white).collect();
    Ok(Pixels { width, height, channels: 3, data })
}

/// A mask of one channel.
pub(super) fn mask(path: &Path) -> Result<Pixels, Failure> {
    let picture = decode(path)?;
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let data = picture.to_rgba8().into_raw();
    Ok(pictures::binary(&Pixels { width, height, channels: 4, data }))
}

fn decode(path: &Path) -> Result<DynamicImage, Failure> {
    let broken = |e: image::ImageError| {
        Failure::user(format!("{}: not a readable picture: {e}", path.display()))
    };
    let reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|e| Failure::io("cannot read", path, &e))?;
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let orientation = decoder.orientation().map_err(broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}
