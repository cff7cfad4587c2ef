//! Draws with the words of the demo, and judges what was drawn.
use super::{INIT, WORD, stopped};
use crate::Failure;
use crate::commands::judge::Judge;
use crate::commands::pictures;
use crate::event::Progress;
use image::RgbImage;
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use wayword_diffusion::forecast::{DrawSpeed, DrawWork, SizedBase};
use wayword_diffusion::{Base, DrawPlan, DrawSettings, Embeddings, Event, draw};
use wayword_interface::Events;
use wayword_train::image_encoder::ImageEncoder as _;

/// How strongly prompts guide: what the bundled model wants.
pub(crate) const CFG: f64 = 4.0;

/// Pictures that are computed at once: large enough that calls cost nothing.
const BATCH: usize = 16;

/// A base to draw with and a judge to look at the pictures.
pub(super) struct Studio<'a> {
    pub(super) base: &'a Base,
    judge: Judge,
    progress: &'a Progress<'a>,
    /// The judge's vectors of the pictures that were learned from.
    references: Vec<Vec<f32>>,
    /// Seconds that the judge took for one of them.
    seconds_per_picture: f64,
    /// Images that were drawn, and those that will have been in the end.
    drawn: Cell<usize>,
    pub(super) to_draw: Cell<usize>,
    /// Those pictures.
    pub(super) shown: Vec<RgbImage>,
}

impl<'a> Studio<'a> {
    pub(super) fn new(base: &'a Base, progress: &'a Progress<'a>) -> Result<Self, Failure> {
        let shown: Vec<RgbImage> = super::data::PICTURES
            .iter()
            .map(|bytes| pictures::from_bytes(bytes))
            .collect::<Result<_, _>>()?;
        let judge = Judge::bundled()?;
        let started = Instant::now();
        let references = vectors(&judge, &shown, progress)?;
        let seconds_per_picture = started.elapsed().as_secs_f64() / shown.len().max(1) as f64;
        Ok(Studio {
            base,
            judge,
            progress,
            references,
            seconds_per_picture,
            drawn: Cell::new(0),
            to_draw: Cell::new(0),
            shown,
        })
    }

    /// Seconds that it will take to draw and to judge so many images.
    pub(super) fn forecast(
        &self,
        drawn: usize,
        judged: usize,
        sizes: &SizedBase,
    ) -> Result<f64, Failure> {
        let mut settings = DrawSettings::new(self.base, "");
        (settings.count, settings.batch, settings.cfg) = (drawn, BATCH, CFG);
        let mut work = DrawWork::default();
        work.add(&DrawPlan::new(self.base, settings)?);
        let drawing = DrawSpeed::of(self.base, sizes)?.seconds(&work, sizes)?;
        Ok(drawing + self.seconds_per_picture * judged as f64)
    }

    /// No learned words.
    pub(super) fn no_words(&self) -> Embeddings {
        Embeddings::new(self.base)
    }

    /// The learned word, with the rows that a file of it holds.
    pub(super) fn word_of(&self, file: &Path) -> Result<Embeddings, Failure> {
        self.named(WORD, wayword_formats::embedding::read(file)?.vectors)
    }

    /// The learned word as it was before the first step.
    pub(super) fn word_at_start(&self) -> Result<Embeddings, Failure> {
        let id = self.base.tokenizer.whole_word(INIT);
        let id = id.ok_or_else(|| Failure::user(format!("`{INIT}` is no word of the base")))?;
        self.named(WORD, self.base.token_vector(id)?)
    }

    /// Another word with these rows.
    pub(super) fn named(&self, name: &str, rows: Vec<f32>) -> Result<Embeddings, Failure> {
        let mut words = self.no_words();
        words.add(name, rows, None)?;
        Ok(words)
    }

    /// One picture for each prompt; the seeds are `seed` of each prompt.
    pub(super) fn draw(
        &self,
        words: &Embeddings,
        prompts: &[(String, u64)],
    ) -> Result<Vec<RgbImage>, Failure> {
        let words = Arc::new(words.clone());
        let mut drawn = Vec::with_capacity(prompts.len());
        // Runs of seeds that count on are drawn together.
        let mut rest = prompts;
        while let Some(((_, first), _)) = rest.split_first() {
            let run =
                rest.iter().zip(*first..).take_while(|((_, seed), next)| seed == next).count();
            let (now, later) = rest.split_at(run);
            let mut settings = DrawSettings::new(self.base, "");
            settings.prompts = now.iter().map(|(prompt, _)| prompt.clone()).collect();
            settings.cfg = CFG;
            settings.seed = *first;
            settings.count = now.len();
            settings.batch = BATCH;
            settings.embeddings = Some(Arc::clone(&words));
            let plan = DrawPlan::new(self.base, settings)?;
            // Single pictures are no news here; a bar may move.
            let (before, progress) = (self.drawn.get(), self.progress);
            let pictures = self.to_draw.get().max(before + now.len());
            let events = |event: Event| {
                if let Event::Step { step, of, first, .. } = event {
                    let first = before + first;
                    Events::event(progress, Event::Step { step, of, first, pictures });
                }
            };
            self.drawn.set(before + now.len());
            let pictures = draw(self.base, &plan, &events, self.progress.stop)?;
            if pictures.len() < now.len() {
                return Err(stopped());
            }
            for picture in pictures {
                let (width, height) = (picture.width, picture.height);
                let picture = RgbImage::from_raw(width, height, picture.rgb);
                drawn.push(picture.ok_or_else(|| Failure::user("an image of the wrong size"))?);
            }
            rest = later;
        }
        Ok(drawn)
    }

    /// How alike pictures are to those that were learned from: mean dot product.
    pub(super) fn likeness(&self, pictures: &[RgbImage]) -> Result<f64, Failure> {
        let vectors = vectors(&self.judge, pictures, self.progress)?;
        Ok(wayword_train::image_encoder::similarity(&vectors, &self.references)?.mean)
    }

    /// How alike the learned pictures are among themselves.
    pub(super) fn similarity_within(&self) -> Result<f64, Failure> {
        Ok(wayword_train::image_encoder::similarity_within(&self.references)?.mean)
    }

    /// The share of pictures in which the judge sees the word for this output, such as `beach` for
    /// `place`.
    pub(super) fn sees(
        &self,
        pictures: &[RgbImage],
        output: &str,
        word: &str,
    ) -> Result<f64, Failure> {
        let mut seen = 0;
        for picture in pictures {
            self.progress.go_on()?;
            if self.judge.word(picture, output)?.as_deref() == Some(word) {
                seen += 1;
            }
        }
        Ok(f64::from(seen) / pictures.len() as f64)
    }
}

fn vectors(
    judge: &Judge,
    pictures: &[RgbImage],
    progress: &Progress<'_>,
) -> Result<Vec<Vec<f32>>, Failure> {
    let vector = |picture: &RgbImage| {
        progress.go_on()?;
        Ok(judge.vector(picture)?)
    };
    pictures.iter().map(vector).collect()
}
