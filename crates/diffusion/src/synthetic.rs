//! A whole model of any size with weights that a rule makes, for tests and measurements: no file
//! of four gigabytes is needed to know whether the full model is computed rightly, or how fast.
//!
//! A value depends on the tensor's LDM key, its shape and the element's place alone: FNV-1a of the
//! key seeds splitmix64, whose upper 24 bits are a number u in -1..1; matrices get
//! u sqrt(3 / inputs), so that activations keep their size.
use crate::base::Sources;
use crate::weights::TensorSource;
use crate::{Base, Error, Result};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use wayword_formats::{Array, Component, Dtype};
use wayword_interface::Stop;
use wayword_tensor::Device;

/// Widths and depths of a model.
#[derive(Debug, Clone)]
pub struct Dimensions {
    /// Channels of the UNet's levels.
    pub unet: Vec<usize>,
    /// Resnets of a level on the way down.
    pub layers: usize,
    /// Channels of a token.
    pub text: usize,
    /// Layers of the text encoder.
    pub text_layers: usize,
    /// Channels of the VAE's levels.
    pub vae: Vec<usize>,
}

impl Dimensions {
    /// Those of Stable Diffusion 1.5.
    #[must_use]
    pub fn sd15() -> Self {
        Self {
            unet: vec![320, 640, 1280, 1280],
            layers: 2,
            text: 768,
            text_layers: 12,
            vae: vec![128, 256, 512, 512],
        }
    }

    /// Shapes of all tensors of a component, by diffusers name.
    #[must_use]
    pub fn shapes(&self, component: Component) -> BTreeMap<String, Vec<usize>> {
        let mut shapes = Shapes::default();
        match component {
            Component::Unet => shapes.unet(self),
            Component::Vae => shapes.vae(self),
            Component::Text => shapes.text(self),
        }
        shapes.0
    }
}

/// Shapes by name, while they are listed.
#[derive(Default)]
struct Shapes(BTreeMap<String, Vec<usize>>);

impl Shapes {
    fn weight(&mut self, module: &str, shape: &[usize]) {
        self.0.insert(format!("{module}.weight"), shape.to_vec());
    }

    fn layer(&mut self, module: &str, shape: &[usize]) {
        self.weight(module, shape);
        self.0.insert(format!("{module}.bias"), vec![shape[0]]);
    }

    fn resnet(&mut self, at: &str, inputs: usize, outputs: usize, time: Option<usize>) {
        self.layer(&format!("{at}.norm1"), &[inputs]);
        self.layer(&format!("{at}.conv1"), &[outputs, inputs, 3, 3]);
        if let Some(time) = time {
            self.layer(&format!("{at}.time_emb_proj"), &[outputs, time]);
        }
        self.layer(&format!("{at}.norm2"), &[outputs]);
        self.layer(&format!("{at}.conv2"), &[outputs, outputs, 3, 3]);
        if inputs != outputs {
            self.layer(&format!("{at}.conv_shortcut"), &[outputs, inputs, 1, 1]);
        }
    }

    fn transformer(&mut self, at: &str, width: usize, context: usize) {
        self.layer(&format!("{at}.norm"), &[width]);
        self.layer(&format!("{at}.proj_in"), &[width, width, 1, 1]);
        self.layer(&format!("{at}.proj_out"), &[width, width, 1, 1]);
        let at = format!("{at}.transformer_blocks.0");
        for norm in ["norm1", "norm2", "norm3"] {
            self.layer(&format!("{at}.{norm}"), &[width]);
        }
        for (attention, context) in [("attn1", width), ("attn2", context)] {
            self.weight(&format!("{at}.{attention}.to_q"), &[width, width]);
            self.weight(&format!("{at}.{attention}.to_k"), &[width, context]);
            self.weight(&format!("{at}.{attention}.to_v"), &[width, context]);
            self.layer(&format!("{at}.{attention}.to_out.0"), &[width, width]);
        }
        self.layer(&format!("{at}.ff.net.0.proj"), &[8 * width, width]);
        self.layer(&format!("{at}.ff.net.2"), &[width, 4 * width]);
    }

    fn unet(&mut self, d: &Dimensions) {
        let (first, last, time) = (d.unet[0], d.unet.len() - 1, 4 * d.unet[0]);
        self.layer("time_embedding.linear_1", &[time, first]);
        self.layer("time_embedding.linear_2", &[time, time]);
        self.layer("conv_in", &[first, 4, 3, 3]);
        let (mut width, mut skips) = (first, vec![first]);
        for (level, outputs) in d.unet.iter().copied().enumerate() {
            let at = format!("down_blocks.{level}");
            for layer in 0..d.layers {
                self.resnet(&format!("{at}.resnets.{layer}"), width, outputs, Some(time));
                width = outputs;
                if level < last {
                    self.transformer(&format!("{at}.attentions.{layer}"), width, d.text);
                }
                skips.push(width);
            }
            if level < last {
                self.layer(&format!("{at}.downsamplers.0.conv"), &[width, width, 3, 3]);
                skips.push(width);
            }
        }
        self.resnet("mid_block.resnets.0", width, width, Some(time));
        self.transformer("mid_block.attentions.0", width, d.text);
        self.resnet("mid_block.resnets.1", width, width, Some(time));
        for (level, outputs) in d.unet.iter().rev().copied().enumerate() {
            let at = format!("up_blocks.{level}");
            for layer in 0..=d.layers {
                let inputs = width + skips.pop().unwrap_or(0);
                self.resnet(&format!("{at}.resnets.{layer}"), inputs, outputs, Some(time));
                width = outputs;
                if level > 0 {
                    self.transformer(&format!("{at}.attentions.{layer}"), width, d.text);
                }
            }
            if level < last {
                self.layer(&format!("{at}.upsamplers.0.conv"), &[width, width, 3, 3]);
            }
        }
        self.layer("conv_norm_out", &[width]);
        self.layer("conv_out", &[4, width, 3, 3]);
    }

    fn vae(&mut self, d: &Dimensions) {
        let last = d.vae.len() - 1;
        self.layer("quant_conv", &[8, 8, 1, 1]);
        self.layer("post_quant_conv", &[4, 4, 1, 1]);
        let encoder = ("encoder", "down_blocks", "downsamplers", d.vae[0], 3, 8);
        let decoder = ("decoder", "up_blocks", "upsamplers", d.vae[last], 4, 3);
        for (side, blocks, sampler, first, from, to) in [encoder, decoder] {
            self.layer(&format!("{side}.conv_in"), &[first, from, 3, 3]);
            let is_encoder = side == "encoder";
            let widths: Vec<usize> =
                if is_encoder { d.vae.clone() } else { d.vae.iter().rev().copied().collect() };
            let mut width = first;
            for (level, outputs) in widths.iter().copied().enumerate() {
                let at = format!("{side}.{blocks}.{level}");
                for layer in 0..d.layers + usize::from(!is_encoder) {
                    self.resnet(&format!("{at}.resnets.{layer}"), width, outputs, None);
                    width = outputs;
                }
                if level < last {
                    self.layer(&format!("{at}.{sampler}.0.conv"), &[width, width, 3, 3]);
                }
            }
            let middle = d.vae[last];
            self.resnet(&format!("{side}.mid_block.resnets.0"), middle, middle, None);
            self.resnet(&format!("{side}.mid_block.resnets.1"), middle, middle, None);
            let at = format!("{side}.mid_block.attentions.0");
            self.layer(&format!("{at}.group_norm"), &[middle]);
            for part in ["to_q", "to_k", "to_v", "to_out.0"] {
                self.layer(&format!("{at}.{part}"), &[middle, middle]);
            }
            self.layer(&format!("{side}.conv_norm_out"), &[width]);
            self.layer(&format!("{side}.conv_out"), &[to, width, 3, 3]);
        }
    }

    fn text(&mut self, d: &Dimensions) {
        let (width, inner) = (d.text, 4 * d.text);
        self.weight("text_model.embeddings.token_embedding", &[49408, width]);
        self.weight("text_model.embeddings.position_embedding", &[77, width]);
        self.layer("text_model.final_layer_norm", &[width]);
        for layer in 0..d.text_layers {
            let at = format!("text_model.encoder.layers.{layer}");
            for (part, shape) in [
                ("layer_norm1", vec![width]),
                ("layer_norm2", vec![width]),
                ("self_attn.q_proj", vec![width, width]),
                ("self_attn.k_proj", vec![width, width]),
                ("self_attn.v_proj", vec![width, width]),
                ("self_attn.out_proj", vec![width, width]),
                ("mlp.fc1", vec![inner, width]),
                ("mlp.fc2", vec![width, inner]),
            ] {
                self.layer(&format!("{at}.{part}"), &shape);
            }
        }
    }
}

/// The rule's values for a tensor of this LDM key and shape, row-major.
#[must_use]
pub fn tensor(key: &str, shape: &[usize]) -> Vec<f32> {
    let seed = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let inputs: usize = shape.iter().skip(1).product();
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the rule")]
    let (offset, factor) = if key.starts_with("test.") {
        (0.0, 3f64.sqrt() as f32)
    } else if key.ends_with("token_embedding.weight") {
        (0.0, 0.035)
    } else if key.ends_with("position_embedding.weight") {
        (0.0, 0.017)
    } else if key.ends_with(".bias") {
        (0.0, 0.02)
    } else if shape.len() == 1 {
        (1.0, 0.1)
    } else {
        (0.0, (3.0 / inputs as f64).sqrt() as f32)
    };
    let count: usize = shape.iter().product();
    (1..=count as u64).map(|i| offset + uniform(seed, i) * factor).collect()
}

/// The i-th number of a seed, i from 1, in -1..1.
fn uniform(seed: u64, i: u64) -> f32 {
    let mut s = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    s = (s ^ (s >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    s = (s ^ (s >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    s ^= s >> 31;
    // 24 bits fit f32 exactly.
    #[expect(clippy::cast_precision_loss, reason = "24 bits")]
    let u = ((s >> 40) as i64 - 8_388_608) as f32;
    u / 8_388_608.0
}

/// One component, made as it is asked for.
#[derive(Debug)]
struct Made {
    /// LDM key and shape by diffusers name.
    tensors: BTreeMap<String, (String, Vec<usize>)>,
    /// As a file of half floats has them.
    half: bool,
}

impl Made {
    fn new(dimensions: &Dimensions, component: Component) -> Self {
        let shapes = dimensions.shapes(component);
        let table = component.table(shapes.keys().map(String::as_str));
        let prefix = component.prefixes()[0];
        let named = |(name, shape): (String, Vec<usize>)| {
            let ldm = table.ldm(&name).unwrap_or_else(|| name.clone());
            (name, (format!("{prefix}{ldm}"), shape))
        };
        Self { tensors: shapes.into_iter().map(named).collect(), half: false }
    }
}

impl TensorSource for Made {
    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn load(&self, name: &str) -> Result<Array> {
        let (key, shape) = &self.tensors[name];
        let values = tensor(key, shape);
        let array = if self.half {
            Array::new(Dtype::F16, shape.clone(), halves(&values))
        } else {
            Array::from_f32(shape.clone(), &values)
        };
        array.map_err(|fault| Error::File(fault.at(Path::new("synthetic"))))
    }
}

/// Values as the bytes of half floats.
fn halves(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect()
}

/// Writes a checkpoint of these dimensions in half floats under LDM's names, one tensor at a time.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, dimensions: &Dimensions) -> std::io::Result<()> {
    let all = Component::ALL.map(|component| Made::new(dimensions, component).tensors);
    let tensors: BTreeMap<String, Vec<usize>> =
        all.into_iter().flat_map(BTreeMap::into_values).collect();
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (key, shape) in &tensors {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        let entry =
            serde_json::json!({ "dtype": "F16", "shape": shape, "data_offsets": [start, end] });
        header.insert(key.clone(), entry);
    }
    let mut header = serde_json::Value::Object(header).to_string();
    // Data begins at a multiple of eight, as every writer of the format does it.
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for (key, shape) in &tensors {
        file.write_all(&halves(&tensor(key, shape)))?;
    }
    file.flush()
}

/// The UNet alone, with the rule's weights in half floats, as most files have them.
///
/// # Errors
/// If the device has no room.
pub fn unet(device: &Device, dimensions: &Dimensions) -> Result<crate::Unet> {
    let made = Made { half: true, ..Made::new(dimensions, Component::Unet) };
    let weights =
        crate::weights::Weights::prepare(device, Component::Unet, &made, &Stop::default())?;
    Ok(crate::Unet::load(device, &weights.root()))
}

/// The UNet alone, with the rule's weights as they are.
///
/// # Errors
/// If the device has no room.
pub fn unet_f32(device: &Device, dimensions: &Dimensions) -> Result<crate::Unet> {
    let made = Made::new(dimensions, Component::Unet);
    let weights =
        crate::weights::Weights::prepare(device, Component::Unet, &made, &Stop::default())?;
    Ok(crate::Unet::load(device, &weights.root()))
}

/// The VAE alone, with the rule's weights in half floats, as most files have them.
///
/// # Errors
/// If the device has no room.
pub fn vae(device: &Device, dimensions: &Dimensions) -> Result<crate::Vae> {
    let made = Made { half: true, ..Made::new(dimensions, Component::Vae) };
    let weights =
        crate::weights::Weights::prepare(device, Component::Vae, &made, &Stop::default())?;
    Ok(crate::Vae::load(&weights.root()))
}

/// The text encoder alone, with the rule's weights in half floats, as most files have them.
///
/// # Errors
/// If the device has no room.
pub fn text(device: &Device, dimensions: &Dimensions) -> Result<crate::TextEncoder> {
    let made = Made { half: true, ..Made::new(dimensions, Component::Text) };
    let weights =
        crate::weights::Weights::prepare(device, Component::Text, &made, &Stop::default())?;
    let table = crate::base::token_table(&made)?;
    Ok(crate::TextEncoder::load(device, &weights.root(), None, table))
}

impl Base {
    /// A base of these dimensions with the rule's weights.
    ///
    /// # Errors
    /// If the device has no room.
    ///
    /// # Panics
    /// If the lists of shapes are not those that the models ask for: a bug.
    pub fn synthetic(device: &Device, dimensions: &Dimensions) -> Result<Self> {
        let [unet, vae, text] =
            Component::ALL.map(|c| Arc::new(Made::new(dimensions, c)) as Arc<dyn TensorSource>);
        let base =
            Self::assemble(device, &Sources { text, unet, vae, heads: None }, &Stop::default())?;
        assert!(base.info.report.is_whole(), "{}", base.info.report);
        Ok(base)
    }
}

#[cfg(test)]
mod tests;
