//! Any ONNX network from a picture to a vector, run by the `rten` crate.
use super::kind::{self, NetworkKind, Shapes};
use super::{ImageEncoder, RgbImage, pixels};
use crate::error::AtFile;
use crate::{Error, Result};
use rten::{Dimension, Model, NodeId};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is done to a channel's value in 0..1: (value - mean) / std.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalize {
    /// One per channel, red first.
    pub mean: [f32; 3],
    /// One per channel, red first.
    pub std: [f32; 3],
}

impl Normalize {
    /// The names that [`Normalize::named`] knows.
    pub const NAMES: [&str; 4] = ["0..1", "-1..1", "imagenet", "clip"];

    /// A usual one by its name: `0..1`, `-1..1`, `imagenet` (DINO, most classifiers) or `clip`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "0..1" => Self { mean: [0.0; 3], std: [1.0; 3] },
            "-1..1" => Self { mean: [0.5; 3], std: [0.5; 3] },
            "imagenet" => Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
            "clip" => Self {
                mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
                std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
            },
            _ => return None,
        })
    }
}

/// What the file may not say of itself.
#[derive(Debug, Clone, Default)]
pub struct OnnxOptions {
    /// Width and height of the input; else the network's own, else 224 x 224.
    pub size: Option<(u32, u32)>,
    /// How pixels are normalized; else as the file's metadata say, or as networks of its kind have it.
    pub normalize: Option<Normalize>,
    /// The output that is the vector; else one called `identity`, `image_embeds`, `embedding` or
    /// `pooler_output`, else the first.
    pub output: Option<String>,
}

/// A loaded network.
pub struct OnnxImageEncoder {
    path: PathBuf,
    model: Model,
    input: NodeId,
    outputs: Vec<(String, NodeId)>,
    vector: usize,
    size: (u32, u32),
    normalize: Normalize,
    kind: NetworkKind,
    words: BTreeMap<String, Vec<String>>,
}

impl std::fmt::Debug for OnnxImageEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OnnxJudge({}, {:?})", self.path.display(), self.size)
    }
}

/// Outputs that are taken for the vector, in this order.
const VECTORS: [&str; 4] = ["identity", "image_embeds", "embedding", "pooler_output"];

impl OnnxImageEncoder {
    /// Reads a network.
    ///
    /// # Errors
    /// If the file cannot be read, holds an operation that cannot be run, or neither it nor the
    /// options say what goes in and what comes out.
    pub fn open(path: &Path, options: &OnnxOptions) -> Result<Self> {
        Self::from_bytes(path, std::fs::read(path).at(path)?, options)
    }

    /// A network from the bytes of its file; `path` is what errors call it.
    ///
    /// # Errors
    /// As [`OnnxImageEncoder::open`].
    pub fn from_bytes(path: &Path, bytes: Vec<u8>, options: &OnnxOptions) -> Result<Self> {
        let fault = |what: String| Error::run(path, what);
        let model = Model::load(bytes).map_err(|e| {
            Error::run(path, "not an ONNX network that can be run")
                .with_source(e)
                .with_hint("export the network to ONNX with opset 17 or lower")
        })?;
        let [input] = model.input_ids() else {
            let count = model.input_ids().len();
            return Err(fault(format!("expected one input, an image, found {count}")));
        };
        let size = input_size(&model, options.size).map_err(|(what, hint)| {
            let error = fault(what);
            if hint.is_empty() { error } else { error.with_hint(hint) }
        })?;
        let stated = model.metadata().get("input").unwrap_or_default();
        let known = || ["-1..1", "0..1"].into_iter().find(|name| stated.contains(name));
        let kind = kind::of(&shapes(&model, path));
        let normalize = options.normalize.or_else(|| known().and_then(Normalize::named));
        let normalize = normalize.or_else(|| kind.normalize()).ok_or_else(|| {
            fault("the file does not say how pixels are normalized".into()).with_hint(format!(
                "say it: {}; DINO takes `imagenet`, CLIP `clip`",
                Normalize::NAMES.join(", ")
            ))
        })?;
        let name = |id: &NodeId| {
            model.node_info(*id).and_then(|n| n.name().map(str::to_owned)).unwrap_or_default()
        };
        let outputs: Vec<_> = model.output_ids().iter().map(|id| (name(id), *id)).collect();
        let vector = choose_output(&outputs, options.output.as_deref()).ok_or_else(|| {
            let names: Vec<&str> = outputs.iter().map(|o| o.0.as_str()).collect();
            fault(format!("which of its outputs is the vector: {}", names.join(", ")))
        })?;
        let listed = |name: &String| serde_json::from_str(model.metadata().get(name)?).ok();
        let words = outputs.iter().filter_map(|(n, _)| Some((n.clone(), listed(n)?))).collect();
        let input = *input;
        Ok(Self { path: path.into(), input, outputs, vector, size, normalize, kind, words, model })
    }

    /// Which of the usual networks it is.
    #[must_use]
    pub fn kind(&self) -> NetworkKind {
        self.kind
    }

    /// Width and height of the network's input.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    fn run(&self, picture: &RgbImage, wanted: &[NodeId]) -> Result<Vec<Tensor<f32>>> {
        let fault = |what: &str| Error::run(&self.path, what);
        if picture.width() == 0 || picture.height() == 0 {
            return Err(fault("an image without pixels has no features"));
        }
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let values = pixels::planes(picture, self.size, &self.normalize);
        let input = NdTensor::from_data([1, 3, height, width], values);
        let results = self.model.run(vec![(self.input, input.into())], wanted, None);
        let results = results.map_err(|e| fault("the network failed").with_source(e))?;
        let floats = results.into_iter().map(|value| {
            Tensor::<f32>::try_from(value)
                .map_err(|e| fault("an output is not of floats").with_source(e))
        });
        floats.collect()
    }
}

impl ImageEncoder for OnnxImageEncoder {
    fn vector(&self, picture: &RgbImage) -> Result<Vec<f32>> {
        let results = self.run(picture, &[self.outputs[self.vector].1])?;
        let result = &results[0];
        let values = result.to_vec();
        // A transformer's last states: the first token stands for the picture.
        let width = if result.ndim() == 3 { result.size(2) } else { values.len() };
        let vector = values[..width.min(values.len())].to_vec();
        if vector.is_empty() || vector.iter().any(|v| !v.is_finite()) {
            return Err(Error::run(&self.path, "the network gave no finite vector"));
        }
        Ok(vector)
    }

    fn outputs(&self, picture: &RgbImage) -> Result<BTreeMap<String, Vec<f32>>> {
        let ids: Vec<NodeId> = self.outputs.iter().map(|o| o.1).collect();
        let results = self.run(picture, &ids)?;
        let named = self.outputs.iter().zip(results);
        Ok(named.map(|((name, _), r)| (name.clone(), r.to_vec())).collect())
    }

    fn words(&self, output: &str) -> Option<&[String]> {
        self.words.get(output).map(Vec::as_slice)
    }
}

/// What a file shows of its network.
fn shapes(model: &Model, path: &Path) -> Shapes {
    let fixed = |side: &Dimension| match side {
        Dimension::Fixed(n) => Some(*n),
        Dimension::Symbolic(_) => None,
    };
    let input: Vec<Option<usize>> =
        model.input_shape(0).unwrap_or_default().iter().map(fixed).collect();
    let side = |at: usize| input.get(at).copied().flatten();
    let output = |id: &NodeId| {
        let node = model.node_info(*id)?;
        let shape = node.shape().unwrap_or_default();
        Some((node.name().unwrap_or_default().to_owned(), shape.iter().map(fixed).collect()))
    };
    let about = model.metadata();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let keys = ["model", "name", "architecture", "model_type", "description"];
    let said = keys.iter().filter_map(|key| about.get(key)).map(str::to_owned);
    let words: Vec<String> = name.into_iter().chain(said).collect();
    Shapes {
        input: [side(2), side(3)],
        outputs: model.output_ids().iter().filter_map(output).collect(),
        words: words.join(" ").to_lowercase(),
    }
}

fn choose_output(outputs: &[(String, NodeId)], wanted: Option<&str>) -> Option<usize> {
    let at = |name: &str| outputs.iter().position(|(n, _)| n == name);
    match wanted {
        Some(name) => at(name),
        None => VECTORS.into_iter().find_map(at).or((!outputs.is_empty()).then_some(0)),
    }
}

/// Width and height of the input `[n, 3, h, w]`: as given, else the network's.
fn input_size(
    model: &Model,
    given: Option<(u32, u32)>,
) -> std::result::Result<(u32, u32), (String, String)> {
    let shape = model.input_shape(0).unwrap_or_default();
    let side = |at: usize| match shape.get(at) {
        Some(Dimension::Fixed(n)) => Some(*n as u32),
        _ => None,
    };
    let shown: Vec<String> = shape
        .iter()
        .map(|d| match d {
            Dimension::Fixed(n) => n.to_string(),
            Dimension::Symbolic(name) => name.clone(),
        })
        .collect();
    let shown = shown.join(", ");
    let fits = shape.is_empty() || (shape.len() == 4 && side(1).is_none_or(|c| c == 3));
    if !fits {
        return Err((format!("expected an input [n, 3, h, w], found [{shown}]"), String::new()));
    }
    let size = match (given, side(3), side(2)) {
        (Some(size), w, h) => {
            let agrees = w.is_none_or(|w| w == size.0) && h.is_none_or(|h| h == size.1);
            if !agrees {
                let what = format!("its input is [{shown}], not {} x {}", size.0, size.1);
                return Err((what, "leave the size out: the file says it".into()));
            }
            size
        }
        (None, w, h) => (w.unwrap_or(224), h.unwrap_or(224)),
    };
    if size.0 == 0 || size.1 == 0 || size.0 > 4096 || size.1 > 4096 {
        return Err((format!("an input of {} x {} pixels", size.0, size.1), String::new()));
    }
    Ok(size)
}
