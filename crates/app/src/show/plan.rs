//! The plan of a training as a table, shown before the first step.
use wayword_interface::counted;
use wayword_session::numbers::{bytes, duration, estimated};
use wayword_session::{Estimate, Facts, PlanSummary, PreparedPhotos};

/// Captions shown at most before a training.
pub(crate) const CAPTIONS: usize = 4;
/// Files shown at most.
const FILES: usize = 3;

/// The table with at most so many captions, then the warnings.
pub(crate) fn lines(plan: &PlanSummary, most: usize) -> Vec<String> {
    let mut facts = Facts::default();
    let vectors = counted(plan.vectors, "vector");
    let token = if plan.token == plan.name {
        String::new()
    } else {
        format!(", written {} in captions", plan.token)
    };
    facts.line("embedding", format!("{}, {vectors}, from \"{}\"{token}", plan.name, plan.init));
    facts.line("base", base(plan));
    if !plan.loras.is_empty() {
        facts.line("on top of", format!("LoRA {}", plan.loras.join(", ")));
    }
    facts.line("images", images(plan));
    for photos in &plan.photos {
        facts.line("prepared", prepared(photos));
    }
    facts.line("captions", captions(plan, most));
    if let Some(starts) = &plan.starts {
        let runs = format!("{} of {}", starts.runs, counted(starts.steps, "step"));
        let what = format!("{runs} at timesteps from {} up; the best goes on", starts.low);
        facts.line("short runs", what);
    }
    facts.line("steps", steps(plan));
    if let Some(first) = &plan.high_noise {
        let steps = counted(first.steps, "step");
        facts.line("timesteps", format!("from {} up in the first {steps}, then all", first.low));
    }
    facts.line(
        "optimizer",
        format!("{}, learning rate {:.3e}, {}", plan.optimizer, plan.lr, plan.scheduler),
    );
    facts.line("seed", plan.seed.to_string());
    facts.line("files", files(plan));
    if plan.pick {
        facts.line("at the end", "the best step is chosen and becomes the embedding");
    }
    if let Some(estimate) = &plan.estimate {
        facts.line("estimate", take(estimate));
    }
    let mut lines = facts.to_lines();
    for warning in &plan.warnings {
        let shown = warning.render(&super::Flags);
        lines.push(format!("warning: {}", shown.message));
        if let Some(hint) = shown.hint {
            lines.push(format!("hint: {hint}"));
        }
    }
    lines
}

/// What a run will take; its parts where they count.
fn take(estimate: &Estimate) -> String {
    let memory = bytes(estimate.memory as u64);
    let step = if estimate.seconds_per_step < 1.0 {
        format!("{:.0} ms", estimate.seconds_per_step * 1000.0)
    } else {
        format!("{:.1} s", estimate.seconds_per_step)
    };
    let mut text = format!("{} ({step} per step), {memory} of memory", estimated(estimate.total));
    let parts = [
        (estimate.latents, "latents"),
        (estimate.starts, "short runs"),
        (estimate.seconds, "steps"),
        (estimate.evaluations, "evaluation"),
        (estimate.previews, "previews"),
        (estimate.pick, "choosing the best step"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(seconds, _)| *seconds >= 1.0)
        .map(|(seconds, what)| format!("{what} {}", duration(*seconds)))
        .collect();
    if parts.len() > 1 {
        text.push_str(&format!("\n{}", parts.join(", ")));
    }
    text
}

fn base(plan: &PlanSummary) -> String {
    let hash = plan.base_sha256.as_deref().map(|hash| format!(", SHA-256 {}…", &hash[..10]));
    let known = plan.base_known.as_deref().unwrap_or(&plan.base);
    format!("{known}{}", hash.unwrap_or_default())
}

fn images(plan: &PlanSummary) -> String {
    let mut text = format!("{}", plan.pictures);
    if plan.samples != plan.pictures as u64 {
        text.push_str(&format!(", {} per epoch with repeats", plan.samples));
    }
    match plan.sizes.as_slice() {
        [((w, h), _)] => text.push_str(&format!(", at {w}x{h}")),
        sizes => {
            let list: Vec<String> =
                sizes.iter().map(|((w, h), n)| format!("{n} at {w}x{h}")).collect();
            text.push_str(&format!(": {}", list.join(", ")));
        }
    }
    text
}

/// How many photos are kept and where, and why others are left out.
fn prepared(photos: &PreparedPhotos) -> String {
    let all = photos.kept.len() + photos.left_out.len();
    let mut text = format!("{} of {all} photos, in {}", photos.kept.len(), photos.folder.display());
    for photo in &photos.left_out {
        text.push_str(&format!("\nleft out {}: {}", photo.name, photo.remarks.join("; ")));
    }
    text
}

fn captions(plan: &PlanSummary, most: usize) -> String {
    let total = plan.captions.len();
    let mut lines = vec![if plan.template {
        format!("{total} sentences, one drawn for each image")
    } else {
        format!("{total}, from the images themselves")
    }];
    for caption in plan.captions.iter().take(most) {
        let without = if caption.has_embedding { "" } else { "   (without the embedding)" };
        lines.push(format!("  {}{without}", caption.text));
    }
    if total > most {
        lines.push(format!("  and {} more", total - most));
    }
    lines.join("\n")
}

fn steps(plan: &PlanSummary) -> String {
    let mut text = format!("{}, {}", plan.steps, epochs(plan));
    let (batch, batches) = (plan.batch, plan.accumulate);
    match (batch, batches) {
        (1, 1) => {}
        (_, 1) => text.push_str(&format!(", {batch} images per step")),
        _ => text.push_str(&format!(
            ", {} images per step ({batches} batches of {batch})",
            batch * batches
        )),
    }
    text
}

fn epochs(plan: &PlanSummary) -> String {
    let batches = match plan.batches_per_epoch {
        1 => "1 batch".into(),
        n => format!("{n} batches"),
    };
    format!("{} of {batches}", counted(plan.epochs as usize, "epoch"))
}

fn files(plan: &PlanSummary) -> String {
    let last = plan.files.last().cloned().unwrap_or_default();
    let others = plan.files.len().saturating_sub(1);
    match others {
        0 => last,
        1..=FILES => format!("{}, {last}", plan.files[..others].join(", ")),
        _ if plan.token.contains(", ") => {
            format!("{}, … {last}: {} files", plan.files[0], others + 1)
        }
        _ => format!("{}, … {others} step files, {last}", plan.files[0]),
    }
}
