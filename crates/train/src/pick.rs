//! Which of a run's steps is best: scores for kept steps and means of neighbors, few of them drawn.
//!
//! Scores need forwards only: the loss at fixed noise (`score`), and how much other words of a
//! prompt still guide as they do with the init word (`fidelity`). A plain rule (`rule`) orders
//! the candidates; the best few are drawn, and judged where there is an image encoder (`drawn`).
mod candidates;
mod drawn;
pub mod rule;
mod score;
mod write;

pub use drawn::{DrawnSteps, references};
pub use rule::By;

use crate::fidelity::Probes;
use crate::image_encoder::ImageEncoder;
use crate::plan::TrainPlan;
use crate::run_folder::curves::Curves;
use crate::run_folder::kept::KeptVectors;
use crate::run_folder::steps::StepChoice;
use crate::verdict::{self, Verdict};
use crate::{Event, Result, latents, lora};
use candidates::Room;
use score::Scorer;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use wayword_diffusion::{Base, JobSize};
use wayword_interface::{Events, Quiet, Stop};
use write::OpenRun;

/// What is asked of a pick.
#[derive(Clone, Copy)]
pub struct PickOptions<'a> {
    /// What counts.
    pub by: By,
    /// How many of the best candidates are drawn.
    pub draw: usize,
    /// Guidance of the pictures.
    pub cfg: f64,
    /// What compares them with the training pictures.
    pub judge: Option<&'a dyn ImageEncoder>,
    /// Whether the winner becomes the embedding's file.
    pub write: bool,
}

/// A step or a mean of steps, and its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Candidate {
    /// Which.
    #[schemars(with = "String")]
    pub steps: StepChoice,
    /// Mean loss at fixed noise on the training images.
    pub loss: f64,
    /// The same for timesteps with little, middling and much noise.
    pub loss_by_timestep: [f64; 3],
    /// Cosine between how other words guide with the embedding and with its start: 1 is alike.
    pub fidelity: f64,
    /// Mean norm of its vectors over that of the vocabulary's.
    pub norm: f64,
    /// Distance to the candidate before, over the norm.
    pub drift: f64,
    /// Similarity of its images to the training images, where they were judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
}

/// What a pick cost, in evaluations: one sample forward and backward is 1, forward alone 1/3.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Cost {
    /// The run itself.
    pub run: f64,
    /// Scores.
    pub scores: f64,
    /// Drawing.
    pub drawing: f64,
}

/// What came of a pick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Pick {
    /// The run's folder.
    pub run: PathBuf,
    /// The run's name.
    pub name: String,
    /// What counted.
    #[schemars(with = "String")]
    pub by: By,
    /// The best.
    #[schemars(with = "String")]
    pub chosen: StepChoice,
    /// Why, in a sentence.
    pub why: String,
    /// Before the first step.
    pub start: Candidate,
    /// Steps in their order, then means.
    pub candidates: Vec<Candidate>,
    /// Whether images were judged.
    pub judged: bool,
    /// What the run's own curve and these scores say.
    pub verdict: Verdict,
    /// What it cost.
    pub evaluations: Cost,
    /// Files that were written, of which the first is the embedding's.
    pub written: Vec<PathBuf>,
}

impl Pick {
    /// A candidate by its steps.
    #[must_use]
    pub fn of(&self, steps: StepChoice) -> Option<&Candidate> {
        self.candidates.iter().find(|c| c.steps == steps)
    }
}

/// Candidates that are drawn unless told otherwise.
pub const DRAWN: usize = 3;

/// What the pick of a run takes at most: forwards of its scores and its pictures, and pictures that
/// are decoded.
pub(crate) fn forwards(plan: &TrainPlan) -> (usize, usize) {
    let (pictures, each) = drawn::pictures(evaluations(plan) as f64, DRAWN);
    (Room::of(plan).total() + pictures * each, pictures)
}

/// Evaluations of a run.
const fn evaluations(plan: &TrainPlan) -> usize {
    plan.steps * plan.batch * plan.accumulate
}

/// Chooses the best step of the run in the folder `path`; `None` where a stop was requested. With
/// the pictures of the winner and of what it was compared with.
///
/// # Errors
/// If it is no run's folder, a training is at work there, its pictures are gone or were changed, or
/// a file cannot be written.
pub fn pick(
    base: &Base,
    path: &Path,
    options: PickOptions<'_>,
    events: &dyn Events<Event>,
    stop: &Stop,
) -> Result<Option<(Pick, Vec<DrawnSteps>)>> {
    let run = OpenRun::open(path)?;
    if options.write {
        run.can_be_written()?;
    }
    let (plan, kept) = (&run.plan, &run.kept);
    let adapters = lora::open(&plan.loras)?;
    let Some(sources) = latents::encode(base, plan, run.path(), events, stop)? else {
        return Ok(None);
    };
    let draw_events = |event| events.event(Event::Draw(event));
    let model = base.activate_unless_stopped(&adapters, JobSize::Heavy, &draw_events, stop)?;
    let Some(model) = &model else { return Ok(None) };
    let room = Room::of(plan);
    let batches = crate::batches::Batches::new(base, plan, &sources)?;
    let mut scorer = Scorer::new(model, plan, kept, &batches, &room)?;
    let start = scorer.score(StepChoice::One(kept.steps()[0]))?;
    let mut found: Vec<Candidate> = Vec::new();
    let steps = candidates::steps(kept.last(), room.steps);
    for step in &steps {
        model.give_way(stop);
        if stop.is_requested() {
            return Ok(None);
        }
        found.push(scorer.score(StepChoice::One(*step))?);
    }
    let singles = found.clone();
    let best = rule::spread(options.by, &start, &singles, candidates::MEANS);
    for choice in candidates::means(&steps, &best) {
        if stop.is_requested() {
            return Ok(None);
        }
        found.push(scorer.score(choice)?);
    }
    let verdict = verdict_of(&run, kept, &start, &singles)?;
    let mut cost =
        Cost { run: evaluations(plan) as f64, scores: scorer.forwards as f64 / 3.0, drawing: 0.0 };
    let mut order = rule::spread(options.by, &start, &found, options.draw.max(1));
    let drawing = drawn::Drawing::new(model, plan, kept, &options, &cost, &steps);
    let mut pictures = Vec::new();
    if options.draw > 0 {
        for place in &order {
            let candidate = &mut found[*place];
            let Some(drawn) = drawing.draw(candidate.steps, events, stop)? else { return Ok(None) };
            candidate.similarity = drawing.judged(&drawn)?;
            pictures.push(drawn);
        }
        let judged: Vec<Candidate> = order.iter().map(|place| found[*place].clone()).collect();
        let best = rule::order(options.by, &start, &judged);
        order = best.into_iter().map(|place| order[place]).collect();
    }
    let chosen = found[order[0]].steps;
    if options.draw > 0 {
        for choice in drawing.neighbors(chosen) {
            if pictures.iter().any(|drawn| drawn.steps == choice) {
                continue;
            }
            let Some(drawn) = drawing.draw(choice, events, stop)? else { return Ok(None) };
            pictures.push(drawn);
        }
        pictures.sort_by_key(|drawn| (drawn.steps.middle(), drawn.steps));
    }
    cost.drawing = drawing.evaluations(&pictures);
    let mut pick = Pick {
        run: run.path().to_owned(),
        name: plan.name.clone(),
        by: options.by,
        chosen,
        why: rule::why(options.by, &start, &found, chosen),
        start,
        candidates: found,
        judged: drawing.judges(),
        verdict,
        evaluations: cost,
        written: Vec::new(),
    };
    if options.write {
        pick.written = run.write(chosen)?;
        for path in &pick.written {
            events.event(Event::Saved { path: path.clone(), step: chosen.middle() });
        }
    }
    Ok(Some((pick, pictures)))
}

/// Scores of steps of the run in the folder `path`, its start's first: what [`pick`] reckons with, of
/// as many samples as asked for. For programs that compare scores with what is drawn.
///
/// # Errors
/// As [`pick`].
pub fn scores(
    base: &Base,
    path: &Path,
    steps: &[StepChoice],
    samples: usize,
) -> Result<(Candidate, Vec<Candidate>)> {
    let OpenRun { plan, kept, .. } = &OpenRun::open(path)?;
    let sources = latents::encode(base, plan, path, &Quiet, &Stop::default())?;
    let sources = sources.unwrap_or_default();
    let model = base.activate(&lora::open(&plan.loras)?)?;
    let batches = crate::batches::Batches::new(base, plan, &sources)?;
    let room = Room { steps: steps.len(), samples, probes: Probes::USUAL };
    let mut scorer = Scorer::new(&model, plan, kept, &batches, &room)?;
    let start = scorer.score(StepChoice::One(kept.steps()[0]))?;
    let found = steps.iter().map(|step| scorer.score(*step));
    Ok((start, found.collect::<Result<_>>()?))
}

/// What the recorded curve says, and where other words begin to suffer.
fn verdict_of(
    run: &OpenRun,
    kept: &KeptVectors,
    start: &Candidate,
    singles: &[Candidate],
) -> Result<Verdict> {
    let log = run.path().join("log.jsonl");
    let fixed = if log.is_file() { Curves::read(&log)?.fixed } else { Vec::new() };
    let mut verdict = verdict::of(&fixed, verdict::turned(kept)?, verdict::is_fresh(&run.plan));
    let by_scores = rule::overtrained_from(start, singles);
    verdict.overtrained_from = match (verdict.overtrained_from, by_scores) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    Ok(verdict)
}
