//! Files that are refused, and what is said about them.

use crate::error::Fault;
use image::error::{ImageError, UnsupportedErrorKind};

/// The most pixels of a picture that is read; the largest cameras of phones have 200 million.
pub const MOST_PIXELS: u64 = 200_000_000;

/// A refusal of a file whose first bytes are those of a kind that is not read.
pub(super) fn refused(start: &[u8]) -> Option<Fault> {
    if let Some(kind) = unread(start) {
        return Some(Fault::kind(format!("{kind}, which is not supported"), HINT));
    }
    let what = crate::stranger(start).filter(|what| !what.ends_with("image"))?;
    Some(Fault::kind(format!("expected an image, found {what}"), HINT))
}

/// Whether a file's first 12 bytes are those of a picture, a film or a page that holds no embedding.
pub(crate) fn is_other_kind(start: &[u8]) -> bool {
    start.starts_with(b"\xff\xd8\xff") || start.starts_with(b"BM") || unread(start).is_some()
}

/// What a file is that people keep among pictures and that is not read.
fn unread(start: &[u8]) -> Option<&'static str> {
    let brand = start.get(8..12).filter(|_| start.get(4..8) == Some(b"ftyp"));
    Some(match (brand, start) {
        (Some(b"avif" | b"avis"), _) => "an AVIF image",
        (
            Some(b"heic" | b"heix" | b"hevc" | b"hevx" | b"mif1" | b"msf1" | b"heim" | b"heis"),
            _,
        ) => "a HEIC image, the iPhone's format",
        (Some(b"crx "), _) => "a camera raw file",
        (Some(_), _) => "a film",
        (_, [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..]) => "a JPEG XL image",
        (_, [b'G', b'I', b'F', b'8', ..]) => "a GIF image",
        (_, [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..]) => {
            "a TIFF image or a camera raw file"
        }
        (_, [b'8', b'B', b'P', b'S', ..]) => "a Photoshop file",
        (_, [b'%', b'P', b'D', b'F', ..]) => "a PDF file",
        (_, [0, 0, 0, 12, b'j', b'P', ..]) => "a JPEG 2000 image",
        _ => return None,
    })
}

const HINT: &str = "save it as PNG, JPEG or WebP, or move it out of the folder";

/// The refusal of a file of no known kind.
pub(super) fn no_picture() -> Fault {
    Fault::kind("not a supported image (PNG, JPEG, WebP, BMP)", HINT)
}

/// Refuses pictures without pixels, and those whose pixels would fill the memory.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), Fault> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(Fault::container("the image has no pixels"));
    }
    if pixels > MOST_PIXELS {
        let what = format!(
            "the image has {width} x {height} pixels, more than the limit of {} million",
            MOST_PIXELS / 1_000_000
        );
        return Err(Fault::kind(what, "make it smaller, or move it out of the folder"));
    }
    Ok(())
}

/// A file that the decoder gave up on.
pub(super) fn damaged(error: &ImageError) -> Fault {
    if let ImageError::Unsupported(unsupported) = error
        && !matches!(unsupported.kind(), UnsupportedErrorKind::Format(_))
    {
        return Fault::kind(format!("this kind of image is not supported: {error}"), HINT);
    }
    let text = error.to_string();
    let text = text.trim_end_matches('.');
    Fault::Container(format!("the image cannot be read: {text}"))
}

/// A sentence where a file has several pictures, of which the first is read.
pub(super) fn animation(bytes: &[u8]) -> Option<String> {
    let frames = if bytes.starts_with(&crate::png_text::SIGNATURE) {
        let (_, data) = crate::png_text::chunks(bytes).find(|(kind, _)| *kind == b"acTL")?;
        u32::from_be_bytes(*data.first_chunk()?) as usize
    } else if bytes.starts_with(b"RIFF") {
        crate::exif::webp_chunks(bytes).filter(|(kind, _)| *kind == b"ANMF").count()
    } else {
        0
    };
    (frames > 1).then(|| format!("an animation of {frames} frames; only the first is used"))
}
