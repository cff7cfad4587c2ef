//! Too few pictures for what is to be learned.
use super::{finding, pictures_are};
use crate::plan::TrainPlan;
use std::collections::{BTreeMap, BTreeSet};
use wayword_interface::Warning;

/// Presets, the fewest pictures that are enough for them, what is learned and how many are usual.
const ENOUGH: &[(&str, usize, &str, &str)] = &[
    ("person", 10, "a person", "10 to 20 in different places, clothes and light are usual"),
    ("object", 5, "a thing or an animal", "5 to 20 before different backgrounds are usual"),
    ("style", 15, "a style", "15 to 50 of different things are usual"),
];

/// Findings where an embedding has fewer pictures than guides for `preset` ask for; without a preset than
/// anything needs.
#[must_use]
pub fn few(plan: &TrainPlan, preset: Option<&str>) -> Vec<Warning> {
    let taught = plan.embeddings_of_pictures();
    let pictures_of = |embedding: usize| {
        let learned =
            (0..taught.len()).filter(|i| !plan.is_regular(*i) && taught[*i].contains(&embedding));
        // One that is there twice is one.
        learned.map(|i| plan.pictures[i].sha256.as_str()).collect::<BTreeSet<_>>()
    };
    // Words that share their pictures share the finding.
    let mut groups: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (place, embedding) in plan.embeddings.iter().enumerate() {
        groups.entry(pictures_of(place)).or_default().push(format!("`{}`", embedding.name));
    }
    let whose = |names: Vec<String>| {
        if names.len() == plan.embeddings.len() {
            String::new()
        } else {
            format!("{}: ", names.join(", "))
        }
    };
    let few = |(pictures, names): (BTreeSet<_>, _)| too_few(&whose(names), pictures.len(), preset);
    groups.into_iter().filter_map(few).collect()
}

fn too_few(whose: &str, count: usize, preset: Option<&str>) -> Option<Warning> {
    let pictures = format!("{whose}{}", pictures_are(count));
    let Some((name, least, what, usual)) = ENOUGH.iter().find(|e| Some(e.0) == preset) else {
        let text = format!(
            "{pictures} few: anything else they have in common is learned as part of the embedding"
        );
        let hint = "5 or more with different backgrounds are usual, 10 to 20 for a person";
        return (count < 5).then(|| finding(text, hint));
    };
    if count >= *least {
        return None;
    }
    let text =
        format!("{pictures} few for {what}: anything else they have in common is learned too");
    let hint = if *name == "person" && count >= 5 {
        format!("{usual}; for a thing or an animal this is enough: pass {{train.preset}} object")
    } else {
        (*usual).to_owned()
    };
    Some(finding(text, &hint))
}
