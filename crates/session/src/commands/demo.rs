//! `wayword demo`: teaches the bundled model a person, draws her, judges, and shows it on a sheet.
mod data;
mod numbers;
mod page;
mod studio;

use super::{base, write};
use crate::Failure;
use crate::event::Progress;
use crate::numbers::estimated;
use crate::request::{self, Demo as Options};
use crate::session::Context;
use crate::sheet;
use numbers::Numbers;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;
pub(crate) use studio::CFG;
use studio::Studio;
use wayword_diffusion::Base;
use wayword_diffusion::forecast::SizedBase;
use wayword_interface::Events as _;
use wayword_train::estimate;
use wayword_train::event::{Event, Outcome};
use wayword_train::plan::{TrainOptions, TrainPlan};
use wayword_train::training_loop::{self, RunOptions};

/// The word that is learned, the word it starts from, and a word of another concept.
const WORD: &str = "zarva-ti";
const INIT: &str = "woman";
const OTHER: &str = "mirabo-ti";

/// Runs the command.
///
/// # Errors
/// If the folder cannot be written, or Ctrl-C ended it early.
pub(crate) fn run(options: &Options, context: &Context<'_>) -> Result<DemoReport, Failure> {
    let started = Instant::now();
    let progress = &context.progress;
    let out = &options.out;
    let bundled = data::unpack(out)?;
    let model = request::Base { base: Some(bundled.model.clone()), ..request::Base::default() };
    let loading = base::place(&model, &options.machine, context)?;
    let base = context.hashed_base(&loading)?;
    let studio = Studio::new(&base, progress)?;
    let sizes = SizedBase::load(&loading.options)?;
    let outcome = train(options, &bundled.pictures, (&studio, &sizes), progress)?;

    progress.note("judging: how similar are images of the embedding to those it learned from?");
    let mut numbers = Numbers::measure(&studio, &outcome, out)?;
    progress.note("drawing the sheet");
    numbers.seconds.training = outcome.seconds;
    let rows = page::rows(&studio, &outcome, out)?;
    numbers.seconds.all = started.elapsed().as_secs_f64();
    let sheet = sheet::draw(&page::sheet(&numbers, rows))?;

    let picture = out.join("sheet.png");
    sheet
        .save(&picture)
        .map_err(|e| Failure::from(e).hint("choose another folder with {demo.out}"))?;
    let json = serde_json::to_value(&numbers)?;
    write(&out.join("numbers.json"), format!("{json:#}\n").as_bytes())?;
    let table = numbers.table();
    write(&out.join("numbers.txt"), table.as_bytes())?;
    let word = out.join(format!("{WORD}.safetensors"));
    Ok(DemoReport { numbers, sheet: picture, word, base: bundled.model, cfg: studio::CFG })
}

/// What the demo made.
#[derive(Debug, Serialize)]
pub struct DemoReport {
    /// Losses, likeness, seconds.
    pub numbers: Numbers,
    /// The contact sheet.
    pub sheet: PathBuf,
    /// The learned word's file.
    pub word: PathBuf,
    /// The bundled model.
    pub base: PathBuf,
    /// How strongly prompts guide it best.
    pub cfg: f64,
}

/// Whether a base is the bundled model, by its hash.
pub(crate) fn is_model(base: &Base) -> bool {
    base.fingerprint().ok().flatten().is_some_and(|hash| hash == data::model_sha256())
}

/// Learns the word with the program's defaults. A demo of earlier is replaced.
fn train(
    options: &Options,
    pictures: &Path,
    (studio, sizes): (&Studio<'_>, &SizedBase),
    progress: &Progress<'_>,
) -> Result<Outcome, Failure> {
    let base = studio.base;
    let wanted = TrainOptions {
        images: vec![pictures.to_owned()],
        name: Some(WORD.into()),
        init: Some(INIT.into()),
        seed: Some(options.seed),
        out: options.out.clone(),
        // Its files are compared on the sheet.
        no_pick: true,
        ..TrainOptions::default()
    };
    let mut plan = TrainPlan::check(&wanted, &base.info)?;
    plan.recognize(base)?;
    let run = RunOptions { overwrite: true, ..RunOptions::default() };
    let estimate = estimate::estimate(base, &plan, run.memory)?;
    let summary = plan.summary(Some(estimate));
    let judged = numbers::drawn();
    let drawn = judged + page::drawn(summary.files.len());
    studio.to_draw.set(drawn);
    progress.event(Event::Planned(Box::new(summary)));
    progress.note(&format!(
        "after the training, {drawn} images are drawn and {judged} judged: {} more",
        estimated(studio.forecast(drawn, judged, sizes)?)
    ));
    let outcome = training_loop::train(base, &plan, run, progress, progress.stop)?;
    if outcome.is_finished() { Ok(outcome) } else { Err(stopped()) }
}

fn stopped() -> Failure {
    Failure::stopped("the demo is not complete").hint("start it again with `wayword demo`")
}
