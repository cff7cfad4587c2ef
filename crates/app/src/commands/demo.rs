//! `wayword demo`: teaches the bundled model a person, draws her, judges, and shows it on a sheet.
mod data;
mod numbers;
mod page;
mod studio;

use super::base;
use crate::failure::Failure;
use crate::options::Demo as Options;
use crate::show::{self, Progress};
use crate::{sheet, stop};
use numbers::Numbers;
use std::path::Path;
use std::time::Instant;
use studio::Studio;
use wayword_diffusion::{Base, BaseOptions};
use wayword_formats::atomic;
use wayword_interface::{Events as _, Stop};
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
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let started = Instant::now();
    let progress = Progress::new(options.json);
    let stop = stop::on_ctrl_c("the step that runs is finished")?;
    let out = &options.out;
    let bundled = data::unpack(out)?;
    let device = base::device(options.threads, None);
    let base = Base::load(&BaseOptions::new(&bundled.model, &device), &progress)?;
    let outcome = train(options, &bundled.pictures, &base, &progress, &stop)?;

    let studio = Studio::new(&base, &progress, &stop)?;
    progress.note("judging: how alike are pictures of the word to those it learned from?");
    let mut numbers = Numbers::measure(&studio, &outcome, out)?;
    progress.note("drawing the sheet");
    numbers.seconds.training = outcome.seconds;
    let rows = page::rows(&studio, &outcome, out)?;
    numbers.seconds.all = started.elapsed().as_secs_f64();
    let sheet = sheet::draw(&page::sheet(&numbers, rows))?;
    progress.end();

    let picture = out.join("sheet.png");
    sheet.save(&picture).map_err(|e| Failure::from(e).hint("choose another folder by --out"))?;
    let json = serde_json::to_value(&numbers)?;
    write(&out.join("numbers.json"), &format!("{json:#}\n"))?;
    let table = numbers.table();
    write(&out.join("numbers.txt"), &table)?;
    if options.json {
        let event = serde_json::json!({ "event": "numbers", "numbers": json, "sheet": picture });
        return show::data(&event.to_string());
    }
    table.lines().try_for_each(show::data)?;
    show::data("")?;
    show::data(&format!("the sheet:  {}", picture.display()))?;
    show::data(&format!("the word:   {}", out.join(format!("{WORD}.safetensors")).display()))?;
    let again = format!(
        "draw more:  wayword draw \"photo of {WORD} wearing a wizard hat\" --cfg {} --base \"{}\" --embeddings \"{}\"",
        studio::CFG,
        bundled.model.display(),
        out.display()
    );
    show::data(&again)
}

/// Learns the word with the program's defaults. A demo of earlier is replaced.
fn train(
    options: &Options,
    pictures: &Path,
    base: &Base,
    progress: &Progress,
    stop: &Stop,
) -> Result<Outcome, Failure> {
    let wanted = TrainOptions {
        images: vec![pictures.to_owned()],
        name: Some(WORD.into()),
        init: Some(INIT.into()),
        seed: Some(options.seed),
        out: options.out.clone(),
        ..TrainOptions::default()
    };
    let mut plan = TrainPlan::check(&wanted, &base.info)?;
    plan.recognize(base)?;
    let run = RunOptions { overwrite: true, ..RunOptions::default() };
    let estimate = estimate::estimate(base, &plan, run.memory)?;
    progress.event(Event::Planned(Box::new(plan.summary(Some(estimate)))));
    let outcome = training_loop::train(base, &plan, run, progress, stop)?;
    if outcome.is_finished() { Ok(outcome) } else { Err(stopped()) }
}

fn stopped() -> Failure {
    Failure::stopped("the demo is not complete").hint("start it again with `wayword demo`")
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    atomic::write_bytes(path, text.as_bytes()).map_err(|e| Failure::io("cannot write", path, &e))
}
