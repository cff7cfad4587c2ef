//! An axis of a grid: what changes, and its values.
use crate::Failure;
use crate::request::Size;
use std::path::{Path, PathBuf};
use wayword_diffusion::sigmas::{SamplerKind, Schedule, resolve};
use wayword_prompt::error::did_you_mean;
use wayword_prompt::{edit, list};
use wayword_train::run_folder::steps::StepChoice;

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AxisKind {
    Seed,
    Steps,
    Cfg,
    Sampler,
    Schedule,
    ClipSkip,
    Size,
    Base,
    Embedding,
    Step,
    Weight,
    LoraWeight,
    Replace,
    Order,
}

/// The names that are read: ours first, then A1111's.
const NAMES: [(&str, AxisKind); 21] = [
    ("seed", AxisKind::Seed),
    ("steps", AxisKind::Steps),
    ("cfg", AxisKind::Cfg),
    ("cfg scale", AxisKind::Cfg),
    ("sampler", AxisKind::Sampler),
    ("schedule", AxisKind::Schedule),
    ("schedule type", AxisKind::Schedule),
    ("clip skip", AxisKind::ClipSkip),
    ("size", AxisKind::Size),
    ("base", AxisKind::Base),
    ("checkpoint", AxisKind::Base),
    ("checkpoint name", AxisKind::Base),
    ("embedding", AxisKind::Embedding),
    ("step", AxisKind::Step),
    ("weight", AxisKind::Weight),
    ("lora", AxisKind::LoraWeight),
    ("lora weight", AxisKind::LoraWeight),
    ("replace", AxisKind::Replace),
    ("prompt s/r", AxisKind::Replace),
    ("order", AxisKind::Order),
    ("prompt order", AxisKind::Order),
];

impl AxisKind {
    /// What stands before values in legends; as in A1111 nothing where the value speaks.
    fn label(self) -> Option<&'static str> {
        match self {
            Self::Seed => Some("Seed"),
            Self::Steps => Some("Steps"),
            Self::Cfg => Some("CFG Scale"),
            Self::ClipSkip => Some("Clip skip"),
            Self::Step => Some("Step"),
            Self::Weight => Some("Weight"),
            Self::LoraWeight => Some("LoRA weight"),
            Self::Schedule | Self::Sampler | Self::Size | Self::Base | Self::Embedding => None,
            Self::Replace | Self::Order => None,
        }
    }

    /// The axis' name in A1111's infotext.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Sampler => "Sampler",
            Self::Schedule => "Schedule type",
            Self::Size => "Size",
            Self::Base => "Checkpoint name",
            Self::Embedding => "Embedding",
            Self::Replace => "Prompt S/R",
            Self::Order => "Prompt order",
            other => other.label().unwrap_or("Axis"),
        }
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Seed(u64),
    /// Steps or clip skip.
    Count(usize),
    /// Steps of a run.
    Step(StepChoice),
    Number(f64),
    Sampler(String, SamplerKind, Schedule),
    Schedule(String),
    Size(Size),
    File(PathBuf),
    Text(String),
    Order(Vec<usize>),
}

/// What changes, of what, and how.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) kind: AxisKind,
    /// The word or LoRA, where the name says which.
    pub(super) target: Option<String>,
    pub(super) values: Vec<Value>,
    /// The texts of an order.
    pub(super) texts: Vec<String>,
    /// Whether all steps of the run are meant.
    pub(super) every_step: bool,
}

impl Axis {
    /// The checkpoints of a travel.
    pub(super) fn travel(bases: &[PathBuf]) -> Result<Self, Failure> {
        let values = bases.iter().map(|path| file(&path.to_string_lossy()));
        let values = values.collect::<Result<_, _>>()?;
        Ok(Self {
            kind: AxisKind::Base,
            target: None,
            values,
            texts: Vec::new(),
            every_step: false,
        })
    }

    /// Reads `NAME: VALUES`. Files must exist, samplers must be known.
    ///
    /// # Errors
    /// Names what is wrong, at its place in the list.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        let Some((head, values)) = text.split_once(':') else {
            return Err(Failure::user(format!("`{text}` is no axis"))
                .hint("an axis is written NAME: VALUES, as in 'weight: 0.4, 0.8'"));
        };
        let (kind, target) = name(head.trim())?;
        let mut axis =
            Self { kind, target, values: Vec::new(), texts: Vec::new(), every_step: false };
        axis.values = match kind {
            AxisKind::Seed => seeds(values)?,
            AxisKind::Step if values.trim().eq_ignore_ascii_case("all") => {
                axis.every_step = true;
                Vec::new()
            }
            AxisKind::Step => run_steps(values)?,
            AxisKind::Steps | AxisKind::ClipSkip => counts(values, kind)?,
            AxisKind::Cfg | AxisKind::Weight | AxisKind::LoraWeight => {
                let rounded = |v: f64| Value::Number((v * 1e8).round() / 1e8);
                list::numbers(values).map_err(Failure::from)?.into_iter().map(rounded).collect()
            }
            _ => {
                let texts = list::items(values).map_err(Failure::from)?;
                let texts: Vec<String> = match kind {
                    AxisKind::Replace | AxisKind::Order => texts,
                    _ => texts.into_iter().filter(|t| !t.is_empty()).collect(),
                };
                let of_text = |text: &String| value_of(kind, text);
                match kind {
                    AxisKind::Order if texts.len() > 6 => {
                        let many = format!("{} texts have too many orders", texts.len());
                        return Err(Failure::user(many).hint("6 have 720"));
                    }
                    AxisKind::Order => {
                        axis.texts = texts;
                        edit::orders(axis.texts.len()).into_iter().map(Value::Order).collect()
                    }
                    _ => texts.iter().map(of_text).collect::<Result<_, _>>()?,
                }
            }
        };
        if axis.values.is_empty() && !axis.every_step {
            return Err(Failure::user(format!("the axis `{}` has no values", head.trim())));
        }
        Ok(axis)
    }

    /// The legend of a value.
    pub(super) fn legend(&self, place: usize) -> String {
        let value = match &self.values[place] {
            Value::Seed(seed) => seed.to_string(),
            Value::Count(count) => count.to_string(),
            Value::Step(choice) => choice.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Sampler(name, ..) | Value::Schedule(name) => name.clone(),
            Value::Size(size) => size.to_string(),
            Value::File(path) => stem(path),
            Value::Text(text) => text.clone(),
            Value::Order(order) => {
                let texts: Vec<&str> = order.iter().map(|i| self.texts[*i].as_str()).collect();
                texts.join(", ")
            }
        };
        match (self.kind.label(), &self.target) {
            (Some(label), Some(target)) if self.kind != AxisKind::Step => {
                format!("{label} {target}: {value}")
            }
            (Some(label), _) => format!("{label}: {value}"),
            (None, _) => value,
        }
    }
}

/// A file's name without its ending.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What an axis' name means, and the rest of it.
fn name(head: &str) -> Result<(AxisKind, Option<String>), Failure> {
    let lower = head.to_lowercase();
    let fits = |known: &str| {
        let rest = lower.strip_prefix(known)?;
        (rest.is_empty() || rest.starts_with(' ')).then_some(known.len())
    };
    let found = NAMES.iter().filter_map(|(known, kind)| Some((fits(known)?, *kind)));
    let Some((length, kind)) = found.max_by_key(|(length, _)| *length) else {
        let known = NAMES.map(|(name, _)| name);
        let hint = match did_you_mean(head, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        return Err(Failure::user(format!("unknown axis `{head}`")).hint(hint));
    };
    let target = head[length..].trim();
    let named = [AxisKind::Embedding, AxisKind::Step, AxisKind::Weight, AxisKind::LoraWeight]
        .contains(&kind);
    if !target.is_empty() && !named {
        return Err(Failure::user(format!("unknown axis `{head}`"))
            .hint(format!("did you mean `{}`?", &head[..length])));
    }
    Ok((kind, (!target.is_empty()).then(|| target.to_owned())))
}

fn seeds(text: &str) -> Result<Vec<Value>, Failure> {
    let seed = |n: i64| match u64::try_from(n) {
        Ok(seed) => Ok(Value::Seed(seed)),
        Err(_) if n == -1 => Ok(Value::Seed(crate::random_seed())),
        Err(_) => Err(Failure::user(format!("{n} is no seed")).hint("-1 is a random one")),
    };
    list::integers(text).map_err(Failure::from)?.into_iter().map(seed).collect()
}

fn counts(text: &str, kind: AxisKind) -> Result<Vec<Value>, Failure> {
    let count = |n: i64| match usize::try_from(n).ok().filter(|n| *n > 0) {
        Some(count) => Ok(Value::Count(count)),
        None => Err(Failure::user(format!("{}: {n} is below 1", kind.title()))),
    };
    list::integers(text).map_err(Failure::from)?.into_iter().map(count).collect()
}

/// Steps of a run: lists as of other numbers, with ranges as `400..800` among them.
fn run_steps(text: &str) -> Result<Vec<Value>, Failure> {
    if !StepChoice::is_marked(text) {
        let step = |n: i64| match usize::try_from(n) {
            Ok(step) => Ok(Value::Step(StepChoice::One(step))),
            Err(_) => Err(Failure::user(format!("{}: {n} is below 0", AxisKind::Step.title()))),
        };
        return list::integers(text).map_err(Failure::from)?.into_iter().map(step).collect();
    }
    let items = list::items(text).map_err(Failure::from)?;
    let mut out = Vec::new();
    for item in items.iter().filter(|item| !item.is_empty()) {
        if StepChoice::is_marked(item) {
            out.push(Value::Step(item.parse::<StepChoice>()?));
        } else {
            out.extend(run_steps(item)?);
        }
    }
    Ok(out)
}

fn value_of(kind: AxisKind, text: &str) -> Result<Value, Failure> {
    match kind {
        AxisKind::Sampler => {
            let (sampler, schedule) = resolve(text, None, false)?;
            Ok(Value::Sampler(text.to_owned(), sampler.kind, schedule))
        }
        AxisKind::Schedule => {
            resolve("Euler", Some(text), false)?;
            Ok(Value::Schedule(text.to_owned()))
        }
        AxisKind::Size => {
            let size = text.parse().map_err(|reason| Failure::user(format!("{text}: {reason}")))?;
            Ok(Value::Size(size))
        }
        AxisKind::Base | AxisKind::Embedding => file(text),
        _ => Ok(Value::Text(text.to_owned())),
    }
}

fn file(text: &str) -> Result<Value, Failure> {
    let path = PathBuf::from(text);
    if path.exists() {
        Ok(Value::File(path))
    } else {
        Err(Failure::user(format!("no such file: {text}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_read() {
        let axis = Axis::read("weight eva-ti: 0.4, 0.8-1.2 [2]").unwrap();
        assert_eq!((axis.kind, axis.target.as_deref()), (AxisKind::Weight, Some("eva-ti")));
        let legends: Vec<String> = (0..axis.values.len()).map(|i| axis.legend(i)).collect();
        assert_eq!(legends, ["Weight eva-ti: 0.4", "Weight eva-ti: 0.8", "Weight eva-ti: 1.2"]);
        let kind = |text: &str| Axis::read(text).map(|axis| (axis.kind, axis.values.len()));
        assert_eq!(kind("STEPS: 10-30 (+10)").unwrap(), (AxisKind::Steps, 3));
        assert_eq!(kind("step: 0, 100").unwrap(), (AxisKind::Step, 2));
        assert_eq!(kind("step: 100-300 (+100), 400..800, 4~8@0.25").unwrap(), (AxisKind::Step, 5));
        assert_eq!(Axis::read("step: 400..800").unwrap().legend(0), "Step: 400..800");
        assert_eq!(kind("Prompt S/R: \"a, b\", c").unwrap(), (AxisKind::Replace, 2));
        assert_eq!(kind("order: a, b, c").unwrap(), (AxisKind::Order, 6));
        assert_eq!(kind("sampler: Euler a, DDIM").unwrap(), (AxisKind::Sampler, 2));
        assert_eq!(kind("size: 64x64, 64x128").unwrap(), (AxisKind::Size, 2));
        assert_eq!(Axis::read("cfg: 0.6-1.0 (+0.1)").unwrap().legend(5), "CFG Scale: 1.1");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, said) in [
            ("weight 0.4", "is no axis"),
            ("weigth: 1", "unknown axis"),
            ("steps eva: 1", "unknown axis"),
            ("steps: 0", "below 1"),
            ("seed: -2", "no seed"),
            ("step: 8..4", "expected a step"),
            ("base: gone.safetensors", "no such file"),
            ("size: 63x64", "multiples of 8"),
            ("embedding:", "no values"),
        ] {
            let failure = Axis::read(text).unwrap_err();
            assert!(failure.message().contains(said), "{text}: {}", failure.message());
        }
    }
}
