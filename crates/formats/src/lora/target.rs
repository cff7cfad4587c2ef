//! Which module of the model an adapter changes, told from the names of many programs.

use crate::names::Component;

/// What stands before a module's name where underscores replace dots: kohya, LyCORIS, OneTrainer,
/// SimpleTuner (`lycoris_`), and diffusers' conversion, which may leave the dot.
const UNDERSCORED: [(&[&str], Component); 2] = [
    (
        &["lora_unet_", "lora_unet.", "oft_unet_", "boft_unet_", "lycoris_unet_", "lycoris_"],
        Component::Unet,
    ),
    (
        &["lora_te1_", "lora_te1.", "lora_te_", "lora_te.", "lycoris_te_", "oft_te_"],
        Component::Text,
    ),
];

/// Beginnings of names that belong to other models.
const OTHER_MODELS: [(&[&str], &str); 2] = [
    (
        &["lora_te2_", "lora_te3_", "text_encoder_2.", "text_encoder_3.", "clip_g."],
        "it is for a model with several text encoders, such as SDXL",
    ),
    (
        &["transformer.", "lora_transformer_", "diffusion_model.double_blocks", "lora_prior_unet_"],
        "it is for another model, such as SD 3 or Flux",
    ),
];

/// A module by its diffusers name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The UNet or the text encoder.
    pub component: Component,
    /// The module within it, such as `down_blocks.0.attentions.0.proj_in` or
    /// `text_model.encoder.layers.0.mlp.fc1`; whether the model has it is not known here.
    pub module: String,
}

impl Target {
    /// The module that `name` means: kohya's or LDM's with underscores, LDM's, diffusers' or PEFT's
    /// with dots.
    ///
    /// # Errors
    /// Why it is none of Stable Diffusion 1.x.
    pub fn find(name: &str) -> Result<Self, &'static str> {
        // What PEFT, torch.compile and data-parallel training put between the parts of a name.
        let mut name = format!(".{name}");
        for wrapper in [".base_model.model.", "._orig_mod.", ".module."] {
            name = name.replace(wrapper, ".");
        }
        let name = name.trim_start_matches('.');
        for (others, reason) in OTHER_MODELS {
            if others.iter().any(|prefix| name.starts_with(prefix)) {
                return Err(reason);
            }
        }
        let unknown = "it is not a module of Stable Diffusion 1.x";
        for (prefixes, component) in UNDERSCORED {
            if let Some(rest) = prefixes.iter().find_map(|p| name.strip_prefix(p)) {
                // Some writers leave the last dots: `lora_unet_…_attn2.to_v`.
                let module = dotted(&rest.replace('.', "_")).ok_or(unknown)?;
                return Self::new(component, &module).ok_or(unknown);
            }
        }
        let bare = || is_unet(name).then_some((Component::Unet, name));
        let (component, rest) = Component::of(name).or_else(bare).ok_or(unknown)?;
        Self::new(component, rest).ok_or(unknown)
    }

    /// From a dotted name of either naming, without the component's prefix.
    fn new(component: Component, name: &str) -> Option<Self> {
        let module = match component {
            Component::Unet => from_ldm(name).or_else(|| is_unet(name).then(|| name.to_owned()))?,
            Component::Text if name.starts_with("text_model.") => name.to_owned(),
            Component::Text => format!("text_model.{name}"),
            Component::Vae => return None,
        };
        Some(Self { component, module })
    }

    /// Kohya's name, such as `lora_unet_down_blocks_0_attentions_0_proj_in`.
    #[must_use]
    pub fn kohya(&self) -> String {
        let prefix = match self.component {
            Component::Text => "lora_te",
            _ => "lora_unet",
        };
        format!("{prefix}_{}", self.module.replace('.', "_"))
    }

    /// The name with dots and the part in front, such as `unet.conv_in` or
    /// `text_encoder.text_model.final_layer_norm`.
    #[must_use]
    pub fn diffusers(&self) -> String {
        format!("{}.{}", self.component.folder(), self.module)
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.diffusers())
    }
}

/// Names with an underscore inside; all others stand between dots.
const JOINED: [&str; 37] = [
    "conv_in",
    "conv_norm_out",
    "conv_out",
    "conv_shortcut",
    "down_blocks",
    "emb_layers",
    "final_layer_norm",
    "in_layers",
    "input_blocks",
    "k_proj",
    "layer_norm1",
    "layer_norm2",
    "linear_1",
    "linear_2",
    "mid_block",
    "middle_block",
    "out_layers",
    "out_proj",
    "output_blocks",
    "position_embedding",
    "proj_in",
    "proj_out",
    "q_proj",
    "self_attn",
    "skip_connection",
    "text_model",
    "time_emb_proj",
    "time_embed",
    "time_embedding",
    "to_k",
    "to_out",
    "to_q",
    "to_v",
    "token_embedding",
    "transformer_blocks",
    "up_blocks",
    "v_proj",
];

/// Names without one.
const SINGLE: [&str; 24] = [
    "attentions",
    "attn1",
    "attn2",
    "conv",
    "conv1",
    "conv2",
    "downsamplers",
    "embeddings",
    "encoder",
    "fc1",
    "fc2",
    "ff",
    "layers",
    "mlp",
    "net",
    "norm",
    "norm1",
    "norm2",
    "norm3",
    "op",
    "out",
    "proj",
    "resnets",
    "upsamplers",
];

/// Puts the dots back into a name that has underscores in their place; `None` where a part is
/// unknown.
fn dotted(name: &str) -> Option<String> {
    let mut rest = name;
    let mut out = String::new();
    while !rest.is_empty() {
        // A part ends at an underscore or at the end; the longest known one is meant.
        let fits = |part: &&str| {
            rest.strip_prefix(*part).is_some_and(|r| r.is_empty() || r.starts_with('_'))
        };
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let known =
            JOINED.iter().chain(&SINGLE).copied().filter(|p| fits(p)).max_by_key(|p| p.len());
        let part = known.or_else(|| Some(&rest[..number]).filter(|n| !n.is_empty() && fits(n)))?;
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(part);
        rest = &rest[part.len()..];
        rest = rest.strip_prefix('_').unwrap_or(rest);
    }
    Some(out)
}

/// Whether a dotted name begins as the UNet's modules do in diffusers.
fn is_unet(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default();
    [
        "down_blocks",
        "mid_block",
        "up_blocks",
        "conv_in",
        "conv_out",
        "conv_norm_out",
        "time_embedding",
    ]
    .contains(&first)
}

/// The diffusers name of an LDM module of the UNet: four levels of two layers.
fn from_ldm(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let number = |i: usize| parts.get(i)?.parse::<usize>().ok();
    let tail = |i: usize| parts.get(i..).unwrap_or_default().join(".");
    let module = match *parts.first()? {
        "time_embed" => match number(1)? {
            0 => "time_embedding.linear_1".into(),
            2 => "time_embedding.linear_2".into(),
            _ => return None,
        },
        "out" => match number(1)? {
            0 => "conv_norm_out".into(),
            2 => "conv_out".into(),
            _ => return None,
        },
        "input_blocks" => match (number(1)?, number(2)?) {
            (0, 0) => "conv_in".into(),
            (n, part) => {
                let n = n.checked_sub(1)?;
                let (level, layer) = (n / 3, n % 3);
                match (layer, part) {
                    (2, 0) => format!("down_blocks.{level}.downsamplers.0.conv"),
                    (2, _) => return None,
                    (_, 0) => format!("down_blocks.{level}.resnets.{layer}.{}", resnet(&tail(3))?),
                    (_, 1) => format!("down_blocks.{level}.attentions.{layer}.{}", tail(3)),
                    _ => return None,
                }
            }
        },
        "middle_block" => match number(1)? {
            1 => format!("mid_block.attentions.0.{}", tail(2)),
            n @ (0 | 2) => format!("mid_block.resnets.{}.{}", n / 2, resnet(&tail(2))?),
            _ => return None,
        },
        "output_blocks" => {
            let (n, part) = (number(1)?, number(2)?);
            let (level, layer) = (n / 3, n % 3);
            match (part, parts.get(3).copied()) {
                (1 | 2, Some("conv")) => format!("up_blocks.{level}.upsamplers.0.conv"),
                (0, _) => format!("up_blocks.{level}.resnets.{layer}.{}", resnet(&tail(3))?),
                (1, _) => format!("up_blocks.{level}.attentions.{layer}.{}", tail(3)),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(module)
}

fn resnet(part: &str) -> Option<&'static str> {
    Some(match part {
        "in_layers.0" => "norm1",
        "in_layers.2" => "conv1",
        "out_layers.0" => "norm2",
        "out_layers.3" => "conv2",
        "emb_layers.1" => "time_emb_proj",
        "skip_connection" => "conv_shortcut",
        _ => return None,
    })
}
