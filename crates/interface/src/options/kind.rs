//! Kinds of values: how each is read from text, TOML and JSON, and what is expected.
use super::{Choice, OptionSpec, nearest};
use serde_json::{Number, Value};
use std::path::PathBuf;

/// What values an option takes.
#[derive(Debug, Clone, Copy)]
pub enum OptionKind {
    /// On or off; a flag without value.
    Switch,
    /// A whole number between two bounds of its type.
    Integer(i128, i128),
    /// A finite number.
    Number,
    /// A seed: a whole number from 0, or -1 for a random one.
    Seed,
    /// Text; numbers are taken as they are written.
    Text,
    /// A file or folder.
    Path,
    /// One of some names, in any case.
    Choice(&'static [Choice]),
    /// Width and height in pixels, `W,H`, multiples of 8 from 64 to 8192; one number is both.
    Size,
    /// Width and height in multiples of 8, of which one may be 0.
    Sides,
    /// So many numbers.
    Numbers(usize),
    /// Any number of values.
    List(&'static Self),
    /// Tables of options.
    Tables(fn() -> Vec<&'static OptionSpec>),
}

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What was expected: `a whole number from 1`.
    pub expected: String,
    /// What was found: `` `two` ``.
    pub found: String,
    /// What may be meant.
    pub hint: Option<String>,
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// A Rust type that an option can have.
pub trait OptionType {
    /// What values it takes.
    const KIND: OptionKind;
}

macro_rules! types {
    ($($type:ty => $kind:expr),+ $(,)?) => {
        $(impl OptionType for $type { const KIND: OptionKind = $kind; })+
    };
}

types! {
    bool => OptionKind::Switch,
    usize => OptionKind::Integer(0, usize::MAX as i128),
    u64 => OptionKind::Integer(0, u64::MAX as i128),
    u32 => OptionKind::Integer(0, u32::MAX as i128),
    i64 => OptionKind::Integer(i64::MIN as i128, i64::MAX as i128),
    f64 => OptionKind::Number,
    String => OptionKind::Text,
    PathBuf => OptionKind::Path,
    super::Seed => OptionKind::Seed,
    super::Size => OptionKind::Size,
    (u32, u32) => OptionKind::Size,
    super::Sides => OptionKind::Sides,
    (f64, f64) => OptionKind::Numbers(2),
    [f32; 3] => OptionKind::Numbers(3),
}

impl<T: OptionType> OptionType for Option<T> {
    const KIND: OptionKind = T::KIND;
}

impl<T: OptionType + 'static> OptionType for Vec<T> {
    const KIND: OptionKind = OptionKind::List(&T::KIND);
}

impl OptionKind {
    /// A value in the form that the type reads, from that form or from any other that people write:
    /// text for numbers, one value for a list, one side for a size.
    ///
    /// # Errors
    /// If it cannot be of this kind, or is not between `min` and `max`.
    pub fn fit(&self, value: &Value, min: f64, max: f64) -> Result<Value, Unfit> {
        let unfit = |hint| Unfit { expected: self.expected(min, max), found: found(value), hint };
        let fitted = match self {
            Self::Switch => switch(value).map(Value::Bool),
            Self::Integer(least, most) => {
                let (least, most) = ((*least).max(min as i128), (*most).min(max as i128));
                integer(value).filter(|n| (least..=most).contains(n)).and_then(whole)
            }
            Self::Number => number(value).filter(|n| (min..=max).contains(n)).and_then(real),
            Self::Seed => {
                integer(value).filter(|n| (-1..=i128::from(u64::MAX)).contains(n)).and_then(whole)
            }
            Self::Text | Self::Path => text(value).map(Value::String),
            Self::Choice(choices) => {
                let text = text(value).unwrap_or_default();
                let known = |c: &&Choice| c.name.eq_ignore_ascii_case(text.trim());
                match choices.iter().find(known) {
                    Some(choice) => Some(Value::String(choice.name.into())),
                    None => {
                        let names: Vec<&str> = choices.iter().map(|c| c.name).collect();
                        let near = nearest(text.trim(), &names);
                        return Err(unfit(near.map(|near| format!("did you mean `{near}`?"))));
                    }
                }
            }
            Self::Size => match numbers(value, &[',', 'x', 'X']).as_deref() {
                Some([w, h]) => {
                    return size(*w, *h).map_err(|expected| Unfit { expected, ..unfit(None) });
                }
                Some([side]) => {
                    return size(*side, *side)
                        .map_err(|expected| Unfit { expected, ..unfit(None) });
                }
                _ => None,
            },
            Self::Sides => match numbers(value, &[',', 'x', 'X']).as_deref() {
                Some([w, h]) if sides(*w, *h) => Some(Value::from(vec![*w as u32, *h as u32])),
                _ => None,
            },
            Self::Numbers(count) => {
                numbers(value, &[',']).filter(|list| list.len() == *count).map(Value::from)
            }
            Self::List(kind) => {
                let list = match value {
                    Value::Array(list) => list.as_slice(),
                    one => std::slice::from_ref(one),
                };
                let fitted = list.iter().map(|value| kind.fit(value, min, max));
                return fitted.collect::<Result<Vec<_>, _>>().map(Value::Array);
            }
            Self::Tables(specs) => return table(&specs(), value).ok_or_else(|| unfit(None))?,
        };
        fitted.ok_or_else(|| unfit(None))
    }

    /// What is expected, in words.
    #[must_use]
    pub fn expected(&self, min: f64, max: f64) -> String {
        match self {
            Self::Switch => "true or false".into(),
            Self::Integer(least, most) => {
                let (least, top) = ((*least).max(min as i128), (*most).min(max as i128));
                match (least, top < *most) {
                    (i128::MIN..-1_000_000, false) => "a whole number".into(),
                    (least, false) => format!("a whole number from {least}"),
                    (least, true) => format!("a whole number from {least} to {top}"),
                }
            }
            Self::Number => match (min.is_finite(), max.is_finite()) {
                (true, true) => format!("a number from {min} to {max}"),
                (true, false) => format!("a number from {min}"),
                _ => "a number".into(),
            },
            Self::Seed => "a whole number from 0, or -1 for a random seed".into(),
            Self::Text => "text".into(),
            Self::Path => "a path".into(),
            Self::Choice(choices) => match choices {
                [all @ .., last] if !all.is_empty() => {
                    let all: Vec<&str> = all.iter().map(|c| c.name).collect();
                    format!("{} or {}", all.join(", "), last.name)
                }
                _ => choices.iter().map(|c| c.name).collect(),
            },
            Self::Size => "W,H in pixels, as in 512,768".into(),
            Self::Sides => "W,H in multiples of 8, as in 768,1024 or 768,0".into(),
            Self::Numbers(2) => "two numbers, as in 0.3,0.6".into(),
            Self::Numbers(count) => {
                format!("{count} numbers, as in {}", vec!["0.5"; *count].join(","))
            }
            Self::List(kind) => kind.expected(min, max),
            Self::Tables(_) => "tables".into(),
        }
    }
}

/// A value as an error shows it.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "a number that is not finite, or nothing".into(),
        Value::String(text) if text.is_empty() => "nothing".into(),
        Value::Object(_) => "a table".into(),
        value => format!("`{}`", super::shown(value)),
    }
}

fn switch(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::String(text) => text.trim().to_lowercase().parse().ok(),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<i128> {
    let of_float = |x: f64| (x.fract() == 0.0 && x.abs() < 1e15).then_some(x as i128);
    match value {
        Value::Number(number) => {
            let whole = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
            whole.or_else(|| number.as_f64().and_then(of_float))
        }
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| text.parse().ok().and_then(of_float))
        }
        _ => None,
    }
}

fn whole(number: i128) -> Option<Value> {
    let unsigned = u64::try_from(number).map(Value::from).ok();
    unsigned.or_else(|| i64::try_from(number).map(Value::from).ok())
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

fn real(number: f64) -> Option<Value> {
    Number::from_f64(number).map(Value::Number)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(match value.as_f64() {
            // As Rust writes it, so that it is read as the same number: 1e-5, not 0.00001.
            Some(number) if value.is_f64() => format!("{number:?}"),
            _ => value.to_string(),
        }),
        _ => None,
    }
}

fn numbers(value: &Value, between: &[char]) -> Option<Vec<f64>> {
    match value {
        Value::Array(list) => list.iter().map(number).collect(),
        Value::String(text) => text
            .split(between)
            .map(|part| part.trim().parse().ok().filter(|n: &f64| n.is_finite()))
            .collect(),
        value => number(value).map(|value| vec![value]),
    }
}

/// A size whose sides the VAE can halve three times.
fn size(width: f64, height: f64) -> Result<Value, String> {
    let fits = |side: f64| (64.0..=8192.0).contains(&side) && side % 8.0 == 0.0;
    if fits(width) && fits(height) {
        return Ok(Value::from(vec![width as u32, height as u32]));
    }
    let near = |side: f64| (side.clamp(64.0, 8192.0) / 8.0).round() * 8.0;
    Err(format!(
        "both sides to be multiples of 8 from 64 to 8192, as in {},{}",
        near(width),
        near(height)
    ))
}

fn sides(width: f64, height: f64) -> bool {
    let fits = |side: f64| (0.0..=8192.0).contains(&side) && side % 8.0 == 0.0;
    fits(width) && fits(height) && width + height > 0.0
}

fn table(specs: &[&'static OptionSpec], value: &Value) -> Option<Result<Value, Unfit>> {
    let Value::Object(entries) = value else { return None };
    let mut fitted = super::Values::new();
    for (key, value) in entries {
        let Some(spec) = specs.iter().find(|spec| spec.is_called(key)) else {
            let known: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
            let hint = nearest(key, &known).map(|near| format!("did you mean `{near}`?"));
            let expected = known.join(", ");
            return Some(Err(Unfit { expected, found: format!("`{key}`"), hint }));
        };
        match spec.fit(value) {
            Ok(value) => fitted.insert(spec.name.into(), value),
            Err(unfit) => {
                let expected = format!("{} for `{key}`", unfit.expected);
                return Some(Err(Unfit { expected, ..unfit }));
            }
        };
    }
    Some(Ok(Value::Object(fitted)))
}
