//! The page itself: what was asked for, how it went, what it looks like.
use super::chart::{self, Line, short};
use super::{escape, learned, pictures};
use crate::pick::{DrawnSteps, Pick};
use crate::plan::{PlanSummary, TrainPlan};
use crate::previews::Previews;
use crate::run_folder::curves::Curves;
use crate::state::Counters;
use crate::verdict;
use std::path::Path;
use wayword_interface::{LabelNames, counted};

/// Longest side of a preview on the page, in pixels of the file.
const PREVIEW: u32 = 384;
/// The same of a training picture.
const SHOWN: u32 = 144;
/// Training pictures on the page at most.
pub(super) const MOST_SHOWN: usize = 24;
/// Columns of previews at most, the first and the last among them.
const MOST_COLUMNS: usize = 10;
/// Captions on the page at most.
const CAPTIONS: usize = 8;

pub(super) const STYLE: &str = include_str!("page.css");

/// All of it.
pub(super) fn html(
    (run, plan, counters): (&Path, &TrainPlan, &Counters),
    curves: &Curves,
    picked: Option<(&Pick, &[DrawnSteps])>,
) -> String {
    let summary = plan.summary(None);
    let names = match plan.embeddings.as_slice() {
        [_] => plan.name.clone(),
        embeddings => embeddings
            .iter()
            .map(|embedding| embedding.name.as_str())
            .collect::<Vec<_>>()
            .join(", "),
    };
    let title = escape(&names);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n{}</header>\n<main>\n",
        facts(plan, &summary, counters)
    );
    page.push_str(&warnings(plan));
    if let Some(previews) = &plan.previews {
        page.push_str(&sheet(run, plan, counters.step, previews));
    }
    let pick = picked.map(|(pick, _)| pick);
    let overtrained = match pick {
        Some(pick) => pick.verdict.overtrained_from,
        None => verdict::of(&curves.fixed, 0.0, verdict::is_fresh(plan)).overtrained_from,
    };
    let learned = learned::figure(curves, learned::previews(run), pick, overtrained);
    if let Some((pick, drawn)) = picked {
        page.push_str(&super::pick::pictures(pick, drawn));
    }
    page.push_str(&charts(&learned, curves));
    page.push_str(&shown(plan));
    page.push_str(&captions(&summary));
    page.push_str(&table(plan, &summary));
    page.push_str(&format!(
        "</main>\n<footer>wayword {}</footer>\n</body>\n</html>\n",
        escape(&plan.version)
    ));
    page
}

/// The line below the headline, and four large numbers.
fn facts(plan: &TrainPlan, summary: &PlanSummary, counters: &Counters) -> String {
    let pictures = (0..plan.pictures.len()).filter(|i| !plan.is_regular(*i)).count();
    let from = escape(&summary.init);
    let mut out = format!(
        "<p>{}, initialized from “{from}”, trained on {} for {}</p>\n<dl>\n",
        counted(plan.vectors(), "vector"),
        counted(pictures, "image"),
        counted(counters.step, "step")
    );
    let mut fact = |name: &str, value: String| {
        out.push_str(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
    };
    let fixed = match counters.evaluation_after {
        Some(after) => {
            format!("{} <small>from {}</small>", short(after), short(counters.evaluation_before))
        }
        None => short(counters.evaluation_before),
    };
    fact("evaluation loss", fixed);
    fact("time", duration(counters.seconds));
    fact("per step", duration(counters.seconds / counters.step.max(1) as f64));
    fact("seed", plan.seed.to_string());
    out.push_str("</dl>\n");
    out
}

fn warnings(plan: &TrainPlan) -> String {
    if plan.warnings.is_empty() {
        return String::new();
    }
    let mut out = "<section class=\"warnings\">\n<h2>Warnings</h2>\n<ul>\n".to_owned();
    for warning in &plan.warnings {
        let shown = warning.render(&LabelNames);
        let hint = shown.hint.map(|hint| format!("<br><small>{}</small>", escape(&hint)));
        let hint = hint.unwrap_or_default();
        out.push_str(&format!("<li>{}{hint}</li>\n", escape(&shown.message)));
    }
    out.push_str("</ul>\n</section>\n");
    out
}

/// Previews: a line for each prompt, a column for each time.
fn sheet(run: &Path, plan: &TrainPlan, steps: usize, previews: &Previews) -> String {
    let path = |step, prompt| previews.path(run, &plan.name, step, prompt);
    let prompts = 0..previews.prompts.len();
    let times: Vec<usize> =
        (0..=steps).filter(|step| prompts.clone().any(|p| path(*step, p).is_file())).collect();
    if times.is_empty() {
        return String::new();
    }
    let times = spread(&times);
    let mut out =
        "<section>\n<h2>Previews</h2>\n<div class=\"wide\"><table class=\"sheet\">\n<thead><tr>"
            .to_owned();
    for step in &times {
        out.push_str(&format!("<th>step {step}</th>"));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (counters, prompt) in previews.prompts.iter().enumerate() {
        let text = escape(&prompt.prompt);
        out.push_str(&format!(
            "<tr><th colspan=\"{}\">{text} <small>seed {}</small></th></tr>\n<tr>",
            times.len(),
            prompt.seed
        ));
        for step in &times {
            let alt = format!("{text}, step {step}");
            match pictures::of_file(&path(*step, counters), PREVIEW) {
                Some(p) => out.push_str(&format!(
                    "<td><img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"{alt}\"></td>",
                    p.src, p.width, p.height
                )),
                None => out.push_str("<td></td>"),
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n</section>\n");
    out
}

/// At most as many as fit, the first and the last among them, evenly.
fn spread(times: &[usize]) -> Vec<usize> {
    if times.len() <= MOST_COLUMNS {
        return times.to_vec();
    }
    (0..MOST_COLUMNS).map(|i| times[i * (times.len() - 1) / (MOST_COLUMNS - 1)]).collect()
}

/// What was learned, and below it what went into that.
fn charts(learned: &str, curves: &Curves) -> String {
    let series = |value: &dyn Fn(&crate::StepReport) -> f64| -> Vec<(f64, f64)> {
        curves.steps.iter().map(|r| (r.step as f64, value(r))).collect()
    };
    let loss = series(&|r| r.loss);
    let gradient = series(&|r| r.gradient_norm);
    let figures = [
        chart::figure(
            "Loss",
            "Mostly noise: each step draws another timestep.",
            &[
                Line::new("faint", "", loss.clone()),
                Line::new("main", "running mean", chart::smooth(&loss)),
            ],
            false,
        ),
        chart::figure("Learning rate", "", &[Line::new("main", "", series(&|r| r.rate))], false),
        chart::figure(
            "Gradient",
            "Norm before clipping.",
            &[
                Line::new("faint", "", gradient.clone()),
                Line::new("main", "running mean", chart::smooth(&gradient)),
            ],
            true,
        ),
    ];
    format!(
        "<section>\n<h2>Curves</h2>\n{learned}<div class=\"charts\">\n{}</div>\n</section>\n",
        figures.concat()
    )
}

/// The pictures that were learned from, as they were cropped.
fn shown(plan: &TrainPlan) -> String {
    let learned = (0..plan.pictures.len()).filter(|place| !plan.is_regular(*place)).count();
    let mut out = "<section>\n<h2>Images</h2>\n<div class=\"pictures\">\n".to_owned();
    for picture in super::shown(plan) {
        let name = picture.path.file_name().unwrap_or_default().to_string_lossy();
        let name = escape(&name);
        if let Some(p) = pictures::cropped(plan, picture, SHOWN) {
            out.push_str(&format!(
                "<img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"{name}\" title=\"{name}\">\n",
                p.src, p.width, p.height
            ));
        }
    }
    out.push_str("</div>\n");
    if let Some(more) = learned.checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        out.push_str(&format!("<p>and {more} more</p>\n"));
    }
    out.push_str("</section>\n");
    out
}

fn captions(summary: &PlanSummary) -> String {
    let kind = if summary.template {
        "template sentences, one drawn per image"
    } else {
        "captions of the images"
    };
    let total = summary.captions.len();
    let mut out = format!("<section>\n<h2>Captions</h2>\n<p>{total} {kind}</p>\n<ul>\n");
    for caption in summary.captions.iter().take(CAPTIONS) {
        let without =
            if caption.has_embedding { "" } else { " <small>without the embedding</small>" };
        out.push_str(&format!("<li>{}{without}</li>\n", escape(&caption.text)));
    }
    if total > CAPTIONS {
        out.push_str(&format!("<li>and {} more</li>\n", total - CAPTIONS));
    }
    out.push_str("</ul>\n</section>\n");
    out
}

/// The plan as a table.
fn table(plan: &TrainPlan, summary: &PlanSummary) -> String {
    let sizes: Vec<String> =
        summary.sizes.iter().map(|((w, h), n)| format!("{w} x {h}: {n}")).collect();
    let clip = plan.max_grad_norm.to_string();
    let rows = [
        ("base", plan.base.path.display().to_string()),
        ("images", format!("{}, {} per epoch with repeats", summary.pictures, summary.samples)),
        ("sizes", sizes.join(", ")),
        ("token", summary.token.clone()),
        ("steps, epochs", format!("{}, {}", summary.steps, summary.epochs)),
        ("batch size, gradient accumulation", format!("{}, {}", summary.batch, summary.accumulate)),
        (
            "learning rate",
            format!("{}, {}, {} warm-up steps", short(summary.lr), summary.scheduler, plan.warmup),
        ),
        ("optimizer", [&[summary.optimizer.clone()][..], &plan.optimizer_args].concat().join(" ")),
        ("maximum gradient norm", if clip == "0" { "no limit".into() } else { clip }),
        ("timesteps", format!("{} to {}", plan.timesteps.0, plan.timesteps.1)),
        ("kohya's numbers", if plan.kohya_numbers { "yes" } else { "no" }.into()),
        ("files", summary.files.join(", ")),
        ("folder", plan.out.display().to_string()),
    ];
    let mut out = "<section>\n<h2>Plan</h2>\n<table class=\"plan\">\n".to_owned();
    for (name, value) in rows {
        out.push_str(&format!("<tr><th>{name}</th><td>{}</td></tr>\n", escape(&value)));
    }
    out.push_str("</table>\n<p>All options are in <code>plan.json</code> beside this page.</p>\n</section>\n");
    out
}

/// Seconds as people say them.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1000.0),
        0..100 => format!("{seconds:.1} s"),
        100..5400 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_never_wider_than_the_screen() {
        let css = include_str!("page.css");
        let columns: Vec<&str> = css.split("minmax(").skip(1).collect();
        assert!(columns.len() >= 2 && columns.iter().all(|rest| rest.starts_with("min(")), "{css}");
    }
}
