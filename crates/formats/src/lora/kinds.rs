//! The weights of one module as a typed adapter.

use super::Lora;
use super::alphas::Alphas;
use super::target::Target;
use super::weights::Module;
use crate::array::Array;

/// What changes one module.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// The module.
    pub target: Target,
    /// The weights of its family.
    pub kind: AdapterKind,
    /// The scale's numerator, its denominator being the rank.
    pub alpha: Option<f32>,
    /// A scale that replaces alpha over rank.
    pub scale: Option<f32>,
    /// Added to the difference before it is scaled, in the weight's shape.
    pub bias: Option<Array>,
    /// A difference of the module's bias, which is not scaled by alpha.
    pub bias_diff: Option<Array>,
    /// DoRA's magnitudes: `[out, 1, …]` per output, `[1, in, …]` per input, or PEFT's `[out]`.
    pub dora_scale: Option<Array>,
}

/// The families.
#[derive(Debug, Clone)]
pub enum AdapterKind {
    /// LoRA, LoCon; `mid` makes it Tucker's form.
    Lora {
        /// `[out, rank]`, perhaps with ones behind.
        up: Array,
        /// `[rank, in, …]`.
        down: Array,
        /// `[rank, rank, kh, kw]`.
        mid: Option<Array>,
    },
    /// LoHa: the element-wise product of two low-rank products.
    Loha {
        /// `[out, rank]`; with `t1` `[rank, out]`.
        w1_a: Array,
        /// `[rank, in * kh * kw]`; with `t1` `[rank, in]`.
        w1_b: Array,
        /// As `w1_a`.
        w2_a: Array,
        /// As `w1_b`.
        w2_b: Array,
        /// Tucker's cores `[rank, rank, kh, kw]`, both or none.
        cores: Option<(Array, Array)>,
    },
    /// LoKr: a Kronecker product.
    Lokr {
        /// The coarse factor.
        w1: Factor,
        /// The fine factor.
        w2: Factor,
        /// Tucker's core of the fine factor.
        t2: Option<Array>,
    },
    /// (IA)^3: the weight's rows or columns scaled.
    Ia3 {
        /// One value per row or column.
        weight: Array,
        /// Whether columns are meant.
        on_input: bool,
    },
    /// The difference itself.
    Full {
        /// In the weight's shape.
        diff: Array,
    },
    /// The difference of a norm's weight; that of its bias is [`Adapter::bias_diff`].
    Norm {
        /// In the weight's shape.
        weight: Array,
    },
    /// GLoRA: a product of its own, and one with the weight.
    Glora {
        /// The four matrices.
        a1: Array,
        /// See `a1`.
        a2: Array,
        /// See `a1`.
        b1: Array,
        /// See `a1`.
        b2: Array,
        /// Which of them are the tall ones.
        layout: GloraLayout,
    },
    /// OFT and, with four dimensions, BOFT: rotations of blocks of rows.
    Oft {
        /// `[blocks, b, b]`, or `[stages, blocks, b, b]`.
        blocks: Array,
        /// Whether the blocks are the rotations themselves, as in old files.
        is_rotation: bool,
        /// A factor for each row, `[out, 1, …]`.
        rescale: Option<Array>,
    },
}

/// A factor of a Kronecker product.
#[derive(Debug, Clone)]
pub enum Factor {
    /// As it is.
    Full(Array),
    /// As the product of two.
    Product(Array, Array),
}

/// The two meanings of GLoRA's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GloraLayout {
    /// As A1111 reads it: `b2 b1 + W a2 a1`.
    Old,
    /// As LyCORIS now writes it: `b1 b2 + W a1 a2`.
    New,
}

impl AdapterKind {
    /// The family's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lora { mid: Some(_), .. } => "LoCon (Tucker)",
            Self::Lora { down, .. } if down.shape().iter().skip(2).any(|k| *k > 1) => "LoCon",
            Self::Lora { .. } => "LoRA",
            Self::Loha { .. } => "LoHa",
            Self::Lokr { .. } => "LoKr",
            Self::Ia3 { .. } => "(IA)^3",
            Self::Full { .. } => "full",
            Self::Norm { .. } => "norm",
            Self::Glora { .. } => "GLoRA",
            Self::Oft { blocks, .. } if blocks.shape().len() == 4 => "BOFT",
            Self::Oft { .. } => "OFT",
        }
    }
}

/// Builds the adapter of one module; the first family whose weights are complete is meant. What is
/// left over goes to the list of unknown keys.
pub(super) fn build(target: Target, mut m: Module, alphas: &Alphas, out: &mut Lora) {
    let complete = has_kind(&m);
    if let Some(kind) = complete.then(|| take_kind(&mut m)).flatten() {
        let stored = m.number("alpha");
        let rank = match &kind {
            AdapterKind::Lora { down, .. } => down.shape().first().copied(),
            AdapterKind::Loha { w1_b, .. } => w1_b.shape().first().copied(),
            AdapterKind::Lokr { w2: Factor::Product(_, b), .. } => b.shape().first().copied(),
            _ => None,
        };
        let alpha = stored.or_else(|| alphas.of(&target, rank?));
        let scale = m.number("scale");
        // The bias of a LoRA's second layer is scaled with it.
        let up_bias = m.take("lora_up.bias").and_then(|bias| {
            let ratio = alpha.zip(rank).map_or(1.0, |(alpha, rank)| alpha / rank as f32);
            let values: Vec<f32> =
                bias.to_f32().ok()?.into_iter().map(|v| v * scale.unwrap_or(ratio)).collect();
            Array::from_f32(bias.shape().to_vec(), &values).ok()
        });
        out.adapters.push(Adapter {
            target,
            kind,
            alpha,
            scale,
            bias: m.take("bias"),
            bias_diff: m.take("diff_b").or_else(|| m.take("b_norm")).or(up_bias),
            dora_scale: m.take("dora_scale"),
        });
        for (key, _) in m.rest() {
            out.unknown(key, "the module's other weights do not use it");
        }
    } else {
        for (key, weight) in m.rest() {
            let reason = match weight {
                "lora_down.weight" => "its counterpart `lora_up` is missing",
                "lora_up.weight" => "its counterpart `lora_down` is missing",
                _ => "the module's weights are incomplete for every known kind of adapter",
            };
            out.unknown(key, reason);
        }
    }
}

const LORA: [&str; 2] = ["lora_up.weight", "lora_down.weight"];
const LOHA: [&str; 4] = ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"];
const GLORA: [&str; 4] = ["a1.weight", "a2.weight", "b1.weight", "b2.weight"];

fn has_kind(m: &Module) -> bool {
    let factor = |f: &str| {
        m.has(&format!("lokr_{f}")) || m.has_all(&[&format!("lokr_{f}_a"), &format!("lokr_{f}_b")])
    };
    m.has_all(&LORA)
        || m.has_all(&LOHA)
        || m.has_all(&["weight", "on_input"])
        || (factor("w1") && factor("w2"))
        || m.has("diff")
        || m.has("w_norm")
        || m.has_all(&GLORA)
        || m.has("oft_blocks")
        || m.has("oft_diag")
}

fn take_kind(m: &mut Module) -> Option<AdapterKind> {
    if m.has_all(&LORA) {
        let [up, down] = take(m, LORA)?;
        return Some(AdapterKind::Lora { up, down, mid: m.take("lora_mid.weight") });
    }
    if m.has_all(&LOHA) {
        let [w1_a, w1_b, w2_a, w2_b] = take(m, LOHA)?;
        let cores =
            if m.has_all(&["hada_t1", "hada_t2"]) { take(m, ["hada_t1", "hada_t2"]) } else { None };
        let cores = cores.map(|[t1, t2]| (t1, t2));
        return Some(AdapterKind::Loha { w1_a, w1_b, w2_a, w2_b, cores });
    }
    if m.has_all(&["weight", "on_input"]) {
        let [weight, on_input] = take(m, ["weight", "on_input"])?;
        let on_input = on_input.bytes().iter().any(|b| *b != 0);
        return Some(AdapterKind::Ia3 { weight, on_input });
    }
    let lokr = ["lokr_w1", "lokr_w1_a"].iter().any(|w| m.has(w))
        && ["lokr_w2", "lokr_w2_a"].iter().any(|w| m.has(w));
    if lokr {
        let w1 = factor(m, ["lokr_w1", "lokr_w1_a", "lokr_w1_b"])?;
        let w2 = factor(m, ["lokr_w2", "lokr_w2_a", "lokr_w2_b"])?;
        return Some(AdapterKind::Lokr { w1, w2, t2: m.take("lokr_t2") });
    }
    if let Some(diff) = m.take("diff") {
        return Some(AdapterKind::Full { diff });
    }
    if let Some(weight) = m.take("w_norm") {
        return Some(AdapterKind::Norm { weight });
    }
    if m.has_all(&GLORA) {
        let [a1, a2, b1, b2] = take(m, GLORA)?;
        // Settled later, when all layers of the file are known.
        return Some(AdapterKind::Glora { a1, a2, b1, b2, layout: GloraLayout::Old });
    }
    let is_rotation = !m.has("oft_blocks");
    let blocks = m.take("oft_blocks").or_else(|| m.take("oft_diag"))?;
    Some(AdapterKind::Oft { blocks, is_rotation, rescale: m.take("rescale") })
}

fn take<const N: usize>(m: &mut Module, names: [&str; N]) -> Option<[Array; N]> {
    let all: Option<Vec<Array>> = names.iter().map(|n| m.take(n)).collect();
    all?.try_into().ok()
}

fn factor(m: &mut Module, [full, a, b]: [&str; 3]) -> Option<Factor> {
    if let Some(array) = m.take(full) {
        return Some(Factor::Full(array));
    }
    take(m, [a, b]).map(|[a, b]| Factor::Product(a, b))
}

/// The layouts that the shapes of one module's matrices allow.
fn glora_shapes(kind: &AdapterKind) -> Option<(bool, bool)> {
    let AdapterKind::Glora { a1, a2, b1, b2, .. } = kind else { return None };
    let rank = |tall: &Array, wide: &Array| match (tall.shape(), wide.shape()) {
        ([_, r, ..], [s, ..]) if r == s => Some(*r),
        _ => None,
    };
    let same = |x: Option<usize>, y: Option<usize>| x.is_some() && x == y;
    Some((same(rank(b2, b1), rank(a2, a1)), same(rank(b1, b2), rank(a1, a2))))
}

/// Decides GLoRA's layout: by a module's shapes, and for square ones by the file's other modules.
pub(super) fn settle_glora(adapters: &mut [Adapter]) {
    let shapes: Vec<(bool, bool)> = adapters.iter().filter_map(|a| glora_shapes(&a.kind)).collect();
    let new_file = shapes.contains(&(false, true)) && !shapes.contains(&(true, false));
    for adapter in adapters {
        let Some(shapes) = glora_shapes(&adapter.kind) else { continue };
        if let AdapterKind::Glora { layout, .. } = &mut adapter.kind {
            let is_new = match shapes {
                (true, false) => false,
                (false, true) => true,
                _ => new_file,
            };
            *layout = if is_new { GloraLayout::New } else { GloraLayout::Old };
        }
    }
}
