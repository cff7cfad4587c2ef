//! Pictures: text chunks, EXIF, and embeddings in chunks and pixels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wayword_formats::picture::{self, Reading};
use wayword_formats::{embedding, picture_text, png_text};

fuzz_target!(|bytes: &[u8]| {
    let _ = png_text::read(bytes);
    let _ = picture::from_bytes(bytes, Reading::SEEN);
    let _ = picture_text::from_bytes(bytes);
    let _ = embedding::from_picture(bytes);
});
