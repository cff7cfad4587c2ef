//! What a picture says about how it was drawn: from every place where programs write it, in the form
//! of every program that is known.
//!
//! A1111 writes its text into a PNG's chunk `parameters` or into the EXIF comment of JPEG and WebP.
//! Others use EXIF's first directory, JPEG's comment segments, XMP, or chunks of their own with JSON
//! in them (`programs`). What is found is turned into A1111's form; what cannot be used is named.

mod programs;
mod xmp;

use crate::error::{At, Error, Fault};
use crate::infotext::Infotext;
use crate::{exif, png_text};
use std::path::Path;

/// What a picture says.
#[derive(Debug, Clone, Default)]
pub struct PictureSettings {
    /// Prompts and settings.
    pub infotext: Infotext,
    /// The text in A1111's form.
    pub text: String,
    /// The program that wrote it, where its own form is not A1111's.
    pub program: Option<&'static str>,
    /// What is odd about it, a sentence each, for a warning.
    pub remarks: Vec<String>,
}

/// A text and the place in the picture where it stands: a PNG's keyword, or a tag's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The keyword or tag.
    pub place: String,
    /// The text.
    pub text: String,
}

/// The settings of a picture file.
///
/// # Errors
/// Where it cannot be read, or as [`from_bytes`].
pub fn read(path: &Path) -> Result<PictureSettings, Error> {
    from_bytes(&std::fs::read(path).at(path)?).at(path)
}

/// The settings of a picture.
///
/// # Errors
/// Where the file is no picture that can hold settings, is a broken PNG, or has none; the error says
/// which of the causes it is.
pub fn from_bytes(picture: &[u8]) -> Result<PictureSettings, Fault> {
    let notes = notes(picture)?;
    // A1111 prefers the EXIF comment.
    let own = notes.iter().filter(|n| n.place == "UserComment").chain(&notes);
    if let Some(note) = own.into_iter().find(|note| is_infotext(note)) {
        let (infotext, remarks) = Infotext::read(&note.text);
        return Ok(PictureSettings { infotext, text: note.text.clone(), program: None, remarks });
    }
    let size = || image_size(picture);
    if let Some((program, found)) = programs::find(&notes, size) {
        let (text, mut remarks) = found.map_err(|why| {
            let what = format!("the image's settings are {program}'s, and {why}");
            Fault::kind(what, format!("take the prompt and the settings from {program}"))
        })?;
        let infotext = Infotext::parse(&text);
        let note = format!("the settings are {program}'s; the image may differ in details");
        remarks.insert(0, note);
        return Ok(PictureSettings { infotext, text, program: Some(program), remarks });
    }
    Err(missing(&notes))
}

/// All texts of a picture, without changes.
///
/// # Errors
/// Where the file is no PNG, JPEG or WebP, or is a broken PNG.
pub fn notes(picture: &[u8]) -> Result<Vec<Note>, Fault> {
    let note = |(place, text): (&str, String)| Note { place: place.to_owned(), text };
    let mut out: Vec<Note> = exif::texts(picture).into_iter().map(note).collect();
    if picture.starts_with(&png_text::SIGNATURE) {
        for text in png_text::read(picture)? {
            match text.key.as_str() {
                "XML:com.adobe.xmp" => out.extend(xmp::notes(&text.text)),
                _ => out.push(Note { place: text.key, text: text.text }),
            }
        }
    } else if picture.starts_with(&[0xff, 0xd8]) {
        for (marker, body) in exif::jpeg_segments(picture) {
            let xmp = body.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0".as_slice());
            match (marker, xmp) {
                (0xe1, Some(xml)) => out.extend(xmp::notes(&String::from_utf8_lossy(xml))),
                (0xfe, _) => {
                    let text = String::from_utf8_lossy(body);
                    out.push(note(("comment", text.trim_end_matches('\0').to_owned())));
                }
                _ => {}
            }
        }
    } else if picture.starts_with(b"RIFF") && picture.get(8..12) == Some(b"WEBP") {
        for (_, xml) in exif::webp_chunks(picture).filter(|(kind, _)| *kind == b"XMP ") {
            out.extend(xmp::notes(&String::from_utf8_lossy(xml)));
        }
    } else {
        return Err(Fault::kind(
            "not a PNG, JPEG or WebP image, so it has no settings to read",
            "pass the image file as the program wrote it",
        ));
    }
    out.retain(|note| !note.text.trim().is_empty());
    Ok(out)
}

/// Whether a text is of A1111's form. Under A1111's own key a prompt alone is.
fn is_infotext(note: &Note) -> bool {
    let text = note.text.trim();
    if text.starts_with('{') && serde_json::from_str::<serde_json::Value>(text).is_ok() {
        return false;
    }
    note.place == "parameters" || Infotext::is_likely(text)
}

/// Why a picture has no settings.
fn missing(notes: &[Note]) -> Fault {
    if notes.is_empty() {
        return Fault::kind(
            "the image contains no text at all",
            "websites, messengers and editors remove it; pass the file as the program wrote it",
        );
    }
    if let Some(damaged) = notes.iter().find(|n| n.text.contains('\u{fffd}')) {
        return Fault::kind(
            format!("the text in `{}` is damaged, and no settings were found in it", damaged.place),
            "pass the file as the program wrote it",
        );
    }
    let places: Vec<String> = notes.iter().map(|n| format!("`{}`", n.place)).collect();
    let start: String = notes[0].text.chars().take(40).collect();
    Fault::kind(
        format!(
            "the image's text ({}) has no settings that are known; it begins with {start:?}",
            places.join(", ")
        ),
        "known are those of A1111 and its forks, ComfyUI, InvokeAI, Fooocus, SwarmUI, NovelAI, Draw \
         Things and Easy Diffusion",
    )
}

/// Width and height, from the header.
fn image_size(picture: &[u8]) -> Option<(u32, u32)> {
    let reader = image::ImageReader::new(std::io::Cursor::new(picture));
    reader.with_guessed_format().ok()?.into_dimensions().ok()
}

#[cfg(test)]
mod tests;
