//! The VAE: LDM counts the decoder's levels from the pixels, diffusers from the latents.
use super::{Table, count};

/// How a key of this component may begin where it has no prefix.
pub(super) const BEGINNINGS: &[&str] = &[
    "encoder.down",
    "encoder.mid",
    "encoder.conv_",
    "encoder.norm_out.",
    "decoder.",
    "quant_conv.",
    "post_quant_conv.",
];

/// The parts of a resnet.
const RESNET: &[(&str, &str)] = &[
    ("norm1", "norm1"),
    ("conv1", "conv1"),
    ("norm2", "norm2"),
    ("conv2", "conv2"),
    ("nin_shortcut", "conv_shortcut"),
];

/// The parts of the attention: LDM's name, diffusers' name, diffusers' name before version 0.17.
const ATTENTION: [(&str, &str, &str); 5] = [
    ("norm", "group_norm", "group_norm"),
    ("q", "to_q", "query"),
    ("k", "to_k", "key"),
    ("v", "to_v", "value"),
    ("proj_out", "to_out.0", "proj_attn"),
];

pub(super) fn table<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Table {
    let counts = |before: &str| count(keys.clone(), before);
    let most = |names: &[&str]| names.iter().map(|n| counts(n)).max().unwrap_or(0);
    let levels =
        most(&["encoder.down.", "encoder.down_blocks.", "decoder.up.", "decoder.up_blocks."]);
    // The decoder has one resnet more a level than the encoder; a pair too many does no harm.
    let layers = most(&[
        "encoder.down.0.block.",
        "encoder.down_blocks.0.resnets.",
        "decoder.up.0.block.",
        "decoder.up_blocks.0.resnets.",
    ]);
    let mut t = Table::default();
    t.pair("quant_conv", "quant_conv");
    t.pair("post_quant_conv", "post_quant_conv");
    for side in ["encoder", "decoder"] {
        t.pairs(
            side,
            side,
            &[("conv_in", "conv_in"), ("norm_out", "conv_norm_out"), ("conv_out", "conv_out")],
        );
        for n in 0..2 {
            let ldm = format!("{side}.mid.block_{}", n + 1);
            t.pairs(&ldm, &format!("{side}.mid_block.resnets.{n}"), RESNET);
        }
        let to = format!("{side}.mid_block.attentions.0");
        for (ldm, diffusers, old) in ATTENTION {
            t.pair(format!("{side}.mid.attn_1.{ldm}"), format!("{to}.{diffusers}"));
            t.alias(format!("{to}.{old}"), format!("{to}.{diffusers}"));
        }
        for level in 0..levels {
            let (ldm, diffusers) = match side {
                "encoder" => {
                    (format!("encoder.down.{level}"), format!("encoder.down_blocks.{level}"))
                }
                _ => (
                    format!("decoder.up.{}", levels - 1 - level),
                    format!("decoder.up_blocks.{level}"),
                ),
            };
            for layer in 0..layers {
                let to = format!("{diffusers}.resnets.{layer}");
                t.pairs(&format!("{ldm}.block.{layer}"), &to, RESNET);
            }
            let (from, to) = match side {
                "encoder" => ("downsample.conv", "downsamplers.0.conv"),
                _ => ("upsample.conv", "upsamplers.0.conv"),
            };
            t.pair(format!("{ldm}.{from}"), format!("{diffusers}.{to}"));
        }
    }
    t
}
