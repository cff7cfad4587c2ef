//! The UNet: LDM counts blocks through (`input_blocks.4`), diffusers by level and kind.
use super::{Table, count};

/// How a key of this component may begin where it has no prefix.
pub(super) const BEGINNINGS: &[&str] = &[
    "input_blocks.",
    "middle_block.",
    "output_blocks.",
    "time_embed.",
    "out.",
    "down_blocks.",
    "mid_block.",
    "up_blocks.",
    "time_embedding.",
    "conv_in.",
    "conv_norm_out.",
    "conv_out.",
];

/// The parts of a resnet.
pub(super) const RESNET: &[(&str, &str)] = &[
    ("in_layers.0", "norm1"),
    ("in_layers.2", "conv1"),
    ("emb_layers.1", "time_emb_proj"),
    ("out_layers.0", "norm2"),
    ("out_layers.3", "conv2"),
    ("skip_connection", "conv_shortcut"),
];

/// The parts of a transformer have the same names in both.
const TRANSFORMER: &[(&str, &str)] = &[
    ("norm", "norm"),
    ("proj_in", "proj_in"),
    ("transformer_blocks", "transformer_blocks"),
    ("proj_out", "proj_out"),
];

/// How many blocks there are.
struct Depths {
    levels: usize,
    /// Resnets of a level on the way down; one more on the way up.
    layers: usize,
    /// Per level on the way up, whether it has transformers.
    attentions: Vec<bool>,
}

impl Depths {
    fn read<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Self {
        let inputs = count(keys.clone(), "input_blocks.");
        let ldm = inputs > 0 || count(keys.clone(), "output_blocks.") > 0;
        let has = |start: String| keys.clone().any(|k| k.starts_with(&start));
        if ldm {
            // Each level but the last ends with a block that only halves the picture.
            let halves: Vec<usize> =
                (0..inputs).filter(|n| has(format!("input_blocks.{n}.0.op."))).collect();
            let levels = halves.len() + 1;
            let layers = match halves.first() {
                Some(first) => first.saturating_sub(1),
                None => inputs.saturating_sub(1),
            };
            let first = |level: usize| level * (layers + 1);
            let attention = |level| has(format!("output_blocks.{}.1.proj_in.", first(level)));
            Self { levels, layers, attentions: (0..levels).map(attention).collect() }
        } else {
            let levels = count(keys.clone(), "down_blocks.");
            let layers = count(keys.clone(), "down_blocks.0.resnets.");
            let attention = |level| has(format!("up_blocks.{level}.attentions."));
            Self { levels, layers, attentions: (0..levels).map(attention).collect() }
        }
    }
}

pub(super) fn table<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Table {
    let Depths { levels, layers, attentions } = Depths::read(keys);
    let mut t = Table::default();
    t.pair("time_embed.0", "time_embedding.linear_1");
    t.pair("time_embed.2", "time_embedding.linear_2");
    t.pair("input_blocks.0.0", "conv_in");
    t.pair("out.0", "conv_norm_out");
    t.pair("out.2", "conv_out");
    t.pairs("middle_block.0", "mid_block.resnets.0", RESNET);
    t.pairs("middle_block.1", "mid_block.attentions.0", TRANSFORMER);
    t.pairs("middle_block.2", "mid_block.resnets.1", RESNET);
    for (level, attention) in attentions.into_iter().enumerate() {
        // Block 0 is `conv_in`; a level has its resnets and one block that halves.
        let first = 1 + level * (layers + 1);
        for layer in 0..layers {
            let ldm = format!("input_blocks.{}", first + layer);
            let diffusers = format!("down_blocks.{level}");
            t.pairs(&format!("{ldm}.0"), &format!("{diffusers}.resnets.{layer}"), RESNET);
            t.pairs(&format!("{ldm}.1"), &format!("{diffusers}.attentions.{layer}"), TRANSFORMER);
        }
        if level + 1 < levels {
            let ldm = format!("input_blocks.{}.0.op", first + layers);
            t.pair(ldm, format!("down_blocks.{level}.downsamplers.0.conv"));
        }
        let first = level * (layers + 1);
        for layer in 0..=layers {
            let ldm = format!("output_blocks.{}", first + layer);
            let diffusers = format!("up_blocks.{level}");
            t.pairs(&format!("{ldm}.0"), &format!("{diffusers}.resnets.{layer}"), RESNET);
            if attention {
                let diffusers = format!("{diffusers}.attentions.{layer}");
                t.pairs(&format!("{ldm}.1"), &diffusers, TRANSFORMER);
            }
        }
        if level + 1 < levels {
            // The doubling stands behind the level's last resnet and transformer.
            let place = if attention { 2 } else { 1 };
            let ldm = format!("output_blocks.{}.{place}.conv", first + layers);
            t.pair(ldm, format!("up_blocks.{level}.upsamplers.0.conv"));
        }
    }
    t
}
