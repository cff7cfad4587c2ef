//! What was learned, step by step: similarity, fidelity, evaluation loss and norm in one chart.
use super::chart::Line;
use super::lanes::{self, Lane, Mark};
use crate::pick::{Candidate, Pick};
use crate::run_folder::curves::Curves;
use crate::run_folder::seen::SeenRun;
use crate::run_folder::steps::StepChoice;
use std::collections::BTreeMap;
use std::path::Path;

/// Points of the norm, of which there is one a step.
const NORMS: usize = 60;

type Points = Vec<(f64, f64)>;

/// The chart of a run: what its log says, and the scores of a pick where there was one. `previews` are
/// the similarities of its previews, `overtrained` the step at which overtraining began.
pub(super) fn figure(
    curves: &Curves,
    previews: Points,
    pick: Option<&Pick>,
    overtrained: Option<usize>,
) -> String {
    let scores = |value: &dyn Fn(&Candidate) -> Option<f64>| -> Vec<Line> {
        let Some(pick) = pick else { return Vec::new() };
        let scored = || std::iter::once(&pick.start).chain(&pick.candidates);
        let of = |single: bool| -> Points {
            let kind = |c: &&Candidate| matches!(c.steps, StepChoice::One(_)) == single;
            let point = |c: &Candidate| Some((c.steps.middle() as f64, value(c)?));
            let mut points: Points = scored().filter(kind).filter_map(point).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points
        };
        let singles = Line::new("main", "steps", of(true));
        let means = Line::new("second", "means of neighbors", of(false));
        [singles, means].into_iter().filter(|line| !line.points.is_empty()).map(dotted).collect()
    };
    let mut fidelity = scores(&|c| Some(c.fidelity));
    if fidelity.is_empty() && !curves.fidelity.is_empty() {
        let points = curves.fidelity.iter().map(|(step, value)| (*step as f64, *value)).collect();
        fidelity.push(dotted(Line::new("main", "", points)));
    }
    let mut similarity = scores(&|c| c.similarity);
    if similarity.is_empty() && !previews.is_empty() {
        similarity.push(dotted(Line::new("main", "previews", previews)));
    }
    let evaluated = curves.fixed.iter().map(|(step, loss)| (*step as f64, *loss)).collect();
    let lanes = [
        Lane { name: "similarity", note: "to the training images", lines: similarity },
        Lane {
            name: "fidelity",
            note: "1 where other words guide as they did at the start",
            lines: fidelity,
        },
        Lane {
            name: "evaluation loss",
            note: "same images and noise each time",
            lines: vec![dotted(Line::new("main", "", evaluated))],
        },
        Lane { name: "loss at much noise", note: "", lines: scores(&|c| Some(c.loss)) },
        Lane {
            name: "norm",
            note: "1 is the vocabulary’s; far above it an embedding drowns out other words",
            lines: norm(curves, &scores(&|c| Some(c.norm))),
        },
    ];
    let chosen = pick.map(|pick| (pick.chosen, format!("chosen: step {}", pick.chosen)));
    let chosen = chosen.map(|(steps, text)| Mark { step: steps.middle() as f64, text });
    let overtrained = overtrained
        .map(|step| Mark { step: step as f64, text: format!("overtraining from step {step}") });
    let marks: Vec<Mark> = chosen.into_iter().chain(overtrained).collect();
    lanes::figure("What was learned", &lanes, &marks)
}

/// The similarity of a run's previews, their mean at each step.
pub(super) fn previews(run: &Path) -> Points {
    let mut steps: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for line in SeenRun::similarity(run) {
        if let (Some(step), Some(found)) = (line["step"].as_u64(), line["similarity"].as_f64()) {
            steps.entry(step).or_default().push(found);
        }
    }
    let mean = |(step, found): (u64, Vec<f64>)| {
        (step as f64, found.iter().sum::<f64>() / found.len() as f64)
    };
    steps.into_iter().map(mean).collect()
}

/// The run's own norms; of an old run without a log those of the pick.
fn norm(curves: &Curves, scored: &[Line]) -> Vec<Line> {
    let size = curves.steps.len().div_ceil(NORMS).max(1);
    let all = curves.steps.chunks(size).filter_map(|part| part.last());
    let points: Points =
        all.map(|report| (report.step as f64, report.vector_norm_to_vocabulary)).collect();
    if points.is_empty() {
        let points = scored.first().map(|line| line.points.clone()).unwrap_or_default();
        return vec![dotted(Line::new("main", "", points))];
    }
    let ends = [points.first(), points.last()].into_iter().flatten().map(|(step, _)| (*step, 1.0));
    let vocabulary = Line::new("faint", "", ends.collect());
    vec![vocabulary, Line::new("main", "", points)]
}

fn dotted(line: Line) -> Line {
    Line { dots: true, ..line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StepReport;

    #[test]
    fn a_run_without_a_pick_shows_its_previews_loss_and_norm() {
        let dir = tempfile::tempdir().unwrap();
        let lines = [(0, 0.1), (0, 0.3), (50, 0.6)].map(|(step, similarity)| {
            serde_json::json!({ "step": step, "preview": "a", "similarity": similarity })
                .to_string()
        });
        std::fs::write(dir.path().join("similarity.jsonl"), lines.join("\n")).unwrap();
        let previews = previews(dir.path());
        assert_eq!(previews, [(0.0, 0.2), (50.0, 0.6)], "means over prompts");
        let report = |step: usize| StepReport {
            step,
            vector_norm_to_vocabulary: 1.0 + step as f64 / 100.0,
            ..StepReport::default()
        };
        let curves = Curves {
            steps: (1..=400).map(report).collect(),
            fixed: vec![(0, 0.2), (400, 0.1)],
            ..Curves::default()
        };
        let svg = figure(&curves, previews, None, Some(300));
        for part in [
            "step 50: similarity 0.6",
            "step 400: evaluation loss 0.1",
            "step 400: norm 5",
            "overtraining from step 300",
        ] {
            assert!(svg.contains(part), "{part}");
        }
        assert!(!svg.contains("fidelity"), "unknown without a pick");
        assert!(svg.matches(": norm ").count() <= NORMS + 2);
    }
}
