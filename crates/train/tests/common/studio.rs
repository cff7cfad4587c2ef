//! How well an embedding is learned: similarity and prompt fidelity of pictures drawn with it.
#![allow(dead_code, reason = "each user takes its part")]
#![allow(clippy::unwrap_used, reason = "used by tests and by a program that measures")]

use image::RgbImage;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wayword_diffusion::{Base, DrawPlan, DrawSettings, Embeddings, draw};
use wayword_interface::{Quiet, Stop};
use wayword_train::image_encoder::{
    ImageEncoder as _, OnnxImageEncoder, OnnxOptions, SCENES, similarity, similarity_within,
};

/// Pictures for a similarity and for each scene, as in the demo's own table.
pub(crate) const PICTURES: usize = 16;
const EACH: usize = 4;

/// A concept folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Concept {
    pub(crate) name: String,
    pub(crate) class: String,
    pub(crate) folder: PathBuf,
}

impl Concept {
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.name, self.class)
    }

    pub(crate) fn is_style(&self) -> bool {
        self.class == "style"
    }

    /// Whether it is asked for: `all`, a half, or names. The halves are every other one of those
    /// that the encoder knows, in the order of their names: recipes are chosen on the first.
    pub(crate) fn is_wanted(&self, place: usize, asked: &str) -> bool {
        match asked {
            "all" => !self.is_style(),
            "choose" => !self.is_style() && place.is_multiple_of(2),
            "report" => !self.is_style() && !place.is_multiple_of(2),
            names => names.split(',').any(|name| name == self.name),
        }
    }
}

/// The bundled concepts, sorted by name.
pub(crate) fn concepts(demo: &Path) -> Vec<Concept> {
    let folders = std::fs::read_dir(demo.join("concepts")).unwrap();
    let mut all: Vec<Concept> = folders
        .map(|entry| entry.unwrap().path())
        .map(|folder| {
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            let (name, class) = name.split_once('_').unwrap().1.rsplit_once(' ').unwrap();
            Concept { name: name.to_owned(), class: class.to_owned(), folder }
        })
        .collect();
    all.sort();
    all
}

/// Draws and judges on one base.
pub(crate) struct Studio<'a> {
    base: &'a Base,
    encoder: OnnxImageEncoder,
    /// Seed of the first picture; no training picture has anything to do with it.
    pub(crate) seed: u64,
}

impl<'a> Studio<'a> {
    pub(crate) fn new(base: &'a Base, demo: &Path) -> Self {
        let encoder =
            OnnxImageEncoder::open(&demo.join("judge.onnx"), &OnnxOptions::default()).unwrap();
        Self { base, encoder, seed: 1001 }
    }

    fn draw(&self, embeddings: &Arc<Embeddings>, prompts: &[String]) -> Vec<RgbImage> {
        let mut settings = DrawSettings::new(self.base, "");
        settings.prompts = prompts.to_vec();
        (settings.cfg, settings.seed) = (4.0, self.seed);
        (settings.count, settings.batch) = (prompts.len(), 16);
        settings.embeddings = Some(Arc::clone(embeddings));
        let plan = DrawPlan::new(self.base, settings).unwrap();
        let drawn = draw(self.base, &plan, &Quiet, &Stop::default()).unwrap();
        drawn.into_iter().map(|p| RgbImage::from_raw(p.width, p.height, p.rgb).unwrap()).collect()
    }

    fn vectors(&self, pictures: &[RgbImage]) -> Vec<Vec<f32>> {
        pictures.iter().map(|picture| self.encoder.vector(picture).unwrap()).collect()
    }

    /// The training pictures of a concept, as the encoder sees them.
    pub(crate) fn references(&self, folder: &Path) -> Vec<Vec<f32>> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "png"));
        files.sort();
        let open = |path: &PathBuf| image::open(path).unwrap().to_rgb8();
        self.vectors(&files.iter().map(open).collect::<Vec<_>>())
    }

    /// How alike a concept's pictures are to each other.
    pub(crate) fn among(&self, references: &[Vec<f32>]) -> f64 {
        similarity_within(references).unwrap().mean
    }

    /// The embeddings of a base with one more.
    pub(crate) fn with(&self, name: &str, vectors: &[f32]) -> Arc<Embeddings> {
        let mut embeddings = Embeddings::new(self.base);
        embeddings.add(name, vectors.to_vec(), None).unwrap();
        Arc::new(embeddings)
    }

    /// No embeddings, for words that the base knows.
    pub(crate) fn without(&self) -> Arc<Embeddings> {
        Arc::new(Embeddings::new(self.base))
    }

    /// Similarity of pictures of `a photo of NAME` and the references.
    pub(crate) fn similarity(
        &self,
        embeddings: &Arc<Embeddings>,
        name: &str,
        references: &[Vec<f32>],
    ) -> f64 {
        let drawn = self.draw(embeddings, &vec![format!("a photo of {name}"); PICTURES]);
        similarity(&self.vectors(&drawn), references).unwrap().mean
    }

    /// Prompt fidelity: share of pictures in which the encoder sees what the other words ask for.
    pub(crate) fn fidelity(&self, embeddings: &Arc<Embeddings>, name: &str) -> f64 {
        let tails = SCENES.iter().flat_map(|(tail, ..)| std::iter::repeat_n(tail, EACH));
        let prompts: Vec<String> = tails.map(|tail| format!("a photo of {name}{tail}")).collect();
        let drawn = self.draw(embeddings, &prompts);
        let seen = drawn.iter().zip(0..).filter(|(picture, at)| {
            let (_, output, what) = SCENES[at / EACH];
            self.encoder.word(picture, output).unwrap().as_deref() == Some(what)
        });
        seen.count() as f64 / drawn.len() as f64
    }
}
