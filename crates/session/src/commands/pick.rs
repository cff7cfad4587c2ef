//! `wayword pick`: the best step of a run, its page and contact sheet.
use super::judge::Judge;
use super::{demo, train};
use crate::Failure;
use crate::event::{Event, Progress};
use crate::request::{Pick as Options, Train};
use crate::session::Context;
use crate::sheet::{self, Cell, Row, Sheet};
use std::path::{Path, PathBuf};
use wayword_diffusion::Base;
use wayword_train::image_encoder::ImageEncoder;
use wayword_train::pick::{self, DrawnSteps, Pick, PickOptions};
use wayword_train::report;

/// Pictures of a candidate on the sheet.
const COLUMNS: u32 = 8;
/// Small pictures are shown at least this large.
const LEAST_SIDE: u32 = 128;

/// Runs the command.
///
/// # Errors
/// If it is no run's folder, its base or pictures are not at hand or others than they were, or a
/// file cannot be written.
pub(super) fn run(options: &Options, context: &Context<'_>) -> Result<Pick, Failure> {
    let plan = train::plan_of(&options.run);
    let like =
        Train { base: options.base.clone(), machine: options.machine.clone(), ..Train::default() };
    let (base, _) = train::load_for(&like, &options.run, plan, context)?;
    of(options, &base, context)
}

/// The same for a training that has just ended, on its base.
pub(super) fn after(
    run: &Path,
    judge: Option<&Path>,
    base: &Base,
    context: &Context<'_>,
) -> Result<Pick, Failure> {
    let judge = judge.map(Path::to_owned);
    let options = Options { run: run.to_owned(), judge, write: true, ..Options::default() };
    of(&options, base, context)
}

fn of(options: &Options, base: &Base, context: &Context<'_>) -> Result<Pick, Failure> {
    let progress = &context.progress;
    let is_demo = demo::is_model(base);
    let images = references(&options.run);
    let judge = match options.draw {
        0 => None,
        _ => Judge::of_run(options.judge.as_deref(), base, &images, context)?,
    };
    let asked = PickOptions {
        by: options.by,
        draw: options.draw,
        cfg: options.cfg.unwrap_or(if is_demo { demo::CFG } else { 7.0 }),
        judge: judge.as_ref().map(|judge| judge as &dyn ImageEncoder),
        write: options.write,
    };
    progress.phase("scoring steps");
    let picked = pick::pick(base, &options.run, asked, progress, progress.stop)?;
    let Some((pick, drawn)) = picked else {
        return Err(Failure::stopped("before a step was chosen"));
    };
    write(&options.run, &pick, &drawn, progress)?;
    (progress.tell)(Event::Picked(Box::new(pick.clone())));
    Ok(pick)
}

/// The pictures that a run learned from.
fn references(run: &Path) -> Vec<PathBuf> {
    let plan = train::plan_of(run);
    plan.map(|plan| plan.pictures.into_iter().map(|picture| picture.path).collect())
        .unwrap_or_default()
}

/// Page, sheet and numbers, in the run's folder.
fn write(
    run: &Path,
    pick: &Pick,
    drawn: &[DrawnSteps],
    progress: &Progress<'_>,
) -> Result<(), Failure> {
    let json = run.join("pick.json");
    let text = format!("{:#}\n", serde_json::to_value(pick)?);
    super::write(&json, text.as_bytes())?;
    let mut files: Vec<PathBuf> = vec![report::write_pick(run, pick, drawn)?];
    if !drawn.is_empty() {
        let path = run.join("pick.png");
        let page = sheet::draw(&contact_sheet(pick, drawn))?;
        let mut png = std::io::Cursor::new(Vec::new());
        page.write_to(&mut png, image::ImageFormat::Png)?;
        super::write(&path, png.get_ref())?;
        files.push(path);
    }
    files.into_iter().for_each(|path| progress.saved(path, false));
    Ok(())
}

/// The winner and what it was compared with, in the order of their steps.
fn contact_sheet(pick: &Pick, drawn: &[DrawnSteps]) -> Sheet {
    let row = |candidate: &DrawnSteps| {
        let best = if candidate.steps == pick.chosen { " (chosen)" } else { "" };
        let similarity = pick.of(candidate.steps).and_then(|c| c.similarity);
        let cell =
            |picture: &image::RgbImage| Cell { picture: picture.clone(), caption: String::new() };
        Row {
            label: format!("step {}{best}", candidate.steps),
            note: similarity.map_or_else(String::new, |s| format!("similarity {s:.3}")),
            cells: candidate.plain.iter().chain(&candidate.others).map(cell).collect(),
            per_line: COLUMNS,
        }
    };
    let widest = drawn
        .iter()
        .flat_map(|candidate| &candidate.plain)
        .map(|p| p.width().max(p.height()))
        .max();
    Sheet {
        title: format!("{}: step {}", pick.name, pick.chosen),
        subtitle: pick.why.clone(),
        rows: drawn.iter().map(row).collect(),
        footer: "the same prompts and noise in every row".into(),
        columns: COLUMNS,
        side: widest.unwrap_or(LEAST_SIDE).clamp(LEAST_SIDE, 256),
    }
}
