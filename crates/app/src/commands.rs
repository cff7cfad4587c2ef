//! A command: its request becomes a job of a session, whose events and result are shown.
use crate::failure::Failure;
use crate::show::{self, Progress};
use crate::stop;
use std::path::Path;
use std::time::Duration;
use wayword_interface::{counted, render_fields};
use wayword_session::{
    Environment, Event, Facts, Folders, Job, Outcome, Request, Session, Trained, numbers,
};

/// Captions that `check` shows at most.
const CAPTIONS: usize = 20;

/// How a command is shown.
struct Face {
    /// Whether a program reads the output.
    json: bool,
    /// What the first Ctrl-C still waits for; `None`: it ends the program.
    waits: Option<&'static str>,
    /// Whether single sampler steps are news.
    steps: bool,
}

/// Runs what was asked for.
///
/// # Errors
/// The command's failure.
pub(crate) fn run(request: Request) -> Result<(), Failure> {
    let face = face(&request);
    let progress = Progress::new(face.json);
    let environment = Environment::from_pairs(std::env::vars_os());
    let folders = Folders::of_programs(&environment);
    let session = Session::new(environment);
    session.set_folders(folders);
    let job = session.submit(request);
    if let Some(what) = face.waits {
        stop::on_ctrl_c(&job, what)?;
    }
    if let Err(failure) = watch(&job, &face, &progress) {
        // Nobody reads what would come; what is done is kept.
        job.stop();
        let _ = job.wait();
        return Err(failure);
    }
    progress.end();
    let outcome = job.wait().map_err(|failure| {
        let failure = Failure::from(failure);
        if face.json {
            // Whoever reads events hears it there, too.
            let _ = show::data(&failure.to_json());
        }
        failure
    })?;
    if face.json { as_json(&outcome) } else { as_text(&outcome, &progress) }
}

/// How a request is shown.
fn face(request: &Request) -> Face {
    let json = request.values().get("json").is_some_and(|json| *json == true);
    let waits = match request {
        Request::Train(_) | Request::Rerun(_) => Some("finishing the current step, then saving"),
        Request::Draw(_) => Some("finishing the current step; finished images are kept"),
        Request::Grid(_) => Some("finishing the current step; finished cells are kept"),
        Request::Pick(_) => Some("finishing the current step"),
        Request::Demo(_) => Some("finishing the current step"),
        _ => None,
    };
    // The demo draws some hundred pictures; their steps are no news for a program.
    let steps = !(json && matches!(request, Request::Demo(_)));
    Face { json, waits, steps }
}

/// Shows a job's events until it is over.
fn watch(job: &Job, face: &Face, progress: &Progress) -> Result<(), Failure> {
    let mut seen = 0;
    loop {
        let (events, state) = job.wait_for_events(seen, Duration::from_secs(60));
        seen += events.len();
        for event in &events {
            if face.steps || !matches!(event, Event::DrawStep { .. }) {
                progress.event(event)?;
            }
        }
        if state.is_over() {
            return Ok(());
        }
        progress.at(&job.progress());
    }
}

fn as_json(outcome: &Outcome) -> Result<(), Failure> {
    let text = match outcome {
        // Their events have said all.
        Outcome::Train(_)
        | Outcome::Skipped(_)
        | Outcome::Config(_)
        | Outcome::Pick(_)
        | Outcome::Draw(_)
        | Outcome::Grid(_) => {
            return Ok(());
        }
        Outcome::Check(summary) => show::json(&Event::Plan(summary.clone())),
        Outcome::Explain(explained) => show::json(explained),
        Outcome::Inspect(facts) | Outcome::Convert(facts) => show::json(facts),
        Outcome::Prepare(report) => {
            serde_json::json!({ "event": "prepared", "result": report }).to_string()
        }
        Outcome::Likeness(likeness) => show::json(likeness),
        Outcome::Devices(list) => show::json(list),
        Outcome::Bench(report) => show::json(report),
        Outcome::Demo(demo) => {
            let (numbers, sheet) = (&demo.numbers, &demo.sheet);
            serde_json::json!({ "event": "numbers", "numbers": numbers, "sheet": sheet })
                .to_string()
        }
    };
    show::data(&text)
}

fn as_text(outcome: &Outcome, progress: &Progress) -> Result<(), Failure> {
    let all = |lines: Vec<String>| {
        lines.iter().try_for_each(|line| show::text(&render_fields(line, &show::Flags)))
    };
    match outcome {
        Outcome::Train(trained) => ended(trained, progress),
        Outcome::Skipped(path) => show::data(&path.display().to_string()),
        Outcome::Config(path) => {
            progress.note(&format!("train with it: wayword train --config \"{}\"", path.display()));
            show::data(&path.display().to_string())
        }
        Outcome::Check(summary) => {
            all(show::plan::lines(summary, CAPTIONS))?;
            show::data(&match summary.warnings.len() {
                0 => "no problems found".into(),
                n => counted(n, "warning"),
            })
        }
        Outcome::Pick(pick) => all(show::pick::lines(pick)),
        Outcome::Draw(_) | Outcome::Grid(_) => Ok(()),
        Outcome::Explain(explained) => all(explained.to_lines()),
        Outcome::Inspect(facts) | Outcome::Convert(facts) => all(facts.to_lines()),
        Outcome::Likeness(likeness) => {
            let mut facts = Facts::default();
            for picture in &likeness.pictures {
                facts
                    .line(&picture.file.display().to_string(), format!("{:6.3}", picture.likeness));
            }
            all(facts.to_lines())?;
            show::data(&format!(
                "mean {:.3}, spread {:.3}: {} to {}",
                likeness.mean,
                likeness.spread,
                counted(likeness.pictures.len(), "image"),
                counted(likeness.references, "reference")
            ))
        }
        Outcome::Prepare(report) => all(report.to_lines()),
        Outcome::Devices(list) => all(list.to_lines()),
        Outcome::Bench(report) => all(report.lines.clone()),
        Outcome::Demo(demo) => {
            demo.numbers.table().lines().try_for_each(show::data)?;
            show::data("")?;
            show::data(&format!("the sheet:  {}", demo.sheet.display()))?;
            show::data(&format!("the word:   {}", demo.word.display()))?;
            show::data(&format!(
                "draw more:  wayword draw \"photo of {} wearing a wizard hat\" --cfg {} --base \"{}\" --embeddings \"{}\"",
                demo.numbers.word,
                demo.cfg,
                demo.base.display(),
                demo.word.parent().unwrap_or(Path::new("")).display()
            ))
        }
    }
}

/// How a run ended: the word's file on standard output, the rest beside it.
fn ended(trained: &Trained, progress: &Progress) -> Result<(), Failure> {
    let outcome = &trained.outcome;
    let after = outcome.evaluation_after.map_or(String::new(), |l| format!(" -> {l:.4}"));
    progress.note(&format!(
        "{} in {}; evaluation loss (fixed noise) {:.4}{after}",
        counted(outcome.of, "step"),
        numbers::duration(outcome.seconds),
        outcome.evaluation_before
    ));
    if let Some(pick) = &trained.picked {
        let lines = show::pick::lines(pick);
        lines.iter().for_each(|line| progress.note(&render_fields(line, &show::Flags)));
    }
    let Some(path) = &outcome.path else { return Ok(()) };
    let word = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let base = trained.base.as_ref();
    let base = base.map_or(String::new(), |base| format!(" --base \"{}\"", base.display()));
    progress.note(&format!(
        "draw with it: wayword draw \"photo of {word}\"{base} --embeddings \"{}\"",
        folder.display()
    ));
    show::data(&path.display().to_string())
}
