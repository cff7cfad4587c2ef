//! From options to a plan: every default decided, every mistake refused before anything is done.
use super::{PlanWarning, PlannedBase, PlannedPicture, TemplateChoice, TrainOptions, TrainPlan};
use crate::checkpoint::SaveRules;
use crate::dataset::Buckets;
use crate::dataset::scan::{self, Scan, ScanOptions};
use crate::dataset::steps::Duration;
use crate::lr::{Length, RateList};
use crate::optim::Statistics;
use crate::words::{Init, Word, check_name};
use crate::{Error, Result};
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use wayword_diffusion::tokenizer::Tokenizer;
use wayword_diffusion::{BaseInfo, Prediction};
use wayword_formats::embedding::{self, MOST_ROWS};
use wayword_formats::hash;

/// Root mean square of Stable Diffusion 1.5's token table, by which learning rates are scaled.
const TOKEN_RMS: f64 = 0.0144;

/// The learning rate for that table.
const LEARNING_RATE: f64 = 1e-3;

/// Steps where nothing is said.
const STEPS: usize = 1000;

impl TrainPlan {
    /// Checks options against a base and decides what they leave open.
    ///
    /// # Errors
    /// If an option cannot be used, there are no pictures, or no caption holds the word.
    pub fn check(options: &TrainOptions, base: &BaseInfo) -> Result<Self> {
        let mut warnings = Vec::new();
        let name = required(options.name.as_deref(), "--name", "evagreen-ti")?;
        check_name("--name", name)?;
        positive("--batch", options.batch)?;
        positive("--accumulate", options.accumulate)?;
        positive("--clip-skip", options.clip_skip)?;
        let resolution = resolution(options, base)?;
        let scan = find(options)?;
        warnings.extend(scan.notes.iter().map(|note| warn(note, None)));
        let sentences = options.template.sentences()?;
        let pictures = pictures(&scan, resolution, options, &mut warnings)?;
        if let Some(sentences) = &sentences {
            say_ignored(&scan, sentences, &mut warnings);
        }
        let word = word(options, name, &scan, base, &mut warnings)?;
        let mut plan = Self {
            version: env!("CARGO_PKG_VERSION").into(),
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            base: PlannedBase {
                path: absolute(&base.path),
                token_width: base.token_width,
                token_rms: base.token_rms,
            },
            words: vec![word],
            name: name.into(),
            out: absolute(&options.out),
            images: options.images.iter().map(|path| absolute(path)).collect(),
            pictures,
            sentences,
            resolution,
            batch: options.batch,
            accumulate: options.accumulate,
            windows: windows(options.max_token_length)?,
            steps: options.steps.unwrap_or(STEPS),
            save: SaveRules {
                every_steps: options.save_every,
                every_epochs: options.save_every_epochs,
                keep_steps: options.keep_last_steps,
                keep_epochs: options.keep_last_epochs,
            },
            save_format: options.save_format,
            save_precision: options.save_precision,
            lr: 0.0,
            lr_list: None,
            scheduler: options.scheduler.clone(),
            warmup: 0,
            optimizer: options.optimizer.clone(),
            optimizer_args: optimizer_args(options)?,
            max_grad_norm: not_negative("--max-grad-norm", options.max_grad_norm)?,
            clip_skip: options.clip_skip,
            loss: options.loss(base.prediction == Prediction::V)?,
            noise: options.noise()?,
            timesteps: options.timesteps()?,
            zero_terminal_snr: options.zero_terminal_snr,
            seed: options.seed.unwrap_or_else(random_seed),
            kohya_numbers: options.kohya_numbers,
            warnings,
        };
        plan.decide_length(options)?;
        plan.decide_rate(options, base)?;
        plan.check_captions()?;
        Ok(plan)
    }

    /// Steps and warm-up.
    fn decide_length(&mut self, options: &TrainOptions) -> Result<()> {
        match (options.steps, options.epochs) {
            (Some(_), Some(_)) => {
                return Err(Error::option("--epochs", "one of --steps and --epochs", "both"));
            }
            (None, Some(epochs)) => {
                positive("--epochs", epochs)?;
                let buckets = self.buckets();
                let sizes = (self.batch as u64, self.accumulate as u64);
                let duration = Duration::Epochs(epochs as u64);
                let sizes = (buckets.values().copied(), sizes.0, sizes.1);
                let counts = crate::dataset::steps::count(sizes.0, sizes.1, sizes.2, duration);
                self.steps = counts.map_or(0, |c| c.steps as usize);
            }
            _ => positive("--steps", self.steps)?,
        }
        if self.steps > 10_000_000 {
            return Err(Error::option("--steps", "at most 10000000", self.steps.to_string()));
        }
        let warmup: Length = options.warmup.parse().map_err(|e| super::refused("--warmup", &e))?;
        self.warmup = warmup.of(self.steps as u64);
        if self.warmup >= self.steps as u64 && self.warmup > 0 {
            let found = format!("{} of {} steps", self.warmup, self.steps);
            return Err(Error::option("--warmup", "fewer steps than are trained", found));
        }
        Ok(())
    }

    /// Learning rate, scheduler, optimiser.
    fn decide_rate(&mut self, options: &TrainOptions, base: &BaseInfo) -> Result<()> {
        let optimizer = self.optimizer_new(Statistics::NewRows)?;
        self.optimizer = optimizer.name().into();
        self.warnings.extend(optimizer.note().map(|note| warn(note, None)));
        let own_scale = self.optimizer == "Prodigy" || self.optimizer.starts_with("DAdapt");
        self.lr = match options.lr.as_deref().map(str::trim) {
            None if own_scale => 1.0,
            None => LEARNING_RATE * f64::from(base.token_rms) / TOKEN_RMS,
            Some(text) if text.contains([':', ',']) => {
                let list: RateList = text.parse().map_err(|e| super::refused("--lr", &e))?;
                self.lr_list = Some(text.into());
                list.rate(0)
            }
            Some(text) => match text.parse::<f64>() {
                Ok(rate) if rate > 0.0 && rate.is_finite() => rate,
                _ => return Err(Error::option("--lr", "a number above 0, as in 5e-4", text)),
            },
        };
        if self.lr_list.is_some() && (self.scheduler != "constant" || self.warmup > 0) {
            return Err(Error::option(
                "--lr",
                "one rate where --scheduler or --warmup is given",
                "a list of rates",
            ));
        }
        let schedule = self.schedule()?;
        self.warnings.extend(schedule.notes().iter().map(|note| warn(note, None)));
        if let Some(end) = schedule.end()
            && (end as usize) < self.steps
        {
            self.steps = end as usize;
            let text = format!("the list of learning rates ends the run after {end} steps");
            self.warnings.push(warn(&text, None));
        }
        Ok(())
    }

    /// A caption set without the word would teach nothing.
    fn check_captions(&mut self) -> Result<()> {
        let captions = self.captions();
        let without = captions.iter().filter(|c| !c.has_word);
        let (missing, token) = (without.clone().count(), &self.words[0].token);
        if missing == captions.len() {
            let first = captions.first().map(|c| c.text.clone()).unwrap_or_default();
            let what = format!("no caption holds the word `{token}`; the first is \"{first}\"");
            let hint = format!("write {token} into the captions, or use --template object");
            return Err(Error::data(what).with_hint(hint));
        }
        if missing > 0 {
            let samples: u64 = without.map(|c| c.count).sum();
            let all: u64 = captions.iter().map(|c| c.count).sum();
            let text = format!("{samples} of {all} captions do not hold the word `{token}`");
            let hint = format!("write {token} into them: they teach nothing");
            self.warnings.push(warn(&text, Some(&hint)));
        }
        Ok(())
    }
}

fn warn(text: &str, hint: Option<&str>) -> PlanWarning {
    PlanWarning { text: text.into(), hint: hint.map(str::to_owned) }
}

fn required<'a>(value: Option<&'a str>, option: &str, example: &str) -> Result<&'a str> {
    let given = value.map(str::trim).filter(|v| !v.is_empty());
    let missing = || Error::option(option, format!("a value, such as {example}"), "nothing");
    given.ok_or_else(missing)
}

fn positive(option: &str, value: usize) -> Result<()> {
    if value > 0 { Ok(()) } else { Err(Error::option(option, "at least 1", "0")) }
}

fn not_negative(option: &str, value: f64) -> Result<f64> {
    if value >= 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(Error::option(option, "a number, 0 or above", value.to_string()))
    }
}

fn absolute(path: &Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// A seed that is easy to write down.
fn random_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() & 0xffff_ffff
}

fn windows(tokens: usize) -> Result<usize> {
    if tokens > 0 && tokens.is_multiple_of(75) && tokens <= 225 {
        Ok(tokens / 75)
    } else {
        Err(Error::option("--max-token-length", "75, 150 or 225", tokens.to_string()))
    }
}

fn resolution(options: &TrainOptions, base: &BaseInfo) -> Result<(u32, u32)> {
    let (width, height) = options.resolution.unwrap_or(base.resolution);
    let fits = |side: u32| (64..=8192).contains(&side) && side.is_multiple_of(8);
    if fits(width) && fits(height) {
        return Ok((width, height));
    }
    let found = format!("{width},{height}");
    Err(Error::option("--resolution", "W,H in multiples of 8 from 64 to 8192", found))
}

fn find(options: &TrainOptions) -> Result<Scan> {
    if options.images.is_empty() {
        return Err(Error::option("IMAGES", "a folder of pictures", "nothing"));
    }
    let mut scan_options = ScanOptions { orient: !options.kohya_numbers, ..ScanOptions::default() };
    if let Some(ext) = &options.caption_ext {
        scan_options.caption_extensions = vec![ext.clone()];
    }
    scan::scan(&options.images, &scan_options)
}

fn pictures(
    scan: &Scan,
    (width, height): (u32, u32),
    options: &TrainOptions,
    warnings: &mut Vec<PlanWarning>,
) -> Result<Vec<PlannedPicture>> {
    let buckets = Buckets::single(width as usize, height as usize);
    let mut planned = Vec::new();
    let (mut uncaptioned, mut enlarged) = (0, 0);
    for folder in &scan.folders {
        for picture in &folder.pictures {
            let path = absolute(&picture.path);
            let fit = buckets.choose(&path.display().to_string(), picture.size)?;
            let caption = picture.caption.as_ref().or(folder.class.as_ref());
            uncaptioned += usize::from(picture.caption.is_none());
            enlarged +=
                usize::from(fit.resized.0 > picture.size.0 || fit.resized.1 > picture.size.1);
            planned.push(PlannedPicture {
                sha256: hash::sha256(&path)?,
                path,
                size: picture.size,
                bucket: fit.bucket,
                resized: fit.resized,
                repeats: folder.repeats,
                caption: caption.cloned().unwrap_or_default(),
            });
        }
    }
    let samples = scan.samples();
    if samples > 10_000_000 {
        let what = format!("{samples} pictures an epoch, repeats included, are more than 10000000");
        return Err(Error::data(what).with_hint("write fewer repeats into the folders' names"));
    }
    if planned.len() < 3 {
        let text = format!(
            "{} pictures are few: the word will learn their backgrounds too",
            planned.len()
        );
        warnings
            .push(warn(&text, Some("5 to 30 pictures of different places and light are usual")));
    }
    if enlarged > 0 {
        let text = format!(
            "{enlarged} of {} pictures are smaller than {width} x {height} and are enlarged",
            planned.len()
        );
        warnings.push(warn(&text, Some("use larger pictures, or a smaller --resolution")));
    }
    if options.template == TemplateChoice::None && uncaptioned > 0 {
        let text = format!(
            "{uncaptioned} of {} pictures have no caption file: the folder's class words serve",
            planned.len()
        );
        warnings.push(warn(&text, None));
    }
    Ok(planned)
}

/// Says that caption files are not used.
fn say_ignored(scan: &Scan, sentences: &[String], warnings: &mut Vec<PlanWarning>) {
    let files = scan.pictures().filter(|p| p.caption.is_some()).count();
    if files > 0 && !sentences.iter().any(|s| s.contains("[filewords]")) {
        let text = format!("{files} caption files are ignored: the template's sentences are used");
        warnings.push(warn(&text, Some("use them by --template none")));
    }
}

fn word(
    options: &TrainOptions,
    name: &str,
    scan: &Scan,
    base: &BaseInfo,
    warnings: &mut Vec<PlanWarning>,
) -> Result<Word> {
    let token = options.token.as_deref().unwrap_or(name).trim();
    if token.is_empty() {
        return Err(Error::option("--token", "a word", "nothing"));
    }
    let tokenizer = Tokenizer::new();
    if let Some(known) = [name, token].into_iter().find(|t| tokenizer.whole_word(t).is_some()) {
        let text = format!("`{known}` is a word already");
        let hint = format!(
            "where the file is loaded, `{known}` will no longer mean what it did; {known}-ti would"
        );
        warnings.push(warn(&text, Some(&hint)));
    }
    let init = match options.init.as_deref().map(str::trim).filter(|t| !t.is_empty()) {
        Some(text) => Init::parse(text),
        None => Init::Words(class_word(scan)?),
    };
    let vectors = match &init {
        Init::File(path) => {
            let file = embedding::read(path)?;
            let count = options.vectors.unwrap_or(file.rows);
            let shape = (file.rows, file.width);
            let named = path.display().to_string();
            crate::rows::from_embedding(&named, &file.vectors, shape, (count, base.token_width))?;
            count
        }
        Init::Words(words) => {
            let count = options.vectors.unwrap_or(1);
            let ids = tokenizer.encode(words);
            if ids.is_empty() {
                let found = format!("`{words}`, which holds no word");
                return Err(Error::option(
                    "--init",
                    "a word to start from, as woman or dog",
                    found,
                ));
            }
            if ids.len() > 1 && ids.len() != count {
                let text = format!("--init `{words}` has {} tokens for {count} vectors", ids.len());
                let hint = if ids.len() > count {
                    "only the first ones are used"
                } else {
                    "they are repeated"
                };
                warnings.push(warn(&text, Some(hint)));
            }
            count
        }
        Init::Mean => options.vectors.unwrap_or(1),
    };
    if vectors == 0 || vectors > MOST_ROWS {
        return Err(Error::option("--vectors", format!("1 to {MOST_ROWS}"), vectors.to_string()));
    }
    Ok(Word { token: token.into(), name: name.into(), vectors, init })
}

/// The class word of kohya's `N_token class`: the last word of the folders' names.
fn class_word(scan: &Scan) -> Result<String> {
    let class = scan.class().and_then(|c| c.split_whitespace().next_back());
    class.map(str::to_owned).ok_or_else(|| {
        Error::option("--init", "a word near to what is to be learned", "nothing")
            .with_hint("say what it is, such as --init woman; `*` starts from no meaning")
    })
}

fn optimizer_args(options: &TrainOptions) -> Result<Vec<String>> {
    let mut args = options.optimizer_args.clone();
    if let Some(decay) = options.weight_decay {
        not_negative("--weight-decay", decay)?;
        if args.iter().any(|a| a.trim_start().starts_with("weight_decay")) {
            let found = "it in --optimizer-args too";
            return Err(Error::option("--weight-decay", "one weight decay", found));
        }
        args.push(format!("weight_decay={decay:?}"));
    }
    Ok(args)
}
