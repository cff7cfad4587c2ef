//! Text in PNG files: the chunks tEXt (Latin-1), zTXt (the same, packed) and iTXt (UTF-8).

use crate::error::Fault;
use std::io::Read;

/// The eight bytes that begin every PNG.
pub const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The most that one packed text may unfold to.
const TEXT_LIMIT: u64 = 64 << 20;

/// One text of a PNG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PngText {
    /// Its keyword, such as `parameters`.
    pub key: String,
    /// The text.
    pub text: String,
}

/// All texts of a PNG file, in the file's order; pixels are not decoded.
///
/// # Errors
/// Where it is no PNG, is cut off, or a text chunk's checksum or packing is wrong.
pub fn read(png: &[u8]) -> Result<Vec<PngText>, Fault> {
    let mut rest = png
        .strip_prefix(&SIGNATURE)
        .ok_or_else(|| Fault::container("not a PNG: the signature is missing"))?;
    let mut out = Vec::new();
    let cut = || Fault::container("PNG: the file is truncated");
    loop {
        let (head, after) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
        let (length, kind) = head.split_at(4);
        let length: [u8; 4] = *length.first_chunk().expect("four of eight bytes");
        let length = u32::from_be_bytes(length) as usize;
        let data = after.get(..length).ok_or_else(cut)?;
        let crc: &[u8; 4] = after[length..].first_chunk().ok_or_else(cut)?;
        rest = &after[length + 4..];
        let text = match kind {
            b"IEND" => return Ok(out),
            b"tEXt" => plain(data),
            b"zTXt" => packed(data)?,
            b"iTXt" => international(data)?,
            _ => continue,
        };
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(data);
        if sum.sum() != u32::from_be_bytes(*crc) {
            return Err(Fault::container("PNG: a text chunk has a wrong checksum"));
        }
        out.extend(text);
    }
}

/// The chunks of a PNG file as far as it goes: kind and data, checksums unread.
pub(crate) fn chunks(png: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = png.strip_prefix(&SIGNATURE).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (kind, tail) = tail.split_first_chunk::<4>()?;
        let data = tail.get(..u32::from_be_bytes(*length) as usize)?;
        rest = tail.get(data.len() + 4..).unwrap_or_default();
        Some((kind, data))
    })
}

/// A PNG file of `width * height` RGB pixels of three bytes, row by row, with texts before the
/// pixels: tEXt where Latin-1 can hold the text, iTXt otherwise, as A1111 writes them.
///
/// # Errors
/// Where the pixels are of another number, or a keyword is not 1 to 79 Latin-1 characters.
pub fn encode_rgb8(
    width: u32,
    height: u32,
    pixels: &[u8],
    texts: &[PngText],
) -> Result<Vec<u8>, Fault> {
    let need = u64::from(width) * u64::from(height) * 3;
    if need != pixels.len() as u64 {
        let found = format!("{} bytes", pixels.len());
        return Err(Fault::tensor("pixels", format!("{need} bytes"), found));
    }
    let failed = |e: png::EncodingError| Fault::library("PNG", e);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    for PngText { key, text } in texts {
        let is_latin1 = text.chars().all(|c| u32::from(c) <= 0xff);
        let (key, text) = (key.clone(), text.clone());
        if is_latin1 {
            encoder.add_text_chunk(key, text).map_err(failed)?;
        } else {
            encoder.add_itxt_chunk(key, text).map_err(failed)?;
        }
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}

/// Splits at the first zero byte.
fn at_zero(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = data.iter().position(|b| *b == 0)?;
    Some((&data[..at], &data[at + 1..]))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

fn plain(data: &[u8]) -> Option<PngText> {
    let (key, text) = at_zero(data)?;
    Some(PngText { key: latin1(key), text: latin1(text) })
}

fn packed(data: &[u8]) -> Result<Option<PngText>, Fault> {
    let Some((key, [0, text @ ..])) = at_zero(data) else { return Ok(None) };
    Ok(Some(PngText { key: latin1(key), text: latin1(&inflate(text)?) }))
}

fn international(data: &[u8]) -> Result<Option<PngText>, Fault> {
    let Some((key, [is_packed, _method, rest @ ..])) = at_zero(data) else { return Ok(None) };
    let Some((_language, rest)) = at_zero(rest) else { return Ok(None) };
    let Some((_translated, text)) = at_zero(rest) else { return Ok(None) };
    let text = if *is_packed == 0 { text.to_vec() } else { inflate(text)? };
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Some(PngText { key: latin1(key), text }))
}

fn inflate(data: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    let read = flate2::read::ZlibDecoder::new(data).take(TEXT_LIMIT + 1).read_to_end(&mut out);
    read.map_err(|e| Fault::library("PNG: a compressed text", e))?;
    if out.len() as u64 > TEXT_LIMIT {
        return Err(Fault::Container(format!("PNG: a text of more than {TEXT_LIMIT} bytes")));
    }
    Ok(out)
}
