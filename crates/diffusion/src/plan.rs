//! A drawing job: what is wanted, and the same checked against a base.
mod check;

use crate::adapters::{self, Chosen};
use crate::detail::DetailSettings;
use crate::hires::HiresSettings;
use crate::img2img::{self, ImageSettings};
use crate::samplers::SamplerOptions;
use crate::sigmas::{SamplerKind, Schedule};
use crate::vae::LATENT_SIZE;
use crate::{Base, Embeddings, Loras, Network, Result};
use std::sync::Arc;
use wayword_interface::{Diagnostic, Warning};
use wayword_prompt::schedule::Pass;
use wayword_prompt::{Emphasis, Language, PromptPlan, Quirks};
use wayword_tensor::random::NoiseKind;

/// What is wanted. The defaults are those of `wayword draw`.
#[derive(Debug, Clone)]
pub struct DrawSettings {
    /// One prompt for all pictures, or one for each.
    pub prompts: Vec<String>,
    /// One negative prompt for all pictures, or one for each.
    pub negatives: Vec<String>,
    /// Width in pixels, a multiple of 8.
    pub width: u32,
    /// Height in pixels, a multiple of 8.
    pub height: u32,
    /// Sampler steps.
    pub steps: u32,
    /// How strongly the prompt guides; 1 does not.
    pub cfg: f64,
    /// The sampler.
    pub sampler: SamplerKind,
    /// Where its steps lie.
    pub schedule: Schedule,
    /// Finer choices of the sampler.
    pub sampler_options: SamplerOptions,
    /// Seed of the first picture; the next ones count on.
    pub seed: u64,
    /// Number of pictures.
    pub count: usize,
    /// Pictures that are computed at once.
    pub batch: usize,
    /// 1 uses all layers of the text encoder, 2 all but the last.
    pub clip_skip: usize,
    /// What weights in prompts do.
    pub emphasis: Emphasis,
    /// Whether the web UI's accidents are kept.
    pub quirks: Quirks,
    /// The web UI's rule before 1.6 for `[from:to:when]`: any number below 1 is a share of the steps.
    pub old_timelines: bool,
    /// A text that does not fit is cut at a comma at most this many tokens before; 0 never.
    pub comma_backtrack: usize,
    /// Whose random numbers.
    pub noise: NoiseKind,
    /// A second seed and how far the noise goes to it, 0 to 1.
    pub variation: Option<(u64, f64)>,
    /// Width and height whose noise is put in the middle.
    pub seed_resize: Option<(u32, u32)>,
    /// Added to the seed for all noise after the first.
    pub later_seed_delta: i64,
    /// A picture to begin with instead of noise alone.
    pub image: Option<ImageSettings>,
    /// A second pass at a larger size.
    pub hires: Option<HiresSettings>,
    /// Faces that are drawn again, by each of these in their order.
    pub detail: Vec<DetailSettings>,
    /// Words that prompts may use.
    pub embeddings: Option<Arc<Embeddings>>,
    /// What a picture's text says beside its settings, such as where the words come from.
    pub said: Vec<(String, String)>,
    /// LoRAs that prompts may use.
    pub loras: Option<Arc<Loras>>,
    /// Adapters below those of the prompts, such as the LoRAs that a training learns on top of.
    /// They are no part of a picture's settings.
    pub adapters: Vec<Network>,
    /// A small picture of every so many steps ([`crate::Event::Preview`]); `None` makes none.
    pub preview_every: Option<usize>,
}

impl DrawSettings {
    /// One picture of a prompt at the base's own size: DPM++ 2M Karras, 20 steps, guidance 7.
    #[must_use]
    pub fn new(base: &Base, prompt: impl Into<String>) -> Self {
        Self::plain(prompt, base.info.resolution)
    }

    /// The same at a width and height of one's own.
    #[must_use]
    pub fn plain(prompt: impl Into<String>, (width, height): (u32, u32)) -> Self {
        Self {
            prompts: vec![prompt.into()],
            negatives: vec![String::new()],
            width,
            height,
            steps: 20,
            cfg: 7.0,
            sampler: SamplerKind::Dpmpp2M,
            schedule: Schedule::Automatic,
            sampler_options: SamplerOptions::default(),
            seed: 0,
            count: 1,
            batch: 1,
            clip_skip: 1,
            emphasis: Emphasis::default(),
            quirks: Quirks::default(),
            old_timelines: false,
            comma_backtrack: 20,
            noise: NoiseKind::default(),
            variation: None,
            seed_resize: None,
            later_seed_delta: 0,
            image: None,
            hires: None,
            detail: Vec::new(),
            embeddings: None,
            said: Vec::new(),
            loras: None,
            adapters: Vec::new(),
            preview_every: None,
        }
    }

    /// The texts of all prompts, those of a second pass and of faces among them.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        let hires = self.hires.iter().flat_map(|hires| [&hires.prompts, &hires.negatives]);
        let faces = self.detail.iter().flat_map(|detail| [&detail.prompts, &detail.negatives]);
        [&self.prompts, &self.negatives].into_iter().chain(hires).chain(faces).flatten()
    }
}

/// A checked job: every prompt is read, every number is possible for the base.
#[derive(Debug, Clone)]
pub struct DrawPlan {
    pub(crate) settings: DrawSettings,
    prompts: Vec<PromptPlan>,
    negatives: Vec<PromptPlan>,
    /// LoRAs and words of each prompt.
    chosen: Vec<Chosen>,
    /// The same for the second pass.
    hires: Option<HiresTexts>,
    /// What a reader of the detailer's prompts may not expect.
    of_faces: Vec<Warning>,
}

impl DrawPlan {
    /// Width and height of a finished picture.
    #[must_use]
    pub fn whole_size(&self) -> (usize, usize) {
        check::whole_size(&self.settings)
    }
}

/// The prompts of the hires pass.
#[derive(Debug, Clone)]
struct HiresTexts {
    prompts: Vec<PromptPlan>,
    negatives: Vec<PromptPlan>,
    chosen: Vec<Chosen>,
}

impl DrawPlan {
    /// Checks settings against a base.
    ///
    /// # Errors
    /// Names the option and what is wrong with it, or the place in a prompt.
    pub fn new(base: &Base, settings: DrawSettings) -> Result<Self> {
        check::numbers(base, &settings)?;
        check::image(&settings)?;
        check::hires(&settings)?;
        let embeddings = match &settings.embeddings {
            Some(words) => Arc::clone(words),
            None => Arc::new(Embeddings::new(base)),
        };
        if embeddings.width() != base.info.token_width {
            let (expected, found) = (base.info.token_width, embeddings.width());
            let reason = format!("expected vectors of {expected} values, found {found}");
            return Err(Diagnostic::new(reason).with_field("any.embeddings").into());
        }
        let calls = |sampler: SamplerKind, steps: u32| {
            if sampler.info().second_order { 2 * steps } else { steps }
        };
        let first = calls(settings.sampler, settings.steps);
        let language = Language { quirks: settings.quirks, emphasis: settings.emphasis };
        let loras = settings.loras.as_deref();
        let read = |prompts: &[String], negatives: &[String], pass: Pass| -> Result<_> {
            let pass = Pass { old: settings.old_timelines, ..pass };
            let positive = |text| Ok(PromptPlan::positive(text, pass, language)?);
            let negative = |text| Ok(PromptPlan::negative(text, pass, language)?);
            let prompts: Vec<_> = prompts.iter().map(|t| positive(t)).collect::<Result<_>>()?;
            let negatives: Vec<_> = negatives.iter().map(|t| negative(t)).collect::<Result<_>>()?;
            let chosen: Vec<_> = prompts
                .iter()
                .map(|p| adapters::choose(base, loras, p, &embeddings, settings.quirks))
                .collect::<Result<_>>()?;
            Ok((prompts, negatives, chosen))
        };
        let (prompts, negatives, chosen) =
            read(&settings.prompts, &settings.negatives, Pass::first(first))?;
        let hires = match &settings.hires {
            None => None,
            Some(hires) => {
                let sampler = hires.sampler.unwrap_or(settings.sampler);
                let steps = hires.steps.unwrap_or(settings.steps);
                let pass = Pass::hires(first, calls(sampler, steps));
                let or = |own: &'_ [String], first: &[String]| {
                    if own.is_empty() { first.to_vec() } else { own.to_vec() }
                };
                let (prompts, negatives, chosen) = read(
                    &or(&hires.prompts, &settings.prompts),
                    &or(&hires.negatives, &settings.negatives),
                    pass,
                )?;
                Some(HiresTexts { prompts, negatives, chosen })
            }
        };
        let mut plan = Self { prompts, negatives, chosen, hires, of_faces: Vec::new(), settings };
        plan.of_faces = check::faces(base, &plan)?;
        Ok(plan)
    }

    /// What was wanted.
    #[must_use]
    pub const fn settings(&self) -> &DrawSettings {
        &self.settings
    }

    /// The prompt of a picture.
    #[must_use]
    pub fn prompt(&self, picture: usize) -> &PromptPlan {
        of(&self.prompts, picture)
    }

    /// The LoRAs that a picture's prompt asks for, in its order.
    #[must_use]
    pub fn networks(&self, picture: usize) -> &[Network] {
        &self.chosen(picture).networks
    }

    /// All adapters of a picture: the job's own, then those of the prompt.
    #[must_use]
    pub fn adapters(&self, picture: usize) -> Vec<Network> {
        [&self.settings.adapters, self.networks(picture)].concat()
    }

    /// All adapters of a picture's hires pass.
    #[must_use]
    pub fn hires_adapters(&self, picture: usize) -> Vec<Network> {
        [&self.settings.adapters, self.hires_networks(picture)].concat()
    }

    /// The embeddings that a picture's prompts may use: the job's, and those that its LoRAs bring.
    #[must_use]
    pub fn words(&self, picture: usize) -> &Embeddings {
        &self.chosen(picture).words
    }

    fn chosen(&self, picture: usize) -> &Chosen {
        of(&self.chosen, picture)
    }

    /// The negative prompt of a picture.
    #[must_use]
    pub fn negative(&self, picture: usize) -> &PromptPlan {
        of(&self.negatives, picture)
    }

    /// The prompt of a picture in the second pass; that of the first where there is none.
    #[must_use]
    pub fn hires_prompt(&self, picture: usize) -> &PromptPlan {
        self.hires.as_ref().map_or(self.prompt(picture), |hires| of(&hires.prompts, picture))
    }

    /// The negative prompt of a picture in the second pass.
    #[must_use]
    pub fn hires_negative(&self, picture: usize) -> &PromptPlan {
        self.hires.as_ref().map_or(self.negative(picture), |hires| of(&hires.negatives, picture))
    }

    /// The LoRAs of a picture's second pass.
    #[must_use]
    pub fn hires_networks(&self, picture: usize) -> &[Network] {
        &self.hires_chosen(picture).networks
    }

    /// The words that a picture's second pass may use.
    #[must_use]
    pub fn hires_words(&self, picture: usize) -> &Embeddings {
        &self.hires_chosen(picture).words
    }

    fn hires_chosen(&self, picture: usize) -> &Chosen {
        self.hires.as_ref().map_or(self.chosen(picture), |hires| of(&hires.chosen, picture))
    }

    /// The seed of a picture: counts on, but for variations of one seed.
    #[must_use]
    pub fn seed(&self, picture: usize) -> u64 {
        let on = if self.settings.variation.is_some() { 0 } else { picture as u64 };
        self.settings.seed.wrapping_add(on)
    }

    /// The second seed of a picture.
    #[must_use]
    pub fn subseed(&self, picture: usize) -> Option<u64> {
        Some(self.settings.variation?.0.wrapping_add(picture as u64))
    }

    /// What a reader of the prompts may not expect.
    #[must_use]
    pub fn remarks(&self) -> Vec<Warning> {
        let hires = self.hires.as_ref().map(|l| (&l.prompts[..], &l.negatives[..], &l.chosen[..]));
        let first = (&self.prompts[..], &self.negatives[..], &self.chosen[..]);
        let passes = [Some(first), hires].into_iter().flatten();
        let read = passes.clone().flat_map(|(prompts, negatives, chosen)| {
            let words = |i: usize| &chosen[i.min(chosen.len() - 1)].words;
            let both = prompts.iter().enumerate().chain(negatives.iter().enumerate());
            both.flat_map(move |(i, prompt)| {
                let words = words(i);
                let none = words.names_known().next().is_none();
                let unknown = words.unknown(prompt).into_iter().map(move |u| u.warning(none));
                let notes = prompt.notes.iter().cloned().map(Warning::from);
                notes.chain(unknown)
            })
        });
        let chosen = passes.flat_map(|(.., chosen)| chosen);
        let chosen = chosen.flat_map(|c| c.warnings.iter().cloned());
        let mask = self.settings.image.as_ref().and_then(|image| image.mask.as_ref());
        let blank = mask.filter(|mask| img2img::covers_nothing(mask)).map(|mask| {
            Warning::new(if mask.only_masked {
                "the mask is empty, so the whole image is redrawn"
            } else {
                "the mask is empty, so the image is not changed"
            })
        });
        let mut all: Vec<Warning> = Vec::new();
        for warning in read.chain(chosen).chain(blank).chain(self.of_faces.iter().cloned()) {
            if !all.contains(&warning) {
                all.push(warning);
            }
        }
        all
    }

    /// The latents' height and width.
    pub(crate) fn latent_size(&self) -> (usize, usize) {
        let side = |pixels: u32| pixels as usize / LATENT_SIZE;
        (side(self.settings.height), side(self.settings.width))
    }
}

/// A picture's own, or the one for all.
fn of<T>(all: &[T], picture: usize) -> &T {
    &all[picture.min(all.len() - 1)]
}
