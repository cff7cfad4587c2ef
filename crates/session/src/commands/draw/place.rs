//! Where pictures go, and their files.
use crate::Failure;
use crate::commands::{make_folder, write};
use crate::request::{Draw as Options, Format};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use std::path::{Path, PathBuf};
use wayword_diffusion::Picture;
use wayword_formats::png_text::{PngText, encode_rgb8};
use wayword_formats::{atomic, endings, exif};

/// Endings of pictures that are not written.
const OTHERS: [&str; 8] = ["gif", "bmp", "tif", "tiff", "avif", "jxl", "heic", "jp2"];

/// Where pictures go.
pub(super) enum OutputLocation {
    /// Numbered files, the first number that is free and the next ones.
    Folder(PathBuf, usize, Format),
    /// One file.
    File(PathBuf),
}

impl OutputLocation {
    /// A place for `count` pictures.
    pub(super) fn new(options: &Options, count: usize) -> Result<OutputLocation, Failure> {
        let out = &options.out;
        if format(out).is_some() && !out.is_dir() {
            if count > 1 {
                return Err(Failure::user("{draw.out} names one file for several images")
                    .hint("give a folder, or {draw.count} 1"));
            }
            let parent = out.parent().filter(|p| !p.as_os_str().is_empty());
            if let Some(parent) = parent {
                make(parent)?;
            }
            return Ok(OutputLocation::File(out.clone()));
        }
        if !out.is_dir() && endings::has(out, &OTHERS) {
            return Err(Failure::user(format!("cannot write an image as {}", out.display()))
                .hint("use .png, .jpg or .webp, or a folder"));
        }
        make(out)?;
        let entries =
            std::fs::read_dir(out).map_err(|e| Failure::io("cannot read the folder", out, &e))?;
        let number = |name: &str| name.get(..5).and_then(|n| n.parse::<usize>().ok());
        let taken = entries.filter_map(|e| number(&e.ok()?.file_name().to_string_lossy())).max();
        Ok(OutputLocation::Folder(out.clone(), taken.map_or(0, |n| n + 1), options.format))
    }

    /// Writes a picture, the `index`th of the command; gives its file.
    pub(super) fn save(&self, picture: &Picture, index: usize) -> Result<PathBuf, Failure> {
        let path = match self {
            OutputLocation::Folder(dir, next, format) => {
                let ending = match format {
                    Format::Png => "png",
                    Format::Jpg => "jpg",
                    Format::Webp => "webp",
                };
                dir.join(format!("{:05}-{}.{ending}", next + index, picture.seed))
            }
            OutputLocation::File(path) => path.clone(),
        };
        save(picture, &path)?;
        Ok(path)
    }
}

/// The format that a file's ending names.
fn format(path: &Path) -> Option<Format> {
    match endings::of(path).as_str() {
        "png" => Some(Format::Png),
        "jpg" | "jpeg" => Some(Format::Jpg),
        "webp" => Some(Format::Webp),
        _ => None,
    }
}

/// Makes a folder, and sees that files can be written there before anything is computed.
fn make(dir: &Path) -> Result<(), Failure> {
    make_folder(dir)?;
    atomic::probe(dir).map_err(|e| {
        Failure::io("cannot write into", dir, &e)
            .hint("choose another folder with {draw.out}, or allow writing there")
    })
}

/// Writes a picture with its settings, in the format of the file's ending.
pub(crate) fn save(picture: &Picture, path: &Path) -> Result<(), Failure> {
    let (width, height) = (picture.width, picture.height);
    let at = |fault: wayword_formats::error::Fault| Failure::from(fault.at(path));
    let colours = image::ExtendedColorType::Rgb8;
    let mut bytes = Vec::new();
    let file = match format(path).unwrap_or(Format::Png) {
        Format::Png => {
            let text = PngText { key: "parameters".into(), text: picture.infotext.clone() };
            encode_rgb8(width, height, &picture.rgb, &[text]).map_err(at)?
        }
        Format::Jpg => {
            let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
            encoder.encode(&picture.rgb, width, height, colours)?;
            exif::jpeg_with_comment(&bytes, &picture.infotext).map_err(at)?
        }
        Format::Webp => {
            let encoder = WebPEncoder::new_lossless(&mut bytes);
            encoder.encode(&picture.rgb, width, height, colours)?;
            exif::webp_with_comment(&bytes, &picture.infotext).map_err(at)?
        }
    };
    write(path, &file)
}
