//! The fields of a request of A1111's API, taken one by one; what is left must be neutral.
use crate::answer::{Answer, Refusal};
use serde_json::Value;
use wayword_interface::options::Values;

/// Fields of functions that are not here, and the values that do not use them, beside null, false,
/// 0, -1, and what is empty.
const NEUTRAL: [(&str, &[&str]); 12] = [
    ("s_noise", &["1"]),
    ("s_tmax", &["inf", "Infinity"]),
    ("hr_checkpoint_name", &["Use same checkpoint"]),
    ("initial_noise_multiplier", &["1"]),
    ("mask_round", &["true"]),
    // Read by models that this program has not.
    ("image_cfg_scale", &["*"]),
    // These say how a function works that another field switches on.
    ("refiner_switch_at", &["*"]),
    ("comments", &["*"]),
    ("script_args", &["*"]),
    ("do_not_save_samples", &["*"]),
    ("do_not_save_grid", &["*"]),
    ("include_init_images", &["*"]),
];

/// The fields that are not taken yet.
#[derive(Debug)]
pub(super) struct Fields(Values);

impl Fields {
    pub(super) fn new(values: Values) -> Self {
        Self(values)
    }

    /// A field's value; null is as if it were not there.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &str) -> Answer<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(unfit(name, "a text", &other)),
        }
    }

    /// A text that says something.
    pub(super) fn filled(&mut self, name: &str) -> Answer<Option<String>> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    pub(super) fn number(&mut self, name: &str) -> Answer<Option<f64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        number.filter(|n| n.is_finite()).map(Some).ok_or_else(|| unfit(name, "a number", &value))
    }

    /// A whole number between two bounds.
    pub(super) fn whole(&mut self, name: &str, least: i64, most: i64) -> Answer<Option<i64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let real = || value.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15);
        #[expect(clippy::cast_possible_truncation, reason = "whole and small, as filtered")]
        let number = value.as_i64().or_else(|| real().map(|n| n as i64));
        let number = number.or_else(|| value.as_str()?.trim().parse().ok());
        let expected = format!("a whole number from {least} to {most}");
        number
            .filter(|n| (least..=most).contains(n))
            .map(Some)
            .ok_or_else(|| unfit(name, &expected, &value))
    }

    pub(super) fn flag(&mut self, name: &str) -> Answer<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::Number(n)) if n.as_i64() == Some(0) => Ok(Some(false)),
            Some(Value::Number(n)) if n.as_i64() == Some(1) => Ok(Some(true)),
            Some(other) => Err(unfit(name, "true or false", &other)),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Answer<Values> {
        match self.take(name) {
            None => Ok(Values::new()),
            Some(Value::Object(values)) => Ok(values),
            Some(other) => Err(unfit(name, "an object", &other)),
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Answer<Vec<Value>> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) => Ok(list),
            Some(other) => Err(unfit(name, "a list", &other)),
        }
    }

    /// Refuses what is left and asks for something.
    pub(super) fn rest(self) -> Answer<()> {
        for (name, value) in &self.0 {
            if !is_neutral(name, value) {
                let shown: String = value.to_string().chars().take(60).collect();
                let text = format!("{name}: {shown} is not supported");
                return Err(Refusal::unfit(text).hint(format!("leave {name} out")).field(name));
            }
        }
        Ok(())
    }
}

fn is_neutral(name: &str, value: &Value) -> bool {
    let empty = match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64().is_some_and(|n| n == 0.0 || n == -1.0),
        Value::String(text) => text.is_empty() || text == "None",
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) => false,
    };
    let shown = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or(String::new(), |n| n.to_string()),
        other => other.to_string(),
    };
    let known = NEUTRAL.iter().find(|(known, _)| *known == name);
    empty || known.is_some_and(|(_, all)| all.iter().any(|one| *one == "*" || *one == shown))
}

/// A value of the wrong kind.
pub(super) fn unfit(name: &str, expected: &str, found: &Value) -> Refusal {
    let shown: String = found.to_string().chars().take(60).collect();
    Refusal::unfit(format!("{name}: expected {expected}, found {shown}")).field(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_neutral_fields_may_be_left() {
        let left = |value: Value| Fields::new(value.as_object().unwrap().clone()).rest();
        left(json!({ "tiling": false, "s_noise": 1.0, "s_tmax": 0, "styles": [] })).unwrap();
        left(json!({ "refiner_switch_at": 0.8, "refiner_checkpoint": "" })).unwrap();
        for bad in [json!({ "tiling": true }), json!({ "s_churn": 0.5 }), json!({ "typo": "x" })] {
            let refusal = left(bad.clone()).unwrap_err();
            let name = bad.as_object().unwrap().keys().next().unwrap();
            assert!(refusal.diagnostic.message.contains(name.as_str()), "{refusal:?}");
        }
    }

    #[test]
    fn numbers_are_bounded() {
        let mut fields = Fields::new(
            json!({ "a": 1e30, "b": 3.0, "c": 2.5, "d": "x" }).as_object().unwrap().clone(),
        );
        assert!(fields.whole("a", 0, 10).is_err());
        assert_eq!(fields.whole("b", 0, 10).unwrap(), Some(3));
        assert!(fields.whole("c", 0, 10).is_err());
        assert!(fields.number("d").is_err());
        assert_eq!(fields.whole("e", 0, 10).unwrap(), None);
    }
}
