//! The change that an adapter makes to a weight.
use super::dense::{add_product, product, transposed, tucker};
use super::fit::{Sizes, factor_rows, glora, rows};
use super::rotate::{self, Blocks};
use rayon::prelude::*;
use wayword_formats::lora::{Adapter, AdapterKind, Factor, GloraLayout};
use wayword_formats::{Array, Fault};
use wayword_prompt::Quirks;

/// How strongly an adapter is applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strength {
    pub(super) multiplier: f32,
    /// How many ranks of a plain LoRA count; `None` all.
    pub(super) ranks: Option<usize>,
    pub(super) quirks: Quirks,
}

/// Adds an adapter's change to a weight of these sizes, which it was checked to fit, and to its
/// bias, where it has a change for that.
pub(super) fn add(
    adapter: &Adapter,
    sizes: &Sizes,
    weight: &mut [f32],
    bias: &mut Option<Vec<f32>>,
    strength: Strength,
) -> Result<(), Fault> {
    let multiplier = strength.multiplier;
    if let Some(diff) = &adapter.bias_diff {
        let bias = bias.get_or_insert_with(|| vec![0.0; sizes.out]);
        bias.iter_mut().zip(diff.to_f32()?).for_each(|(b, d)| *b += d * multiplier);
    }
    let scale = scale(adapter);
    if let (AdapterKind::Lora { up, down, mid: None }, None, None) =
        (&adapter.kind, &adapter.bias, &adapter.dora_scale)
    {
        let (up, down, rank) = cut(up, down, strength.ranks)?;
        add_product(weight, &up, &down, rank, [scale, multiplier]);
        return Ok(());
    }
    let mut delta = change(adapter, sizes, weight, strength.ranks)?;
    if let Some(bias) = &adapter.bias {
        delta.iter_mut().zip(bias.to_f32()?).for_each(|(d, b)| *d += b);
    }
    if scale != 1.0 {
        delta.par_iter_mut().for_each(|d| *d *= scale);
    }
    if let Some(magnitudes) = &adapter.dora_scale {
        decompose(&mut delta, weight, sizes, magnitudes, strength.quirks)?;
    }
    weight.par_iter_mut().zip(delta.par_iter()).for_each(|(w, d)| *w += d * multiplier);
    Ok(())
}

/// What the change is multiplied with: the file's own scale, else alpha over rank.
fn scale(adapter: &Adapter) -> f32 {
    let rank = match &adapter.kind {
        AdapterKind::Lora { down, .. } => Some(rows(down).0),
        AdapterKind::Loha { w1_b, .. } => Some(rows(w1_b).0),
        AdapterKind::Lokr { w1, w2, .. } => match (w1, w2) {
            (_, Factor::Product(_, b)) | (Factor::Product(_, b), _) => Some(rows(b).0),
            _ => None,
        },
        // The old layout's alpha has never been used.
        AdapterKind::Glora { a2, layout: GloraLayout::New, .. } => Some(rows(a2).0),
        AdapterKind::Oft { .. } => return 1.0,
        _ => None,
    };
    match (adapter.scale, adapter.alpha, rank) {
        (Some(scale), ..) => scale,
        (None, Some(alpha), Some(rank)) => alpha / rank as f32,
        _ => 1.0,
    }
}

/// A low-rank product's two sides, only the first ranks of them, and how many these are.
fn cut(
    up: &Array,
    down: &Array,
    ranks: Option<usize>,
) -> Result<(Vec<f32>, Vec<f32>, usize), Fault> {
    let (rank, columns) = rows(down);
    let (mut up, mut down) = (up.to_f32()?, down.to_f32()?);
    let kept = ranks.map_or(rank, |r| r.min(rank));
    if kept < rank {
        down.truncate(kept * columns);
        up = up.chunks_exact(rank).flat_map(|row| &row[..kept]).copied().collect();
    }
    Ok((up, down, kept))
}

/// The unscaled change.
fn change(
    adapter: &Adapter,
    sizes: &Sizes,
    w: &[f32],
    ranks: Option<usize>,
) -> Result<Vec<f32>, Fault> {
    let (out, columns) = (sizes.out, sizes.columns());
    Ok(match &adapter.kind {
        AdapterKind::Lora { up, down, mid: None } => {
            let (up, down, rank) = cut(up, down, ranks)?;
            match rank {
                0 => vec![0.0; out * columns],
                rank => product(&up, &down, rank, columns),
            }
        }
        AdapterKind::Lora { up, down, mid: Some(mid) } => {
            tucker(&mid.to_f32()?, &up.to_f32()?, &down.to_f32()?, [mid.shape()[0], rows(down).0])
        }
        AdapterKind::Loha { w1_a, w1_b, w2_a, w2_b, cores } => {
            let side = |a: &Array, b: &Array, core: Option<&Array>| {
                Ok::<_, Fault>(match core {
                    None => product(&a.to_f32()?, &b.to_f32()?, rows(b).0, columns),
                    Some(t) => {
                        let left = transposed(&a.to_f32()?, out);
                        tucker(&t.to_f32()?, &left, &b.to_f32()?, [rows(a).0, rows(b).0])
                    }
                })
            };
            let mut first = side(w1_a, w1_b, cores.as_ref().map(|c| &c.0))?;
            let second = side(w2_a, w2_b, cores.as_ref().map(|c| &c.1))?;
            first.iter_mut().zip(second).for_each(|(a, b)| *a *= b);
            first
        }
        AdapterKind::Lokr { w1, w2, t2 } => kronecker(w1, w2, t2.as_ref())?,
        AdapterKind::Ia3 { weight, on_input } => {
            let factors = weight.to_f32()?;
            let factor = |i: usize| {
                if *on_input { factors[i % columns / sizes.kernel] } else { factors[i / columns] }
            };
            w.iter().enumerate().map(|(i, w)| w * factor(i)).collect()
        }
        AdapterKind::Full { diff: weight } | AdapterKind::Norm { weight } => weight.to_f32()?,
        AdapterKind::Glora { a1, a2, b1, b2, layout } => {
            let [left, with] = glora([a1, a2, b1, b2], *layout);
            let left = product(&left.0.to_f32()?, &left.1.to_f32()?, rows(left.1).0, columns);
            add_through(left, w, &with.0.to_f32()?, &with.1.to_f32()?, sizes)
        }
        AdapterKind::Oft { blocks, is_rotation, rescale } => {
            rotated(adapter, sizes, w, (blocks, *is_rotation), rescale.as_ref())?
        }
    })
}

fn kronecker(w1: &Factor, w2: &Factor, t2: Option<&Array>) -> Result<Vec<f32>, Fault> {
    let factor = |factor: &Factor, core: Option<&Array>| {
        Ok::<_, Fault>(match (factor, core) {
            (Factor::Full(a), _) => a.to_f32()?,
            (Factor::Product(a, b), Some(t)) => {
                let left = transposed(&a.to_f32()?, rows(a).1);
                tucker(&t.to_f32()?, &left, &b.to_f32()?, [rows(a).0, rows(b).0])
            }
            (Factor::Product(a, b), None) => {
                product(&a.to_f32()?, &b.to_f32()?, rows(b).0, rows(b).1)
            }
        })
    };
    let (coarse, fine) = (factor(w1, None)?, factor(w2, t2)?);
    let width = coarse.len() / factor_rows(w1, false);
    let fine_width = fine.len() / factor_rows(w2, t2.is_some());
    let mut out = Vec::with_capacity(coarse.len() * fine.len());
    for coarse in coarse.chunks_exact(width) {
        for fine in fine.chunks_exact(fine_width) {
            for c in coarse {
                out.extend(fine.iter().map(|f| c * f));
            }
        }
    }
    Ok(out)
}

/// Adds `(w tall) wide` over the input channels of `w [out, inputs, kernel]`.
fn add_through(mut to: Vec<f32>, w: &[f32], tall: &[f32], wide: &[f32], sizes: &Sizes) -> Vec<f32> {
    let (inputs, kernel) = (sizes.inputs, sizes.kernel);
    let rank = wide.len() / inputs;
    to.par_chunks_mut(sizes.columns()).zip(w.par_chunks(sizes.columns())).for_each(|(to, w)| {
        for k in 0..kernel {
            let row: Vec<f32> = w[k..].iter().step_by(kernel).copied().collect();
            let row = product(&product(&row, tall, inputs, rank), wide, rank, inputs);
            to[k..].iter_mut().step_by(kernel).zip(row).for_each(|(to, r)| *to += r);
        }
    });
    to
}

/// The rotated weight less the weight.
fn rotated(
    adapter: &Adapter,
    sizes: &Sizes,
    w: &[f32],
    (blocks, is_rotation): (&Array, bool),
    rescale: Option<&Array>,
) -> Result<Vec<f32>, Fault> {
    let columns = sizes.columns();
    let butterfly = blocks.shape().len() == 4;
    let values = blocks.to_f32()?;
    let size = blocks.shape().last().copied().unwrap_or(1);
    let count = sizes.out / size;
    let blocks = Blocks { values: &values, count, size };
    let rotations = if is_rotation {
        values.clone()
    } else {
        let constraint = adapter.alpha.unwrap_or(0.0) * sizes.out as f32;
        rotate::rotations(blocks, constraint)
    };
    let mut new = if butterfly {
        rotate::boft(&rotations, blocks, w, columns)
    } else {
        rotate::oft(&rotations, size, w, columns)
    };
    if let Some(rescale) = rescale {
        for (row, factor) in new.chunks_exact_mut(columns).zip(rescale.to_f32()?) {
            row.iter_mut().for_each(|v| *v *= factor);
        }
    }
    new.iter_mut().zip(w).for_each(|(new, w)| *new -= w);
    Ok(new)
}

/// DoRA (Liu et al. 2024): the direction of weight and change together, with magnitudes of its own,
/// per output or per input channel. `delta` becomes the difference to the weight.
fn decompose(
    delta: &mut [f32],
    w: &[f32],
    sizes: &Sizes,
    magnitudes: &Array,
    quirks: Quirks,
) -> Result<(), Fault> {
    let (columns, kernel) = (sizes.columns(), sizes.kernel);
    let shape = magnitudes.shape();
    // PEFT has one dimension, for the outputs.
    let is_pointwise = shape.iter().skip(1).all(|n| *n == 1);
    let per_output =
        magnitudes.elements() == sizes.out && is_pointwise && shape.first() == Some(&sizes.out);
    let magnitudes = magnitudes.to_f32()?;
    delta.iter_mut().zip(w).for_each(|(d, w)| *d += w);
    let square = |v: &f32| f64::from(*v) * f64::from(*v);
    let mut per_input = vec![0.0f64; sizes.inputs];
    for row in delta.chunks_exact(columns) {
        for (sum, values) in per_input.iter_mut().zip(row.chunks_exact(kernel)) {
            *sum += values.iter().map(square).sum::<f64>();
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "summed in f64, kept in f32")]
    let root = |sum: f64| sum.sqrt() as f32;
    // A direction of length nothing has no magnitude either.
    let over = |magnitude: f32, norm: f32| if norm > 0.0 { magnitude / norm } else { 0.0 };
    let rows = delta.chunks_exact_mut(columns).zip(w.chunks_exact(columns)).enumerate();
    for (o, (row, w)) in rows {
        let length = root(row.iter().map(square).sum());
        for (i, (v, w)) in row.iter_mut().zip(w).enumerate() {
            let i = i / kernel;
            let factor = match (per_output, quirks) {
                (true, Quirks::Sane) => over(magnitudes[o], length),
                // The web UI divides magnitudes of outputs by norms of inputs.
                (true, Quirks::A1111) => over(magnitudes[o], root(per_input[i])),
                (false, _) => over(magnitudes[i], root(per_input[i])),
            };
            *v = *v * factor - w;
        }
    }
    Ok(())
}
