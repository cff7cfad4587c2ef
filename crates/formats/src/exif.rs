//! The texts in EXIF: where JPEG and WebP files keep their infotext.
//!
//! EXIF is a little TIFF file: a byte order, and directories of tagged values. The comment (tag
//! 0x9286) stands in the directory that tag 0x8769 of the first points to, as eight bytes that name
//! an encoding and then the text. A1111 writes big-endian UTF-16; others write either byte order, put
//! the comment into the first directory, or leave the encoding out.

use crate::error::Fault;
use crate::png_text;

const EXIF_POINTER: u16 = 0x8769;
const USER_COMMENT: u16 = 0x9286;

/// Tags of the first directory that hold text: the tag, its name, whether it is UTF-16.
const TEXTS: [(u16, &str, bool); 6] = [
    (0x010e, "ImageDescription", false),
    (0x010f, "Make", false),
    (0x0110, "Model", false),
    (0x0131, "Software", false),
    (0x9c9c, "XPComment", true),
    (0x9c9b, "XPTitle", true),
];

/// The user comment of a JPEG, WebP or PNG file; `None` where there is none or the file is cut off.
#[must_use]
pub fn user_comment(picture: &[u8]) -> Option<String> {
    let all = texts(picture);
    all.into_iter().find(|(name, _)| *name == "UserComment").map(|(_, text)| text)
}

/// All texts in a picture's EXIF, with the names of their tags, the user comment first.
#[must_use]
pub fn texts(picture: &[u8]) -> Vec<(&'static str, String)> {
    let mut out: Vec<_> = blocks(picture).into_iter().flat_map(of_block).collect();
    out.sort_by_key(|(name, _)| *name != "UserComment");
    out
}

/// The EXIF blocks of a picture, without their markers.
fn blocks(picture: &[u8]) -> Vec<&[u8]> {
    let blocks: Vec<&[u8]> = if picture.starts_with(&png_text::SIGNATURE) {
        png_text::chunks(picture).filter(|(kind, _)| *kind == b"eXIf").map(|(_, d)| d).collect()
    } else if picture.starts_with(b"RIFF") {
        webp_chunks(picture).filter(|(kind, _)| *kind == b"EXIF").map(|(_, data)| data).collect()
    } else {
        let exif = |(marker, body): &(u8, &[u8])| *marker == 0xe1 && body.starts_with(EXIF);
        jpeg_segments(picture).filter(exif).map(|(_, body)| body).collect()
    };
    // Some writers put JPEG's marker into WebP files too.
    blocks.into_iter().map(|block| block.strip_prefix(EXIF).unwrap_or(block)).collect()
}

/// What precedes EXIF in a JPEG's segment.
const EXIF: &[u8] = b"Exif\0\0";

/// The segments of a JPEG file before its pixels: marker and body.
pub(crate) fn jpeg_segments(jpeg: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8]).unwrap_or_default();
    std::iter::from_fn(move || {
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
                    rest = &tail[length..];
                    return Some((*marker, body));
                }
            }
        }
    })
}

/// The chunks of a WebP file, as far as it goes.
pub(crate) fn webp_chunks(webp: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
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

/// The texts of one block.
fn of_block(tiff: &[u8]) -> Vec<(&'static str, String)> {
    let Some(tiff) = Tiff::new(tiff) else { return Vec::new() };
    let Some(first) = tiff.u32(4) else { return Vec::new() };
    let pointer = tiff.entry(first, EXIF_POINTER).and_then(|at| tiff.u32(at + 8));
    let mut out = Vec::new();
    for directory in pointer.into_iter().chain([first]) {
        let bytes = tiff.entry(directory, USER_COMMENT).and_then(|at| tiff.data(at));
        if let Some(text) = bytes.and_then(|bytes| comment(bytes, tiff.is_little)) {
            out.push(("UserComment", text));
        }
    }
    for (tag, name, is_utf16) in TEXTS {
        let Some(bytes) = tiff.entry(first, tag).and_then(|at| tiff.data(at)) else { continue };
        let text = if is_utf16 { utf16(bytes, true) } else { utf8(bytes) };
        out.push((name, text.trim_end_matches('\0').to_owned()));
    }
    out
}

/// A TIFF file's bytes and byte order.
struct Tiff<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let is_little = match bytes.first_chunk::<4>()? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Self { bytes, is_little })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let b = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little { u16::from_le_bytes(b) } else { u16::from_be_bytes(b) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let b = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) } as usize)
    }

    /// Where a tag's entry stands. A directory: a count, then twelve bytes an entry: tag, type,
    /// count, value or offset.
    fn entry(&self, directory: usize, tag: u16) -> Option<usize> {
        let count = usize::from(self.u16(directory)?);
        (0..count).map(|i| directory + 2 + 12 * i).find(|at| self.u16(*at) == Some(tag))
    }

    /// The bytes of an entry's value; up to four stand in the entry itself.
    fn data(&self, entry: usize) -> Option<&'a [u8]> {
        let size = match self.u16(entry + 2)? {
            3 | 8 => 2,
            4 | 9 | 11 => 4,
            5 | 10 | 12 => 8,
            _ => 1,
        };
        let length = self.u32(entry + 4)?.checked_mul(size)?;
        let start = if length <= 4 { entry + 8 } else { self.u32(entry + 8)? };
        self.bytes.get(start..start.checked_add(length)?)
    }
}

/// The text of a user comment, with or without the eight bytes that name its encoding; `None` for
/// an encoding that is not read (JIS).
fn comment(bytes: &[u8], is_little: bool) -> Option<String> {
    let text = match bytes.split_first_chunk::<8>() {
        Some((b"UNICODE\0", text)) => utf16(text, is_little),
        Some((b"ASCII\0\0\0" | [0, 0, 0, 0, 0, 0, 0, 0], text)) => utf8(text),
        Some((b"JIS\0\0\0\0\0", _)) => return None,
        _ if bytes.contains(&0) => utf16(bytes, is_little),
        _ => utf8(bytes),
    };
    Some(text.trim_end_matches('\0').to_owned())
}

fn utf8(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// UTF-16 of the byte order that the text itself shows: a byte order mark, else the zero bytes of
/// Latin letters, which stand in front or behind, and the pairs of units that emoji are;
/// `is_little` where neither tells. Some writers name UTF-16 and write UTF-8.
fn utf16(bytes: &[u8], is_little: bool) -> String {
    // Only a text that is settings as UTF-8 is that: two Latin letters are one Chinese character.
    if bytes.windows(7).any(|w| w == b"Steps: ") && std::str::from_utf8(bytes).is_ok() {
        return utf8(bytes);
    }
    let units = bytes.as_chunks::<2>().0;
    // A pair has up to two zero bytes in its second halves, so it counts more than these.
    let pair = |i: usize, w: &[[u8; 2]]| w[0][i] & 0xfc == 0xd8 && w[1][i] & 0xfc == 0xdc;
    let zeros = |i: usize| {
        let pairs = units.windows(2).filter(|w| pair(i, w)).count();
        units.iter().filter(|u| u[i] == 0).count() + 3 * pairs
    };
    let (units, swap) = match units.first() {
        Some([0xff, 0xfe]) => (&units[1..], true),
        Some([0xfe, 0xff]) => (&units[1..], false),
        // A1111 always writes big-endian, whatever the file's order is.
        _ if zeros(0) == zeros(1) => (units, is_little && zeros(0) > 0),
        _ => (units, zeros(1) > zeros(0)),
    };
    let unit = |u: &[u8; 2]| if swap { u16::from_le_bytes(*u) } else { u16::from_be_bytes(*u) };
    String::from_utf16_lossy(&units.iter().map(unit).collect::<Vec<_>>())
}

/// An EXIF block (TIFF, big-endian) that holds nothing but the comment.
fn block(text: &str) -> Result<Vec<u8>, Fault> {
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let length = u32::try_from(utf16.len() + 8);
    let length = length.map_err(|_| Fault::container("a text larger than 4 GB"))?;
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
        return Err(Fault::container("not a JPEG: the signature is missing"));
    };
    let block = block(text)?;
    let length = u16::try_from(block.len() + 8)
        .map_err(|_| Fault::container("the text is longer than the 64 KB that a JPEG can hold"))?;
    let mut out = vec![0xff, 0xd8, 0xff, 0xe1];
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(b"Exif\0\0");
    out.extend_from_slice(&block);
    let exif = |(marker, body): &(u8, &[u8])| *marker == 0xe1 && body.starts_with(EXIF);
    match jpeg_segments(jpeg).find(exif).map(|(_, body)| body) {
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
