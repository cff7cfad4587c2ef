//! What a file is, told by the names of its tensors.

use crate::error::{Error, Fault};
use crate::{Container, SafeTensors, pickle};
use std::path::Path;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A whole model: text encoder, UNet and VAE, or at least a UNet.
    Checkpoint,
    /// A textual-inversion embedding.
    Embedding,
    /// A LoRA or another member of that family.
    Lora,
    /// A VAE alone.
    Vae,
    /// A text encoder alone.
    TextEncoder,
    /// Tensors of a kind that this program does not know.
    Unknown,
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Checkpoint => "checkpoint",
            Self::Embedding => "embedding",
            Self::Lora => "LoRA",
            Self::Vae => "VAE",
            Self::TextEncoder => "text encoder",
            Self::Unknown => "unknown",
        })
    }
}

/// Parts of names that only adapters have: LoRA, LoHa, LoKr, IA3, OFT, GLoRA, norm and full.
const ADAPTER: [&str; 28] = [
    "lora_up",
    "lora_down",
    "lora_mid",
    "lora_A",
    "lora_B",
    "lora.up",
    "lora.down",
    "hada_w",
    "lokr_w",
    "lokr_t",
    "oft_blocks",
    "oft_diag",
    "on_input",
    "dora_scale",
    "lora_linear_layer",
    "to_q_lora",
    "to_k_lora",
    "to_v_lora",
    "to_out_lora",
    "lora_magnitude_vector",
    "lora_embedding_",
    "oft_R",
    "oft_r",
    "boft_",
    "ia3_l",
    "vera_lambda",
    "lycoris_",
    "bundle_emb.",
];

/// The kind of a file with tensors of these names; text alone cannot tell an embedding from any
/// other file of one tensor, so one or two tensors of unknown names count as an embedding.
#[must_use]
pub fn of_names<'a>(names: impl Iterator<Item = &'a str>) -> FileKind {
    let mut kind = FileKind::Unknown;
    let (mut count, mut sdxl) = (0, 0);
    for name in names {
        count += 1;
        sdxl += u32::from(name == "clip_l" || name == "clip_g");
        if name == "emb_params" || name.starts_with("string_to_param") {
            return FileKind::Embedding;
        }
        if ["model.diffusion_model.", "unet.", "cond_stage_model.", "conditioner.", "down_blocks."]
            .iter()
            .any(|p| name.starts_with(p))
            && !ADAPTER.iter().any(|part| name.contains(part))
        {
            return FileKind::Checkpoint;
        }
        let found = if name.starts_with("lora_unet_")
            || name.starts_with("lora_te_")
            || name.starts_with("lora_te1_")
            || is_numbered(name)
            || ADAPTER.iter().any(|part| name.contains(part))
        {
            FileKind::Lora
        } else if ["first_stage_model.", "vae.", "decoder.", "encoder.", "post_quant_conv."]
            .iter()
            .any(|p| name.starts_with(p))
        {
            FileKind::Vae
        } else if name.starts_with("text_model.") {
            FileKind::TextEncoder
        } else {
            continue;
        };
        // A checkpoint holds the names of its parts too; an adapter may hold names of neither.
        kind = match (kind, found) {
            (FileKind::Unknown, found) => found,
            (kind, found) if kind == found => kind,
            (FileKind::Lora, _) | (_, FileKind::Lora) => FileKind::Lora,
            _ => FileKind::Checkpoint,
        };
    }
    match kind {
        FileKind::Unknown if count == 1 || (count == 2 && sdxl == 2) => FileKind::Embedding,
        other => other,
    }
}

/// Whether a name is one of cloneofsimo's: `unet:12:down`.
fn is_numbered(name: &str) -> bool {
    let Some((part, rest)) = name.split_once(':') else { return false };
    let Some((number, end)) = rest.split_once(':') else { return false };
    matches!(part, "unet" | "text_encoder")
        && number.parse::<u32>().is_ok()
        && matches!(end, "up" | "down")
}

/// The kind of a torch file's contents. A bare list of tensors is cloneofsimo's LoRA.
#[must_use]
pub fn of_value(value: &pickle::Value) -> FileKind {
    if let pickle::Value::List(items) = value
        && items.len() > 1
        && items.iter().all(|v| v.as_tensor().is_some())
    {
        return FileKind::Lora;
    }
    if value.as_tensor().is_some() || value.get("string_to_param").is_some() {
        return FileKind::Embedding;
    }
    let entries = value.get("state_dict").unwrap_or(value).entries().unwrap_or_default();
    let tensors = entries.iter().filter(|(_, v)| v.as_tensor().is_some());
    of_names(tensors.filter_map(|(k, _)| k.as_text()))
}

/// The kind of a file or of a diffusers folder.
///
/// # Errors
/// Where it cannot be read as what its content says.
pub fn kind(path: &Path) -> Result<FileKind, Error> {
    if path.is_dir() {
        let part = |p: &str| path.join(p).is_dir();
        return Ok(match (part("unet"), path.join("config.json").is_file()) {
            (true, _) => FileKind::Checkpoint,
            (false, true) => folder(path),
            _ => FileKind::Unknown,
        });
    }
    match Container::of(path)? {
        Some(Container::SafeTensors) => Ok(of_names(SafeTensors::open(path)?.names())),
        Some(Container::Picture) => match crate::embedding::read_any(path) {
            Ok(_) => Ok(FileKind::Embedding),
            Err(Error { fault: Fault::Kind { .. }, .. }) => Ok(FileKind::Unknown),
            Err(e) => Err(e),
        },
        Some(Container::OtherPicture) => Ok(FileKind::Unknown),
        _ => Ok(of_value(&pickle::read(path)?)),
    }
}

/// The kind of one component's folder, by the files that diffusers and transformers give it.
fn folder(path: &Path) -> FileKind {
    let has = |stem: &str| {
        ["safetensors", "bin"].iter().any(|e| path.join(format!("{stem}.{e}")).is_file())
    };
    let text = std::fs::read_to_string(path.join("config.json")).unwrap_or_default();
    if text.contains("AutoencoderKL") {
        FileKind::Vae
    } else if has("model") || has("pytorch_model") || text.contains("CLIPText") {
        FileKind::TextEncoder
    } else {
        FileKind::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::{FileKind, of_names};

    #[test]
    fn names_tell_kinds() {
        for (names, kind) in [
            (&["emb_params"][..], FileKind::Embedding),
            (&["<cat>"], FileKind::Embedding),
            (&["clip_l", "clip_g"], FileKind::Embedding),
            (&["a", "b"], FileKind::Unknown),
            (
                &["lora_unet_mid_block_x.lora_up.weight", "lora_unet_mid_block_x.alpha"],
                FileKind::Lora,
            ),
            (&["unet.down_blocks.0.attn.lora_A.weight"], FileKind::Lora),
            (&["lora_te_x.diff", "lora_te_x.diff_b"], FileKind::Lora),
            (&["<s1>", "<s2>", "unet:0:down", "unet:0:up"], FileKind::Lora),
            (&["unet:0:left", "unet:x:up"], FileKind::Unknown),
            (&["model.diffusion_model.out.0.bias", "first_stage_model.x"], FileKind::Checkpoint),
            (&["first_stage_model.decoder.conv_in.bias"], FileKind::Vae),
            (&["decoder.conv_in.bias", "encoder.conv_in.bias"], FileKind::Vae),
            (&["text_model.final_layer_norm.bias"], FileKind::TextEncoder),
            (&[], FileKind::Unknown),
        ] {
            assert_eq!(of_names(names.iter().copied()), kind, "{names:?}");
        }
    }
}
