//! The page of a pick: curves over steps, the chosen step, and what was drawn.
use super::chart::short;
use super::page::STYLE;
use super::{escape, learned, pictures};
use crate::pick::{DrawnSteps, Pick};
use crate::run_folder::curves::Curves;

/// Longest side of a picture on the page, in pixels of the file.
const PICTURE: u32 = 256;

/// All of it.
pub(super) fn html(pick: &Pick, drawn: &[DrawnSteps], curves: &Curves) -> String {
    let title = escape(&format!("{}: step {}", pick.name, pick.chosen));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n\
         <p>{}</p>\n</header>\n<main>\n",
        escape(&pick.why)
    );
    page.push_str(&said(pick));
    let chart = learned::figure(curves, Vec::new(), Some(pick), pick.verdict.overtrained_from);
    page.push_str(&format!("<section>\n<h2>Scores</h2>\n{chart}</section>\n"));
    page.push_str(&pictures(pick, drawn));
    page.push_str(&table(pick));
    page.push_str(&format!(
        "</main>\n<footer>wayword {}</footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    ));
    page
}

/// What should be known before anything else.
fn said(pick: &Pick) -> String {
    let verdict = &pick.verdict;
    let text = if !verdict.learned {
        "The run learned nothing: the evaluation loss did not fall.".to_owned()
    } else if let Some(step) = verdict.overtrained_from {
        format!("Overtraining began at about step {step}.")
    } else {
        return String::new();
    };
    format!("<section class=\"warnings\">\n<p>{text}</p>\n</section>\n")
}

/// The drawn candidates side by side.
pub(super) fn pictures(pick: &Pick, drawn: &[DrawnSteps]) -> String {
    if drawn.is_empty() {
        return String::new();
    }
    let mut out = "<section>\n<h2>Drawn steps</h2>\n<div class=\"picks\">\n".to_owned();
    for candidate in drawn {
        let best = if candidate.steps == pick.chosen { " class=\"best\"" } else { "" };
        let similarity = pick.of(candidate.steps).and_then(|c| c.similarity);
        let similarity =
            similarity.map_or(String::new(), |s| format!(" <small>similarity {s:.3}</small>"));
        out.push_str(&format!(
            "<figure{best}><figcaption>step {}{similarity}</figcaption><div class=\"pictures\">",
            candidate.steps
        ));
        for picture in candidate.plain.iter().chain(&candidate.others) {
            if let Some(p) = pictures::shrunk(picture, PICTURE) {
                out.push_str(&format!(
                    "<img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"step {}\">",
                    p.src, p.width, p.height, candidate.steps
                ));
            }
        }
        out.push_str("</div></figure>\n");
    }
    out.push_str("</div>\n</section>\n");
    out
}

fn table(pick: &Pick) -> String {
    let mut out = "<section>\n<h2>All candidates</h2>\n<div class=\"wide\"><table class=\"plan\">\n\
                   <tr><th>step</th><th>similarity</th><th>loss</th><th>little, middling, much noise</th>\
                   <th>fidelity</th><th>norm</th><th>drift</th></tr>\n"
        .to_owned();
    for c in std::iter::once(&pick.start).chain(&pick.candidates) {
        let similarity = c.similarity.map_or(String::new(), |s| format!("{s:.3}"));
        let [little, middling, much] = c.loss_by_timestep.map(short);
        out.push_str(&format!(
            "<tr><td>{}</td><td>{similarity}</td><td>{}</td><td>{little}, {middling}, {much}</td>\
             <td>{:.3}</td><td>{:.2}</td><td>{:.2}</td></tr>\n",
            c.steps,
            short(c.loss),
            c.fidelity,
            c.norm,
            c.drift
        ));
    }
    out.push_str("</table></div>\n</section>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pick::{By, Candidate, Cost};
    use crate::run_folder::steps::StepChoice;
    use crate::verdict::Verdict;

    #[test]
    fn the_page_shows_choice_curves_and_pictures_and_needs_nothing_else() {
        let candidate = |steps, loss| Candidate {
            steps,
            loss,
            loss_by_timestep: [loss; 3],
            fidelity: 0.9,
            norm: 1.2,
            drift: 0.1,
            similarity: Some(0.8),
        };
        let pick = Pick {
            run: "a.run".into(),
            name: "a<b".into(),
            by: By::Balance,
            chosen: StepChoice::One(50),
            why: "best & only".into(),
            start: candidate(StepChoice::One(0), 0.2),
            candidates: vec![
                candidate(StepChoice::One(50), 0.1),
                candidate(StepChoice::One(100), 0.12),
                candidate(StepChoice::Mean(1, 100), 0.11),
            ],
            judged: true,
            verdict: Verdict { overtrained_from: Some(100), ..Verdict::default() },
            evaluations: Cost::default(),
            written: Vec::new(),
        };
        let picture = image::RgbImage::new(8, 8);
        let drawn = DrawnSteps { steps: pick.chosen, plain: vec![picture.clone()], others: vec![] };
        let page = html(&pick, &[drawn], &Curves::default());
        for part in [
            "a&lt;b: step 50",
            "best &amp; only",
            "Overtraining began at about step 100",
            "<title>step 50: similarity 0.8</title>",
            "class=\"best\"",
            "1..100",
            "data:image/jpeg",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("http") && !page.contains("<script"), "needs nothing else");
    }
}
