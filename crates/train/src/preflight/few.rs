//! Too few pictures for what is to be learned.
use super::finding;
use crate::plan::{PlanWarning, TrainPlan};
use std::collections::BTreeSet;

/// Presets, the fewest pictures that are enough for them, what is learned and how many are usual.
const ENOUGH: &[(&str, usize, &str, &str)] = &[
    ("person", 10, "a person", "10 to 20 in different places, clothes and light are usual"),
    ("object", 5, "a thing or an animal", "5 to 20 before different backgrounds are usual"),
    ("style", 15, "a style", "15 to 50 of different things are usual"),
];

/// A finding where there are fewer pictures than guides for `preset` ask for; without a preset than
/// anything needs.
#[must_use]
pub fn few(plan: &TrainPlan, preset: Option<&str>) -> Option<PlanWarning> {
    let learned = (0..plan.pictures.len()).filter(|place| !plan.is_regular(*place));
    // One that is there twice is one.
    let count = learned.map(|i| &plan.pictures[i].sha256).collect::<BTreeSet<_>>().len();
    let pictures = if count == 1 { "1 picture is".into() } else { format!("{count} pictures are") };
    let Some((name, least, what, usual)) = ENOUGH.iter().find(|e| Some(e.0) == preset) else {
        let text = format!("{pictures} few: what else they share is learned as part of the word");
        let hint = "5 and more before different backgrounds are usual, 10 to 20 for a person";
        return (count < 5).then(|| finding(text, hint));
    };
    if count >= *least {
        return None;
    }
    let text = format!("{pictures} few for {what}: what else they share is learned too");
    let hint = match *name == "person" && count >= 5 {
        true => format!("{usual}; for a thing or an animal these will do: say --preset object"),
        false => (*usual).to_owned(),
    };
    Some(finding(text, &hint))
}
