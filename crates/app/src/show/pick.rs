//! A pick in some ten lines.
use wayword_session::{Candidate, Facts, Pick};

/// Candidates that are shown.
const SHOWN: usize = 5;

/// The choice, why, the best candidates, what was written and what it cost.
pub(crate) fn lines(pick: &Pick) -> Vec<String> {
    let mut facts = Facts::default();
    facts.line("best", format!("step {} of {}", pick.chosen, pick.name));
    facts.line("why", pick.why.clone());
    if !pick.verdict.learned {
        facts.line("warning", format!("the run learned nothing; {}", pick.verdict.advice()));
    }
    match pick.verdict.overtrained_from {
        Some(step) => facts.line("overtrained", format!("from about step {step}")),
        None => facts.line("overtrained", "no"),
    }
    let mut shown: Vec<&Candidate> = pick.candidates.iter().collect();
    shown.sort_by_key(|c| {
        let rank = |s: f64| (-s * 1e6) as i64;
        (c.steps != pick.chosen, c.similarity.map_or(i64::MAX, rank), rank(-c.loss))
    });
    for candidate in shown.into_iter().take(SHOWN) {
        let similarity =
            candidate.similarity.map_or(String::new(), |s| format!("similarity {s:.3}, "));
        let text = format!(
            "{similarity}loss {:.4}, fidelity {:.2}, norm {:.2}",
            candidate.loss, candidate.fidelity, candidate.norm
        );
        facts.line(&format!("step {}", candidate.steps), text);
    }
    for path in &pick.written {
        facts.line("written", path.display().to_string());
    }
    if pick.written.is_empty() {
        facts.line("write it", format!("wayword pick \"{}\" {{pick.write}}", pick.run.display()));
    }
    let cost = &pick.evaluations;
    let share = |part: f64| format!("{:.0} %", part / cost.run.max(1.0) * 100.0);
    let (scores, drawing) = (share(cost.scores), share(cost.drawing));
    facts.line("cost", format!("scores {scores} of the run, drawing {drawing}"));
    facts.to_lines()
}
