//! Tree to texts: which text holds up to which step, and which is used at a call of the model.
use super::{Node, Tree};
use crate::Quirks;
use crate::error::PromptError;

/// The steps that a schedule is laid over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Steps of the first pass. Samplers that call the model twice a step count twice.
    pub steps: u32,
    /// Steps of the hires pass, where the schedule is for that pass.
    pub hires: Option<u32>,
    /// A1111's old rule: any number below 1 is a fraction, in both passes.
    pub old: bool,
}

impl Pass {
    /// The first (or only) pass.
    #[must_use]
    pub fn first(steps: u32) -> Self {
        Self { steps, hires: None, old: false }
    }

    /// The hires pass after a first pass: whole numbers go on counting, fractions start at 1.
    #[must_use]
    pub fn hires(first: u32, hires: u32) -> Self {
        Self { steps: first, hires: Some(hires), old: false }
    }

    /// The steps of this pass.
    #[must_use]
    pub fn length(self) -> i64 {
        i64::from(if self.old { self.steps } else { self.hires.unwrap_or(self.steps) })
    }

    /// The last step before the change, from the number as written. Below 1: from the start on.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "cut off as A1111"
    )]
    fn boundary(self, written: &str) -> i64 {
        let value: f64 = written.parse().unwrap_or(f64::INFINITY);
        let steps = self.length() as f64;
        let step = match self.hires.filter(|_| !self.old) {
            _ if self.old && value < 1.0 => value * steps,
            _ if self.old => value,
            None if written.contains('.') => value * steps,
            None => value,
            Some(_) if written.contains('.') => (value - 1.0) * steps,
            Some(_) => value - f64::from(self.steps),
        };
        (step as i64).min(self.length())
    }
}

/// A text and the last step (counted from 1) that it holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Last step.
    pub until: i64,
    /// The text, weights and escapes still in it.
    pub text: String,
}

/// Which entry is used at a call of the model, counted from 0: the first whose last step is not
/// below, else the first of all (A1111's counting, one call late). `until` are the entries' last
/// steps.
#[must_use]
pub fn entry_at_call(until: impl IntoIterator<Item = i64>, call: i64) -> usize {
    until.into_iter().position(|last| call <= last).unwrap_or(0)
}

impl Tree {
    /// The texts of a pass, in the order of their last steps; the last holds to the end.
    ///
    /// With [`Quirks::A1111`] a text that its grammar has no place for is used as it stands;
    /// otherwise only the places that do not fit are.
    ///
    /// # Errors
    /// With [`Quirks::A1111`], a number beyond f64, which fails its job.
    pub fn unroll(&self, pass: Pass, quirks: Quirks) -> Result<Vec<Entry>, PromptError> {
        let length = pass.length();
        if quirks == Quirks::A1111 && !self.unread.is_empty() {
            return Ok(vec![Entry { until: length, text: self.text.clone() }]);
        }
        let mut steps = vec![length];
        self.boundaries(&self.nodes, pass, quirks, &mut steps)?;
        steps.sort_unstable();
        steps.dedup();
        let at = |until| {
            let mut text = String::new();
            self.write(&self.nodes, pass, until, &mut text);
            Entry { until, text }
        };
        Ok(steps.into_iter().map(at).collect())
    }

    /// Collects the last steps of all changes, also of those inside what is never shown.
    fn boundaries(
        &self,
        nodes: &[Node],
        pass: Pass,
        quirks: Quirks,
        steps: &mut Vec<i64>,
    ) -> Result<(), PromptError> {
        for node in nodes {
            match node {
                Node::Scheduled { when, .. } => {
                    let written = &self.text[when.clone()];
                    let finite = written.parse().is_ok_and(f64::is_finite);
                    if quirks == Quirks::A1111 && !finite {
                        let message = "cannot convert float infinity to integer";
                        return Err(PromptError::new(message, &self.text, when.clone()));
                    }
                    steps.extend(Some(pass.boundary(written)).filter(|&step| step >= 1));
                }
                Node::Alternate { .. } => steps.extend(1..=pass.length()),
                Node::Text(_) | Node::Group { .. } => {}
            }
            for list in node.children() {
                self.boundaries(list, pass, quirks, steps)?;
            }
        }
        Ok(())
    }

    /// Writes the text that holds at a step (counted from 1).
    fn write(&self, nodes: &[Node], pass: Pass, step: i64, out: &mut String) {
        for node in nodes {
            match node {
                Node::Text(span) => out.push_str(&self.text[span.clone()]),
                Node::Group { span, parts } => {
                    out.push_str(&self.text[span.start..span.start + 1]);
                    for (i, part) in parts.iter().enumerate() {
                        out.push_str(if i == 0 { "" } else { ":" });
                        self.write(part, pass, step, out);
                    }
                    out.push_str(&self.text[span.end - 1..span.end]);
                }
                Node::Scheduled { from, to, when, .. } => {
                    if step > pass.boundary(&self.text[when.clone()]) {
                        self.write(to, pass, step, out);
                    } else if let Some(from) = from {
                        self.write(from, pass, step, out);
                    }
                }
                Node::Alternate { options, .. } => {
                    let count = i64::try_from(options.len()).unwrap_or(i64::MAX);
                    let turn = usize::try_from((step - 1).rem_euclid(count)).unwrap_or(0);
                    self.write(&options[turn], pass, step, out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn texts(text: &str, pass: Pass, quirks: Quirks) -> Vec<(i64, String)> {
        let tree = parse(text).unwrap();
        tree.unroll(pass, quirks).unwrap().into_iter().map(|e| (e.until, e.text)).collect()
    }

    #[test]
    fn a_stray_bar_costs_the_schedule_only_with_quirks() {
        let pass = Pass::first(10);
        let text = "a|b [c:d:3]";
        assert_eq!(texts(text, pass, Quirks::A1111), [(10, text.into())]);
        assert_eq!(texts(text, pass, Quirks::Sane), [(3, "a|b c".into()), (10, "a|b d".into())]);
    }

    #[test]
    fn chance_decides_nothing() {
        let pass = Pass::first(10);
        for quirks in [Quirks::Sane, Quirks::A1111] {
            let found = texts("[a:b:[c:3]]", pass, quirks);
            assert_eq!(found, [(3, "[a:b:]".into()), (10, "[a:b:c]".into())]);
            let found = texts("a [b:c:3]]", pass, quirks);
            assert_eq!(found, [(3, "a b]".into()), (10, "a c]".into())]);
        }
    }

    #[test]
    fn numbers_beyond_bounds() {
        let pass = Pass::first(10);
        assert_eq!(texts("[a:b:1e999]", pass, Quirks::Sane), [(10, "a".into())]);
        let tree = parse("[a:b:1e999]").unwrap();
        assert!(tree.unroll(pass, Quirks::A1111).is_err());
        assert_eq!(texts("[a:b:1.0]", Pass::hires(10, 20), Quirks::Sane), [(20, "b".into())]);
    }

    #[test]
    fn deep_brackets_are_refused() {
        let deep = |n: usize| format!("{}a{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(&deep(150)).is_ok());
        assert!(parse(&deep(100_000)).is_err());
        assert!(parse(&"[".repeat(100_000)).is_ok());
    }

    #[test]
    fn call_and_entry() {
        let calls: Vec<usize> = (0..6).map(|k| entry_at_call([3, 4], k)).collect();
        assert_eq!(calls, [0, 0, 0, 0, 1, 0]);
    }
}
