//! Windows to states: learned rows are put in place, texts are encoded together, weights applied.
use super::{Chunk, emphasize};
use crate::tokenizer::POSITIONS;
use crate::{Result, TextEncoder};
use wayword_prompt::Emphasis;
use wayword_tensor::{Device, Shape, Tensor};

/// The states of texts that were encoded together.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// Of each text, `[77 * windows, width]`; all have as many windows.
    pub states: Vec<Vec<f32>>,
    /// The learned words in them, by the caller's numbers, in the order of first use.
    pub words: Vec<usize>,
}

/// Encodes the windows of some texts: all entries of one part's schedule. Texts with fewer windows
/// get empty ones. `rows` gives a learned word's vectors, `[n, width]`.
///
/// # Errors
/// If the device fails.
pub fn encode<'a>(
    text: &TextEncoder,
    device: &Device,
    mut texts: Vec<Vec<Chunk>>,
    rows: impl Fn(usize) -> &'a [f32],
    clip_skip: usize,
    emphasis: Emphasis,
) -> Result<Encoded> {
    let windows = texts.iter().map(Vec::len).max().unwrap_or(0);
    texts.iter_mut().for_each(|chunks| chunks.resize_with(windows, Chunk::empty));
    let width = text.width();
    let mut encoded = Encoded { states: vec![Vec::new(); texts.len()], words: Vec::new() };
    for window in 0..windows {
        let (mut ids, mut extra, mut multipliers) = (Vec::new(), Vec::new(), Vec::new());
        for chunks in &texts {
            let chunk = &chunks[window];
            let mut tokens = chunk.tokens.clone();
            for fix in &chunk.fixes {
                if !encoded.words.contains(&fix.word) {
                    encoded.words.push(fix.word);
                }
                let first = text.vocabulary() + extra.len() / width;
                extra.extend_from_slice(rows(fix.word));
                // Vectors beyond the window's end are cut off.
                let places = tokens.iter_mut().skip(fix.offset + 1).take(fix.count);
                places.zip(first..).for_each(|(id, row)| *id = row as u32);
            }
            ids.extend(tokens);
            multipliers.extend_from_slice(&chunk.multipliers);
        }
        let learned = match extra.len() / width {
            0 => None,
            n => Some(Tensor::from_host(device, Shape::new(1, n, width), &extra)?),
        };
        let embedded = text.embed(&ids, texts.len(), learned.as_ref())?;
        let mut states = text.encode(&embedded, clip_skip)?.to_host()?;
        emphasize(&mut states, &multipliers, width, emphasis);
        let each = states.chunks_exact(POSITIONS * width);
        encoded.states.iter_mut().zip(each).for_each(|(all, own)| all.extend_from_slice(own));
    }
    Ok(encoded)
}
