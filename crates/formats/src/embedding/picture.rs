//! Embeddings in pictures: A1111 writes its structure as JSON into a PNG's text chunk and into the
//! low four bits of the pixels.
//!
//! Pixels: the black border is cut off. The first and the last column whose low bits are all zero
//! separate a strip of low halves on the left from one of high halves on the right. Each strip is
//! XORed with the low four bits of a generator, state <- 1664525 * state + 1013904223 mod 2^32 from
//! state 0, taken modulo 255. Byte = high half, low half; the bytes are a zlib stream of the JSON.

use super::{Embedding, Layout};
use crate::array::Array;
use crate::error::Fault;
use crate::pickle::Value;
use crate::png_text;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::{DynamicImage, ImageReader, Limits, RgbImage};
use std::io::{Cursor, Read};

/// The largest picture that is searched, in pixels.
const PIXEL_LIMIT: u64 = 1 << 26;
/// The largest JSON: 75 rows of 2048 values take some 4 MB.
const JSON_LIMIT: u64 = 64 << 20;

/// Reads the embedding in a PNG or WebP picture.
///
/// # Errors
/// `Fault::Kind` for a sound picture without an embedding; other faults where the picture or what
/// is hidden in it is broken.
pub fn from_bytes(bytes: &[u8]) -> Result<Embedding, Fault> {
    if bytes.starts_with(&png_text::SIGNATURE) {
        let texts = png_text::read(bytes)?;
        if let Some(text) = texts.iter().find(|t| t.key == "sd-ti-embedding") {
            let text: String = text.text.split_ascii_whitespace().collect();
            let json = BASE64_STANDARD.decode(text);
            let json = json.map_err(|e| Fault::library("`sd-ti-embedding`: base64", e))?;
            return from_json(&json, Layout::PictureText);
        }
    }
    match hidden(&decode(bytes)?) {
        Some(json) => from_json(&json, Layout::PicturePixels),
        None => {
            Err(Fault::Kind { what: "an ordinary image without an embedding".into(), hint: None })
        }
    }
}

fn decode(bytes: &[u8]) -> Result<RgbImage, Fault> {
    let broken = |e: image::ImageError| Fault::library("not a readable image", e);
    let reader = || ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let (w, h) = reader()?.into_dimensions().map_err(broken)?;
    let pixels = u64::from(w) * u64::from(h);
    if pixels > PIXEL_LIMIT {
        let what = format!("an image of {w} x {h} pixels, more than the limit of {PIXEL_LIMIT}");
        return Err(Fault::Container(what));
    }
    let mut reader = reader()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(PIXEL_LIMIT * 16);
    reader.limits(limits);
    Ok(match reader.decode().map_err(broken)? {
        DynamicImage::ImageRgb8(image) => image,
        other => other.to_rgb8(),
    })
}

/// The bytes hidden in the low bits; `None` for an ordinary picture.
fn hidden(image: &RgbImage) -> Option<Vec<u8>> {
    let [left, top, right, bottom] = without_border(image)?;
    let nibbles = |x: u32, y: u32| image.get_pixel(x, y).0.map(|v| v & 0x0f);
    let empty = |x: &u32| (top..bottom).all(|y| nibbles(*x, y) == [0; 3]);
    let first = (left..right).find(empty)?;
    let last = (left..right).rev().find(empty)?;
    if first == last || first - left != right - last - 1 {
        return None;
    }
    let strip = |from: u32, to: u32| {
        let mut state = 0_u32;
        let mut out = Vec::new();
        for y in top..bottom {
            for x in from..to {
                for v in nibbles(x, y) {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    out.push(v ^ ((state % 255) as u8 & 0x0f));
                }
            }
        }
        out
    };
    let (low, high) = (strip(left, first), strip(last + 1, right));
    let packed: Vec<u8> = low.iter().zip(&high).map(|(l, h)| h << 4 | l).collect();
    let mut out = Vec::new();
    let unpack = flate2::read::ZlibDecoder::new(&packed[..]);
    // An ordinary picture may have two such columns; it does not unpack.
    unpack.take(JSON_LIMIT).read_to_end(&mut out).ok().filter(|n| *n > 0)?;
    Some(out)
}

/// The box of pixels with no channel at zero: left, top, right, bottom, the last two exclusive.
fn without_border(image: &RgbImage) -> Option<[u32; 4]> {
    let mut bounds: Option<[u32; 4]> = None;
    for (x, y, pixel) in image.enumerate_pixels() {
        if pixel.0.iter().all(|v| *v > 0) {
            let [l, t, r, b] = bounds.unwrap_or([x, y, x + 1, y + 1]);
            bounds = Some([l.min(x), t.min(y), r.max(x + 1), b.max(y + 1)]);
        }
    }
    bounds
}

fn from_json(json: &[u8], layout: Layout) -> Result<Embedding, Fault> {
    let json: serde_json::Value = serde_json::from_slice(json)
        .map_err(|e| Fault::library("the embedding in the image", e))?;
    let embedding = super::from_value(&value(&json)?)?;
    Ok(Embedding { layout, ..embedding })
}

/// JSON as A1111 writes it: a tensor is `{"TORCHTENSOR": nested lists}`.
fn value(json: &serde_json::Value) -> Result<Value, Fault> {
    use serde_json::Value as Json;
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => match n.as_i64() {
            Some(n) => Value::Int(n),
            None => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(s) => Value::text(s),
        Json::Array(items) => Value::List(items.iter().map(value).collect::<Result<_, _>>()?),
        Json::Object(map) => match map.get("TORCHTENSOR") {
            Some(nested) if map.len() == 1 => Value::Tensor(tensor(nested)?),
            _ => {
                let pair = |(k, v): (&String, &Json)| Ok((Value::text(k), value(v)?));
                Value::Dict(map.iter().map(pair).collect::<Result<_, Fault>>()?)
            }
        },
    })
}

fn tensor(json: &serde_json::Value) -> Result<Array, Fault> {
    let (mut shape, mut at) = (Vec::new(), json);
    while let serde_json::Value::Array(items) = at {
        shape.push(items.len());
        at = items.first().unwrap_or(&serde_json::Value::Null);
    }
    let mut values = Vec::new();
    flatten(json, &shape, &mut values)?;
    Array::from_f32(shape, &values)
}

fn flatten(json: &serde_json::Value, shape: &[usize], out: &mut Vec<f32>) -> Result<(), Fault> {
    match (json, shape) {
        (serde_json::Value::Array(items), [n, rest @ ..]) if items.len() == *n => {
            items.iter().try_for_each(|v| flatten(v, rest, out))
        }
        (serde_json::Value::Number(n), []) => {
            #[expect(clippy::cast_possible_truncation, reason = "the values were f32")]
            out.push(n.as_f64().unwrap_or(f64::NAN) as f32);
            Ok(())
        }
        _ => Err(Fault::container("the tensor in the image is not a rectangular list of numbers")),
    }
}
