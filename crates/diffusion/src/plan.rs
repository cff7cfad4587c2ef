//! A drawing job: what is wanted, and the same checked against a base.
use crate::adapters::{self, Chosen};
use crate::samplers::SamplerOptions;
use crate::sigmas::{SamplerKind, Schedule};
use crate::vae::LATENT_SIZE;
use crate::{Base, Embeddings, Error, Loras, Network, Result, Warning};
use std::sync::Arc;
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
    /// Words that prompts may use.
    pub embeddings: Option<Arc<Embeddings>>,
    /// LoRAs that prompts may use.
    pub loras: Option<Arc<Loras>>,
    /// Whether the base keeps wearing the last picture's LoRAs, so that the next drawing with them
    /// need not apply them again.
    pub keep_loras: bool,
}

impl DrawSettings {
    /// One picture of a prompt at the base's own size: DPM++ 2M Karras, 20 steps, guidance 7.
    #[must_use]
    pub fn new(base: &Base, prompt: impl Into<String>) -> Self {
        let (width, height) = base.info.resolution;
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
            comma_backtrack: 20,
            noise: NoiseKind::default(),
            variation: None,
            seed_resize: None,
            later_seed_delta: 0,
            embeddings: None,
            loras: None,
            keep_loras: false,
        }
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
}

impl DrawPlan {
    /// Checks settings against a base.
    ///
    /// # Errors
    /// Names the option and what is wrong with it, or the place in a prompt.
    pub fn new(base: &Base, settings: DrawSettings) -> Result<Self> {
        check_numbers(base, &settings)?;
        let embeddings = match &settings.embeddings {
            Some(words) => Arc::clone(words),
            None => Arc::new(Embeddings::new(base)),
        };
        if embeddings.width() != base.info.token_width {
            let (expected, found) = (base.info.token_width, embeddings.width());
            let reason = format!("expected rows of {expected} values, found {found}");
            return Err(Error::Plan { option: "embeddings", reason });
        }
        let calls = match settings.sampler.info().second_order {
            true => 2 * settings.steps,
            false => settings.steps,
        };
        let language = Language { quirks: settings.quirks, emphasis: settings.emphasis };
        let pass = Pass::first(calls);
        let positive = |text: &String| -> Result<PromptPlan> {
            Ok(PromptPlan::positive(text, pass, language)?)
        };
        let negative = |text: &String| Ok(PromptPlan::negative(text, pass, language)?);
        let prompts = settings.prompts.iter().map(positive).collect::<Result<Vec<_>>>()?;
        let loras = settings.loras.as_deref();
        let chosen = |prompt| adapters::choose(base, loras, prompt, &embeddings, settings.quirks);
        Ok(Self {
            chosen: prompts.iter().map(chosen).collect::<Result<_>>()?,
            prompts,
            negatives: settings.negatives.iter().map(negative).collect::<Result<_>>()?,
            settings,
        })
    }

    /// What was wanted.
    #[must_use]
    pub const fn settings(&self) -> &DrawSettings {
        &self.settings
    }

    /// The prompt of a picture.
    #[must_use]
    pub fn prompt(&self, picture: usize) -> &PromptPlan {
        &self.prompts[picture.min(self.prompts.len() - 1)]
    }

    /// The LoRAs that a picture's prompt asks for, in its order.
    #[must_use]
    pub fn networks(&self, picture: usize) -> &[Network] {
        &self.chosen(picture).networks
    }

    /// The words that a picture's prompts may use: the job's, and those that its LoRAs bring.
    #[must_use]
    pub fn words(&self, picture: usize) -> &Embeddings {
        &self.chosen(picture).words
    }

    fn chosen(&self, picture: usize) -> &Chosen {
        &self.chosen[picture.min(self.chosen.len() - 1)]
    }

    /// The negative prompt of a picture.
    #[must_use]
    pub fn negative(&self, picture: usize) -> &PromptPlan {
        &self.negatives[picture.min(self.negatives.len() - 1)]
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
        let notes = self.prompts.iter().chain(&self.negatives).flat_map(|p| &p.notes);
        let notes = notes.map(|note| Warning::new(note.to_string()));
        let mut all: Vec<Warning> = Vec::new();
        for warning in notes.chain(self.chosen.iter().flat_map(|c| c.warnings.iter().cloned())) {
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

fn check_numbers(base: &Base, s: &DrawSettings) -> Result<()> {
    let require = |holds: bool, option, reason: String| match holds {
        true => Ok(()),
        false => Err(Error::Plan { option, reason }),
    };
    let side = |n: u32| n.is_multiple_of(8) && (8..=8192).contains(&n);
    let (w, h) = (s.width, s.height);
    let nearest = |n: u32| (n.saturating_add(4) / 8).clamp(1, 1024) * 8;
    require(
        side(w) && side(h),
        "size",
        format!(
            "{w},{h}: sides must be multiples of 8 up to 8192, such as {},{}",
            nearest(w),
            nearest(h)
        ),
    )?;
    require((1..=1000).contains(&s.steps), "steps", format!("{} is not 1 to 1000", s.steps))?;
    require(s.cfg.is_finite(), "cfg", format!("{} is not a number", s.cfg))?;
    require(s.count >= 1, "count", "0 pictures".into())?;
    require(s.batch >= 1, "batch", "0 pictures at once".into())?;
    for (option, texts) in [("prompt", s.prompts.len()), ("negative", s.negatives.len())] {
        let fits = texts == 1 || texts == s.count;
        require(fits, option, format!("{texts} texts for {} pictures", s.count))?;
    }
    let layers = base.text.layers.len();
    require(
        (1..=layers).contains(&s.clip_skip),
        "clip-skip",
        format!("{} is not 1 to {layers}, the layers of this text encoder", s.clip_skip),
    )?;
    if let Some((_, strength)) = s.variation {
        let fits = (0.0..=1.0).contains(&strength);
        require(fits, "variation", format!("strength {strength} is not 0 to 1"))?;
    }
    if let Some((w, h)) = s.seed_resize {
        require(side(w) && side(h), "seed-resize", format!("{w},{h} are not multiples of 8"))?;
    }
    Ok(())
}
