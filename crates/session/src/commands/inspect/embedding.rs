//! What is in an embedding: its vectors, their lengths, the words they are nearest to.
use super::table::Table;
use crate::Facts;
use crate::Failure;
use serde_json::json;
use std::path::Path;
use wayword_formats::Embedding;
use wayword_prompt::schedule::Pass;
use wayword_prompt::{Language, PromptPlan};

/// Words shown for each vector.
const NEAREST: usize = 5;
/// Mean length of the word vectors of Stable Diffusion 1.5, where no base is named.
const SD15_NORM: f64 = 0.386;
/// Vectors that are longer than that many words drown the rest of a prompt.
const HUGE: f64 = 100.0;
/// Vectors that are shorter than this part of a word hardly do anything.
const TINY: f64 = 0.01;

/// Tells about an embedding; with a base, also which words its vectors are near to.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn tell(file: &Path, base: Option<&Path>, facts: &mut Facts) -> Result<(), Failure> {
    let embedding = wayword_formats::embedding::read_any(file)?;
    facts.text("word", embedding.trigger(file));
    facts.text("layout", embedding.layout);
    facts.maybe("key", embedding.key.as_ref());
    facts.text("dtype", format!("{:?}", embedding.dtype).to_lowercase());
    facts.add("vectors", embedding.count, embedding.count.to_string());
    facts.add("width", embedding.width, embedding.width.to_string());
    facts.text("checksum", embedding.checksum4());
    facts.maybe("name_inside", embedding.name.as_ref());
    facts.maybe("steps_trained", embedding.step);
    facts.maybe("trained_on", embedding.sd_checkpoint_name.as_ref());
    facts.maybe("trained_on_hash", embedding.sd_checkpoint.as_ref());
    let table = base.map(Table::open).transpose()?;
    if let (Some(table), Some(base)) = (&table, base) {
        facts.text("base", base.display());
        facts.add("base_mean_norm", table.mean_norm, format!("{:.3}", table.mean_norm));
    }
    let width = table.as_ref().map(|table| table.width);
    let mean_norm = table.as_ref().map(|table| table.mean_norm);
    // Words of a base of another width are no neighbors.
    let table = table.filter(|table| table.width == embedding.width);
    let norms = embedding.norms();
    facts.silent("norms", json!(norms));
    let mut nearest = Vec::new();
    for (i, norm) in norms.iter().enumerate() {
        let mut shown = format!("norm {norm:.3}");
        if let Some(table) = &table {
            let words = table.nearest(&embedding, i, NEAREST);
            let list: Vec<String> = words.iter().map(|(w, c)| format!("{w} {c:.2}")).collect();
            shown.push_str(&format!("; nearest: {}", list.join(", ")));
            nearest.push(
                words.iter().map(|(w, c)| json!({ "word": w, "cosine": c })).collect::<Vec<_>>(),
            );
        }
        facts.line(&format!("vector {}", i + 1), shown);
    }
    if table.is_some() {
        facts.silent("nearest", json!(nearest));
    }
    super::metadata(&embedding.metadata, facts);
    for warning in warnings(&embedding, width, mean_norm) {
        facts.warn(warning);
    }
    if !is_text(&embedding.trigger(file)) {
        facts.warn("its name is no plain text in a prompt, where brackets, AND, BREAK and colons mean something: rename the file");
    }
    Ok(())
}

/// Whether a name, written in a prompt, stays what it is.
fn is_text(name: &str) -> bool {
    let plan = PromptPlan::positive(name, Pass::first(1), Language::default());
    let entries = plan.map(|plan| plan.parts.into_iter().flat_map(|part| part.entries));
    let items: Vec<_> = entries.into_iter().flatten().flat_map(|entry| entry.items).collect();
    items == [(name.to_owned(), 1.0)]
}

/// What makes it useless: values that are no numbers, another family's width, vectors of nothing, vectors far too long.
fn warnings(embedding: &Embedding, width: Option<usize>, mean_norm: Option<f64>) -> Vec<String> {
    let mut out = Vec::new();
    let broken = embedding.vectors.iter().filter(|v| !v.is_finite()).count();
    if let Err(fault) = embedding.finite() {
        let (all, what) = (embedding.vectors.len(), "not finite: it cannot be drawn with");
        out.push(format!("{broken} of {all} values are {what} ({fault})"));
    }
    let known_families = [1024, 1280, 2048, 4096];
    let meant = width.or_else(|| known_families.contains(&embedding.width).then_some(768));
    if let Some(Err(fault)) = meant.map(|width| embedding.fits(width)) {
        let which = if width.is_some() { "" } else { " (those of Stable Diffusion 1.x)" };
        out.push(format!("{fault}{which}: it cannot be used with it"));
    }
    let fits = width.is_none_or(|width| width == embedding.width);
    let (mean, whose) = match mean_norm.filter(|_| fits) {
        Some(mean) => (mean, "the base's words"),
        None if embedding.width == 768 => (SD15_NORM, "the words of Stable Diffusion 1.5"),
        None => return with_zeros(embedding, out),
    };
    for (i, norm) in embedding.norms().into_iter().enumerate() {
        let times = norm / mean;
        let size =
            |what: &str| format!("vector {} is {what}: {times:.3} times as long as {whose}", i + 1);
        if norm > 0.0 && times < TINY {
            out.push(size("nearly nothing"));
        } else if times.is_finite() && times > HUGE {
            out.push(size("huge, it drowns the rest of a prompt"));
        }
    }
    with_zeros(embedding, out)
}

fn with_zeros(embedding: &Embedding, mut out: Vec<String>) -> Vec<String> {
    let norms = embedding.norms();
    let zeros: Vec<String> =
        (1..).zip(norms).filter(|(_, norm)| *norm == 0.0).map(|(i, _)| i.to_string()).collect();
    match zeros.len() {
        0 => {}
        n if n == embedding.count => out.push("all its values are 0: it means nothing".into()),
        _ => out.push(format!("vector {} is 0: it means nothing", zeros.join(", "))),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{is_text, warnings};
    use wayword_formats::{Array, embedding, pickle::Value};

    #[test]
    fn names_that_prompts_take_apart() {
        for name in ["eva-ti", "my word", "v1.5-x", "<s1>", "with,comma", "Anderson-BREAKs"] {
            assert!(is_text(name), "{name}");
        }
        for name in ["x-AND-y", "BREAK", "eva(1)", "[eva]", "a:1:0.5 :2", "<lora:x>"] {
            assert!(!is_text(name), "{name}");
        }
    }

    #[test]
    fn useless_vectors_are_told() {
        let describe = |shape: [usize; 2], values: &[f32], width, mean| {
            let array = Array::from_f32(shape.to_vec(), values).unwrap();
            let read = embedding::from_value(&Value::Tensor(array)).unwrap();
            warnings(&read, width, mean)
        };
        let good = [0.3_f32; 768];
        assert!(describe([1, 768], &good.map(|v| v / 20.0), None, None).is_empty());
        assert!(describe([2, 2], &[0.1, 0.2, 0.3, 0.1], Some(2), Some(0.3)).is_empty());
        let zero = describe([2, 2], &[0.0, 0.0, 0.3, 0.1], Some(2), Some(0.3));
        assert_eq!(zero, ["vector 1 is 0: it means nothing"]);
        assert!(describe([1, 2], &[0.0, 0.0], Some(2), Some(0.3))[0].starts_with("all its values"));
        assert!(describe([1, 2], &[90.0, 0.0], Some(2), Some(0.3))[0].contains("huge"));
        assert!(describe([1, 2], &[0.001, 0.0], Some(2), Some(0.3))[0].contains("nearly nothing"));
        let nan = describe([2, 2], &[0.3, f32::NAN, f32::INFINITY, 0.1], Some(2), Some(0.3));
        assert!(nan[0].starts_with("2 of 4 values are not finite"), "{nan:?}");
        assert!(nan[0].contains("NaN in row 0, column 1"), "{nan:?}");
        assert_eq!(nan.len(), 1, "{nan:?}");
        let other = describe([1, 2], &[0.3, 0.0], Some(3), Some(0.3));
        assert!(other[0].contains("its vectors have 2 values"), "{other:?}");
        assert!(describe([1, 1024], &[0.1; 1024], None, None)[0].contains("Stable Diffusion 2.x"));
    }
}
