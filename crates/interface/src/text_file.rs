//! The text of a file that people write: UTF-8 or UTF-16, with or without a byte order mark.
//!
//! Windows' editors and shells write UTF-16 and marks; other encodings cannot be told apart by their
//! bytes, so they are refused and not guessed.

use std::borrow::Cow;
use std::io;
use std::path::Path;

/// Why bytes are no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// Neither UTF-8 nor UTF-16: the first byte that does not fit, perhaps of an encoding such as
    /// Windows-1252, Shift-JIS or GBK.
    #[error(
        "not UTF-8 at byte {0}, perhaps another encoding such as Windows-1252, Shift-JIS or GBK"
    )]
    OtherEncoding(usize),
    /// Zero bytes where text has none: not a text file.
    #[error("not a text file: a zero byte at {0}")]
    Binary(usize),
    /// UTF-16 with half a character.
    #[error("broken UTF-16 text")]
    BrokenUtf16,
}

/// A file's text, as [`decode`] gives it; bytes that are no text are [`io::ErrorKind::InvalidData`].
///
/// # Errors
/// If it cannot be read or is no text.
pub fn read(path: &Path) -> io::Result<String> {
    let bytes = std::fs::read(path)?;
    let text = decode(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    Ok(text.into_owned())
}

/// The text without its byte order mark.
///
/// # Errors
/// Where the bytes are of another encoding or no text.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, NotText> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => return utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return utf16(rest, u16::from_be_bytes),
        // Without a mark: Latin letters have a zero byte in front or behind.
        [a, 0, b, 0, ..] if *a != 0 && *b != 0 => return utf16(bytes, u16::from_le_bytes),
        [0, a, 0, b, ..] if *a != 0 && *b != 0 => return utf16(bytes, u16::from_be_bytes),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| NotText::OtherEncoding(e.valid_up_to()))?;
    match text.find('\0') {
        Some(at) => Err(NotText::Binary(at)),
        None => Ok(text.into()),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, NotText> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(NotText::BrokenUtf16);
    }
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|p| unit(*p))).collect();
    text.map(Cow::Owned).map_err(|_| NotText::BrokenUtf16)
}

#[cfg(test)]
mod tests {
    use super::{NotText, decode};

    #[test]
    fn every_form_of_unicode_is_the_same_text() {
        let text = "one\r\ntwo, 角色";
        let wide = |from: fn(u16) -> [u8; 2], mark: &[u8]| {
            mark.iter().copied().chain(text.encode_utf16().flat_map(from)).collect::<Vec<u8>>()
        };
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat(),
            wide(u16::to_le_bytes, b"\xff\xfe"),
            wide(u16::to_be_bytes, b"\xfe\xff"),
            wide(u16::to_le_bytes, b""),
            wide(u16::to_be_bytes, b""),
        ] {
            assert_eq!(decode(&bytes).as_deref(), Ok(text), "{bytes:?}");
        }
        assert_eq!(decode(b"").as_deref(), Ok(""));
    }

    #[test]
    fn other_encodings_are_refused_by_name() {
        assert_eq!(decode(b"caf\xe9"), Err(NotText::OtherEncoding(3)));
        assert_eq!(decode(b"text\0text"), Err(NotText::Binary(4)));
        assert_eq!(decode(b"\xff\xfea"), Err(NotText::BrokenUtf16));
    }
}
