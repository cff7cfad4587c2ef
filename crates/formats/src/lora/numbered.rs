//! Cloneofsimo's files: modules have numbers instead of names.
//!
//! The numbers count the linear layers under attention blocks (and GEGLU) in the order in which
//! diffusers registers them: blocks down, then up, then the middle one; in a transformer block
//! attn1, the feed-forward's gate, attn2 (old diffusers) or attn1, attn2, the gate (newer). Which
//! of the orders a file has shows in its shapes. In the text encoder the order is k, v, q, out.

use crate::array::Array;
use crate::error::Fault;
use std::collections::BTreeMap;

/// How many transformer blocks each block of the UNet has.
const DOWN: [usize; 3] = [2, 2, 2];
const UP: [usize; 3] = [3, 3, 3];
const BLOCKS: usize = 16;

const ATTENTION: [&str; 4] = ["to_q", "to_k", "to_v", "to_out.0"];
const TEXT: [&str; 4] = ["k_proj", "v_proj", "q_proj", "out_proj"];

/// Names for a list of tensors without any: pairs of up and down, for the UNet or the text encoder.
pub(super) fn named(tensors: &[Array]) -> Result<BTreeMap<String, Array>, Fault> {
    let (pairs, rest) = tensors.as_chunks::<2>();
    let part = match pairs.len() {
        144 | 128 => "unet",
        48 => "text_encoder",
        n => {
            let what = format!("a list of {n} pairs of tensors matches no known model");
            return Err(Fault::Container(what));
        }
    };
    if !rest.is_empty() {
        return Err(Fault::container("a list of pairs has an odd number of tensors"));
    }
    let mut out = BTreeMap::new();
    for (i, [up, down]) in pairs.iter().enumerate() {
        out.insert(format!("{part}:{i}:up"), up.clone());
        out.insert(format!("{part}:{i}:down"), down.clone());
    }
    Ok(out)
}

/// The names that numbered keys stand for, such as `unet:0:down`; empty for other files.
pub(super) fn names<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a [usize])>,
) -> Result<BTreeMap<String, String>, Fault> {
    // By part: each number's output width, and its input width.
    let mut parts: BTreeMap<&str, BTreeMap<usize, [usize; 2]>> = BTreeMap::new();
    let mut keys = Vec::new();
    for (key, shape) in tensors {
        let mut split = key.split(':');
        let (Some(part), Some(Ok(n)), Some(end), None) =
            (split.next(), split.next().map(str::parse::<usize>), split.next(), split.next())
        else {
            continue;
        };
        let widths = parts.entry(part).or_default().entry(n).or_default();
        match (end, shape) {
            ("up", [out, ..]) => widths[0] = *out,
            ("down", [_, input, ..]) => widths[1] = *input,
            _ => continue,
        }
        keys.push((key, part, n, end));
    }
    let mut modules: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (part, widths) in &parts {
        let found = match *part {
            "unet" => unet(widths),
            "text_encoder" => text(widths.len()),
            _ => None,
        };
        let found = found.ok_or_else(|| {
            let what =
                format!("{} numbered modules of `{part}` match no known model", widths.len());
            Fault::Container(what)
        })?;
        modules.insert(part, found);
    }
    let name = |(key, part, n, end): (&str, &str, usize, &str)| {
        let module = modules.get(part)?.get(n)?;
        Some((key.to_owned(), format!("{module}.lora_{end}.weight")))
    };
    Ok(keys.into_iter().filter_map(name).collect())
}

fn text(count: usize) -> Option<Vec<String>> {
    let name = |i: usize| {
        let (layer, part) = (i / 4, TEXT[i % 4]);
        format!("text_encoder.text_model.encoder.layers.{layer}.self_attn.{part}")
    };
    (count > 0 && count.is_multiple_of(4)).then(|| (0..count).map(name).collect())
}

fn unet(widths: &BTreeMap<usize, [usize; 2]>) -> Option<Vec<String>> {
    let count = widths.len();
    if !count.is_multiple_of(BLOCKS) || !widths.keys().copied().eq(0..count) {
        return None;
    }
    let each = count / BLOCKS;
    let width = |block: usize, i: usize| widths[&(block * each + i)];
    // A gate is eight times as wide as its input.
    let is_gate = |i: usize| width(0, i)[0] == 8 * width(0, i)[1];
    let attention = |n: usize| ATTENTION.map(|p| format!("attn{n}.{p}"));
    let gate = || ["ff.net.0.proj".to_owned()];
    let layers: Vec<String> = match each {
        8 => [attention(1), attention(2)].concat(),
        9 if is_gate(4) => attention(1).into_iter().chain(gate()).chain(attention(2)).collect(),
        9 if is_gate(8) => attention(1).into_iter().chain(attention(2)).chain(gate()).collect(),
        _ => return None,
    };
    let level = |side: &'static str, first: usize, counts: [usize; 3]| {
        counts.into_iter().enumerate().flat_map(move |(i, n)| {
            (0..n).map(move |j| format!("unet.{side}_blocks.{}.attentions.{j}", i + first))
        })
    };
    let down = level("down", 0, DOWN);
    let up = level("up", 1, UP);
    let middle = std::iter::once("unet.mid_block.attentions.0".to_owned());
    // Blocks up are as wide as those down at their level; where the middle one stands shows in where
    // they begin.
    let wide = |block: usize| width(block, 0)[1];
    let up_from = |first: usize| (0..9).all(|i| wide(first + i) == wide(2 * (2 - i / 3)));
    let middle_last = match (up_from(6), up_from(7)) {
        (last, first) if last != first => last,
        (true, _) => false,
        _ => return None,
    };
    let blocks: Vec<String> = if middle_last {
        down.chain(up).chain(middle).collect()
    } else {
        down.chain(middle).chain(up).collect()
    };
    let name = |b: &String, l: &String| format!("{b}.transformer_blocks.0.{l}");
    Some(blocks.iter().flat_map(|b| layers.iter().map(move |l| name(b, l))).collect())
}

#[cfg(test)]
mod tests {
    use super::{named, names};
    use crate::array::Array;
    use std::collections::BTreeMap;

    /// The pairs of a UNet whose blocks have the inner widths `blocks`, with the gate at `gate`.
    fn pairs(blocks: &[usize], gate: Option<usize>) -> Vec<Array> {
        let mut out = Vec::new();
        for width in blocks {
            let mut layers: Vec<(usize, usize)> =
                (0..8).map(|i| (*width, if matches!(i, 5 | 6) { 24 } else { *width })).collect();
            if let Some(at) = gate {
                layers.insert(at, (8 * width, *width));
            }
            for (o, i) in layers {
                out.push(Array::from_f32(vec![o, 1], &vec![0.0; o]).unwrap());
                out.push(Array::from_f32(vec![1, i], &vec![0.0; i]).unwrap());
            }
        }
        out
    }

    fn all_names(tensors: &[Array]) -> BTreeMap<String, String> {
        let tensors = named(tensors).unwrap();
        names(tensors.iter().map(|(k, a)| (k.as_str(), a.shape()))).unwrap()
    }

    #[test]
    fn the_order_shows_in_the_shapes() {
        let (down, up) = ([4, 4, 8, 8, 16, 16], [16, 16, 16, 8, 8, 8, 4, 4, 4]);
        let middle_last: Vec<usize> = down.iter().chain(&up).chain(&[16]).copied().collect();
        let middle_first: Vec<usize> = down.iter().chain(&[16]).chain(&up).copied().collect();
        let last = "unet.mid_block.attentions.0.transformer_blocks.0";
        let first = "unet.down_blocks.0.attentions.0.transformer_blocks.0";
        let old = all_names(&pairs(&middle_last, Some(4)));
        assert_eq!(old["unet:4:up"], format!("{first}.ff.net.0.proj.lora_up.weight"));
        assert_eq!(old["unet:6:down"], format!("{first}.attn2.to_k.lora_down.weight"));
        assert_eq!(old["unet:143:up"], format!("{last}.attn2.to_out.0.lora_up.weight"));
        let new = all_names(&pairs(&middle_last, Some(8)));
        assert_eq!(new["unet:4:up"], format!("{first}.attn2.to_q.lora_up.weight"));
        assert_eq!(new["unet:143:up"], format!("{last}.ff.net.0.proj.lora_up.weight"));
        let plain = all_names(&pairs(&middle_first, None));
        assert_eq!(plain["unet:48:up"], format!("{last}.attn1.to_q.lora_up.weight"));
        // A middle as narrow as the first block: only the order of the others tells.
        let narrow = [64, 64, 96, 96, 96, 96, 96, 96, 96, 96, 96, 96, 64, 64, 64, 64];
        let narrow = all_names(&pairs(&narrow, None));
        assert_eq!(narrow["unet:127:up"], format!("{last}.attn2.to_out.0.lora_up.weight"));
        let end = "unet.up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_out.0";
        assert_eq!(plain["unet:127:down"], format!("{end}.lora_down.weight"));
    }

    #[test]
    fn other_counts_are_refused() {
        let one = Array::from_f32(vec![2, 1], &[0.0; 2]).unwrap();
        assert!(named(&vec![one; 20]).is_err());
    }
}
