//! The user comment in EXIF: where JPEG and WebP files keep their infotext.
//!
//! EXIF is a little TIFF file: a byte order, and directories of tagged values. The comment (tag
//! 0x9286) stands in the directory that tag 0x8769 of the first points to, as eight bytes that name
//! an encoding and then the text. A1111 writes big-endian UTF-16.

use crate::error::Fault;
use crate::png_text;
use std::path::Path;

const EXIF_POINTER: u16 = 0x8769;
const USER_COMMENT: u16 = 0x9286;

/// The user comment of a JPEG, WebP or PNG file; `None` where there is none or the file is cut off.
#[must_use]
pub fn user_comment(picture: &[u8]) -> Option<String> {
    comment(exif(picture)?)
}

/// The infotext of a picture: the text `parameters` of a PNG, overridden by the EXIF comment. The
/// texts of NovelAI's pictures are turned into A1111's form.
///
/// # Errors
/// Where the file is a broken PNG.
pub fn infotext(picture: &[u8]) -> Result<Option<String>, Fault> {
    if let Some(text) = user_comment(picture) {
        return Ok(Some(text));
    }
    if !picture.starts_with(&png_text::SIGNATURE) {
        return Ok(None);
    }
    let texts = png_text::read(picture)?;
    let get = |key: &str| texts.iter().find(|t| t.key == key).map(|t| t.text.as_str());
    if get("Software") == Some("NovelAI")
        && let (Some(prompt), Some(comment)) = (get("Description"), get("Comment"))
    {
        return Ok(novel_ai(prompt, comment, picture));
    }
    Ok(get("parameters").map(str::to_owned))
}

/// As [`infotext`], of a file.
///
/// # Errors
/// Where it cannot be read, or as [`infotext`].
pub fn read_infotext(path: &Path) -> Result<Option<String>, crate::Error> {
    use crate::error::At;
    infotext(&std::fs::read(path).at(path)?).at(path)
}

fn novel_ai(prompt: &str, comment: &str, picture: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(comment).ok()?;
    let text = |key: &str| match &json[key] {
        serde_json::Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    let sampler = match text("sampler").as_str() {
        "k_euler" => "Euler",
        "k_lms" => "LMS",
        "k_heun" => "Heun",
        "k_dpm_2" => "DPM2",
        "k_dpm_2_ancestral" => "DPM2 a",
        "k_dpmpp_2s_ancestral" => "DPM++ 2S a",
        "k_dpmpp_2m" => "DPM++ 2M",
        "k_dpmpp_sde" => "DPM++ SDE",
        "ddim" => "DDIM",
        "plms" => "PLMS",
        _ => "Euler a",
    };
    let (w, h) = png_text::size(picture)?;
    Some(format!(
        "{prompt}\nNegative prompt: {}\nSteps: {}, Sampler: {sampler}, CFG scale: {}, Seed: {}, \
         Size: {w}x{h}, Clip skip: 2, ENSD: 31337",
        text("uc"),
        text("steps"),
        text("scale"),
        text("seed"),
    ))
}

/// The EXIF block of a picture, without its marker.
fn exif(picture: &[u8]) -> Option<&[u8]> {
    if picture.starts_with(&png_text::SIGNATURE) {
        return png_text::chunks(picture).find(|(kind, _)| *kind == b"eXIf").map(|(_, d)| d);
    }
    let block = if picture.starts_with(b"RIFF") {
        webp_chunks(picture).find(|(kind, _)| *kind == b"EXIF").map(|(_, data)| data)?
    } else {
        jpeg_exif(picture)?
    };
    // Some writers put JPEG's marker into WebP files too.
    Some(block.strip_prefix(b"Exif\0\0").unwrap_or(block))
}

fn jpeg_exif(jpeg: &[u8]) -> Option<&[u8]> {
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let [0xff, marker, tail @ ..] = rest else { return None };
        match marker {
            0xff => rest = &rest[1..],
            // Markers without a body, and the start of the picture itself.
            0x01 | 0xd0..=0xd7 => rest = tail,
            0xda | 0xd9 => return None,
            _ => {
                let length = usize::from(u16::from_be_bytes(*tail.first_chunk()?));
                let body = tail.get(2..length)?;
                if *marker == 0xe1 && body.starts_with(b"Exif\0\0") {
                    return Some(body);
                }
                rest = &tail[length..];
            }
        }
    }
}

/// The chunks of a WebP file, as far as it goes.
fn webp_chunks(webp: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = webp.get(12..).filter(|_| webp[8..].starts_with(b"WEBP")).unwrap_or_default();
    std::iter::from_fn(move || {
        let (kind, tail) = rest.split_first_chunk::<4>()?;
        let (length, tail) = tail.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let data = tail.get(..length)?;
        rest = tail.get(length.next_multiple_of(2)..).unwrap_or_default();
        Some((kind, data))
    })
}

fn comment(tiff: &[u8]) -> Option<String> {
    let is_little = match tiff.first_chunk::<4>()? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let b = *tiff.get(at..)?.first_chunk()?;
        Some(if is_little { u16::from_le_bytes(b) } else { u16::from_be_bytes(b) })
    };
    let u32_at = |at: usize| {
        let b = *tiff.get(at..)?.first_chunk()?;
        Some(if is_little { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) } as usize)
    };
    // A directory: a count, then twelve bytes an entry: tag, type, count, value or offset.
    let find = |directory: usize, tag: u16| {
        let count = usize::from(u16_at(directory)?);
        (0..count).map(|i| directory + 2 + 12 * i).find(|at| u16_at(*at) == Some(tag))
    };
    let pointer = find(u32_at(4)?, EXIF_POINTER)?;
    let entry = find(u32_at(pointer + 8)?, USER_COMMENT)?;
    let length = u32_at(entry + 4)?;
    let start = u32_at(entry + 8)?;
    let (encoding, text) = tiff.get(start..start.checked_add(length)?)?.split_first_chunk::<8>()?;
    match encoding {
        b"UNICODE\0" => {
            let units = text.as_chunks::<2>().0;
            // A1111 always writes big-endian; some others follow the file's order. Latin letters
            // have their zero byte in front or behind.
            let zeros = |i: usize| units.iter().filter(|u| u[i] == 0).count();
            let swap = is_little && zeros(1) > zeros(0);
            let unit =
                |u: &[u8; 2]| if swap { u16::from_le_bytes(*u) } else { u16::from_be_bytes(*u) };
            Some(String::from_utf16_lossy(&units.iter().map(unit).collect::<Vec<_>>()))
        }
        b"ASCII\0\0\0" | [0, ..] => {
            let text = String::from_utf8_lossy(text);
            Some(text.trim_end_matches('\0').to_owned())
        }
        _ => None,
    }
}

/// An EXIF block (TIFF, big-endian) that holds nothing but the comment.
fn block(text: &str) -> Result<Vec<u8>, Fault> {
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let length = u32::try_from(utf16.len() + 8);
    let length = length.map_err(|_| Fault::container("a text beyond 4 GB"))?;
    let mut out = b"MM\0*\0\0\0\x08".to_vec();
    let mut directory = |tag: u16, kind: u16, count: u32, value: u32| {
        out.extend_from_slice(&1_u16.to_be_bytes());
        out.extend_from_slice(&tag.to_be_bytes());
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
        // No directory follows.
        out.extend_from_slice(&[0; 4]);
    };
    directory(EXIF_POINTER, 4, 1, 26);
    directory(USER_COMMENT, 7, length, 44);
    out.extend_from_slice(b"UNICODE\0");
    out.extend_from_slice(&utf16);
    Ok(out)
}

/// A JPEG file with `text` as its user comment. An EXIF block that it had is replaced.
///
/// # Errors
/// Where it is no JPEG, or the text does not fit the 64 KB of a JPEG's block.
pub fn jpeg_with_comment(jpeg: &[u8], text: &str) -> Result<Vec<u8>, Fault> {
    let Some(body) = jpeg.strip_prefix(&[0xff, 0xd8]) else {
        return Err(Fault::container("not a JPEG: the first bytes are wrong"));
    };
    let block = block(text)?;
    let length = u16::try_from(block.len() + 8)
        .map_err(|_| Fault::container("the text is too long for a JPEG, which holds 64 KB"))?;
    let mut out = vec![0xff, 0xd8, 0xff, 0xe1];
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(b"Exif\0\0");
    out.extend_from_slice(&block);
    match jpeg_exif(jpeg) {
        // Both slices are of one file, so their distance is the block's place in it.
        Some(old) => {
            let end = old.as_ptr_range().end as usize - jpeg.as_ptr() as usize;
            let start = end - old.len() - 4;
            out.extend_from_slice(&jpeg[2..start]);
            out.extend_from_slice(&jpeg[end..]);
        }
        None => out.extend_from_slice(body),
    }
    Ok(out)
}

/// A WebP file with `text` as its user comment. An EXIF block that it had is replaced.
///
/// # Errors
/// Where it is no WebP or its size cannot be read.
pub fn webp_with_comment(webp: &[u8], text: &str) -> Result<Vec<u8>, Fault> {
    const HAS_EXIF: u8 = 0x08;
    const HAS_ALPHA: u8 = 0x10;
    let broken = || Fault::container("not a readable WebP");
    let chunks: Vec<(&[u8; 4], &[u8])> = webp_chunks(webp).collect();
    let mut head = match chunks.first().ok_or_else(broken)? {
        (b"VP8X", data) => data.first_chunk::<10>().copied().ok_or_else(broken)?,
        (b"VP8 ", data) => {
            // Frame tag, start code, then 14 bits of width and of height.
            let size = data.get(6..10).ok_or_else(broken)?;
            let side = |i: usize| u32::from(u16::from_le_bytes([size[i], size[i + 1]]) & 0x3fff);
            extended(0, side(0), side(2))
        }
        (b"VP8L", data) => {
            // Signature, then 14 bits of width - 1, of height - 1, and whether alpha is used.
            let bits = data.get(1..5).and_then(|b| b.first_chunk()).ok_or_else(broken)?;
            let bits = u32::from_le_bytes(*bits);
            let alpha = if bits >> 28 & 1 == 1 { HAS_ALPHA } else { 0 };
            extended(alpha, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
        }
        _ => return Err(broken()),
    };
    head[0] |= HAS_EXIF;
    let block = block(text)?;
    let mut out = b"RIFF\0\0\0\0WEBP".to_vec();
    let mut push = |kind: &[u8; 4], data: &[u8]| {
        out.extend_from_slice(kind);
        // Each part is of a file in memory whose own lengths are 32 bits.
        out.extend_from_slice(&(u32::try_from(data.len()).unwrap_or(u32::MAX)).to_le_bytes());
        out.extend_from_slice(data);
        out.extend(std::iter::repeat_n(0, data.len() % 2));
    };
    push(b"VP8X", &head);
    for (kind, data) in chunks.iter().filter(|(k, _)| !matches!(*k, b"VP8X" | b"EXIF")) {
        push(kind, data);
    }
    push(b"EXIF", &block);
    let length = u32::try_from(out.len() - 8).map_err(|_| Fault::container("beyond 4 GB"))?;
    out[4..8].copy_from_slice(&length.to_le_bytes());
    Ok(out)
}

/// The chunk that announces further chunks: flags, and the sides less one in 24 bits.
fn extended(flags: u8, w: u32, h: u32) -> [u8; 10] {
    let [w0, w1, w2, _] = w.wrapping_sub(1).to_le_bytes();
    let [h0, h1, h2, _] = h.wrapping_sub(1).to_le_bytes();
    [flags, 0, 0, 0, w0, w1, w2, h0, h1, h2]
}
