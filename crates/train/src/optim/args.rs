//! `key=value` arguments as kohya's users write them: values are Python literals.
use super::error::OptimError;
use std::collections::BTreeMap;
use std::fmt;

/// A Python literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// A quoted text.
    Text(String),
    /// A tuple or a list.
    List(Vec<Literal>),
}

impl Literal {
    /// Reads a literal: numbers, `True`, `False`, `None`, quoted texts, tuples and lists.
    ///
    /// `0.9,0.99` is a tuple, as in Python.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text.trim() };
        let first = reader.item()?;
        if reader.rest.is_empty() {
            return Some(first);
        }
        let mut items = vec![first];
        while reader.eat(',') {
            if reader.rest.is_empty() {
                break;
            }
            items.push(reader.item()?);
        }
        reader.rest.is_empty().then_some(Self::List(items))
    }

    /// The number, if it is one (`True` counts as 1, as in Python).
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(i) => Some(*i as f64),
            Self::Float(f) => Some(*f),
            Self::Bool(b) => Some(f64::from(u8::from(*b))),
            _ => None,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Int(i) => write!(f, "{i}"),
            Self::Float(v) => write!(f, "{v}"),
            Self::Text(t) => write!(f, "'{t}'"),
            Self::List(items) => {
                f.write_str("(")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn item(&mut self) -> Option<Literal> {
        for (open, close) in [('(', ')'), ('[', ']')] {
            if self.eat(open) {
                return self.list(close, open == '(');
            }
        }
        for quote in ['\'', '"'] {
            if let Some(rest) = self.rest.strip_prefix(quote) {
                let end = rest.find(quote)?;
                let text = &rest[..end];
                if text.contains('\\') {
                    return None;
                }
                self.rest = rest[end + 1..].trim_start();
                return Some(Literal::Text(text.into()));
            }
        }
        let end = self.rest.find([',', ')', ']', ' ']).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        self.rest = self.rest[end..].trim_start();
        match word {
            "None" => return Some(Literal::None),
            "True" => return Some(Literal::Bool(true)),
            "False" => return Some(Literal::Bool(false)),
            _ => {}
        }
        // Python takes no `inf` or `nan` as literals and Rust's parser does.
        if !word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
            return None;
        }
        if word.trim_start_matches(['+', '-']).starts_with(char::is_alphabetic) {
            return None;
        }
        let plain = word.replace('_', "");
        match plain.parse::<i64>() {
            Ok(i) => Some(Literal::Int(i)),
            Err(_) => plain.parse::<f64>().ok().map(Literal::Float),
        }
    }

    fn list(&mut self, close: char, tuple: bool) -> Option<Literal> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.eat(close) {
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.item()?);
            comma = self.eat(',');
        }
        // `(1)` is the number itself, `(1,)` a tuple.
        if tuple && items.len() == 1 && !comma {
            return items.pop();
        }
        Some(Literal::List(items))
    }
}

/// Arguments by name. A rule takes out what it knows; what is left over is refused.
#[derive(Debug, Clone, Default)]
pub struct Args {
    owner: String,
    values: BTreeMap<String, Literal>,
    known: Vec<&'static str>,
}

impl Args {
    /// Reads `key=value` texts for `owner`, the name that errors show.
    ///
    /// # Errors
    /// If a text has no or several `=`, a value is no literal, or a key comes twice.
    pub fn parse(owner: &str, texts: &[String]) -> Result<Self, OptimError> {
        let mut values = BTreeMap::new();
        for text in texts {
            let bad = |why: &'static str| OptimError::Argument { text: text.clone(), why };
            let (key, value) = text.split_once('=').ok_or_else(|| bad("no `=` in it"))?;
            if value.contains('=') {
                return Err(bad("several `=` in it"));
            }
            let value = Literal::parse(value).ok_or_else(|| {
                bad("the value is no Python literal; texts need quotes, as in key='text'")
            })?;
            if values.insert(key.trim().to_owned(), value).is_some() {
                return Err(bad("given twice"));
            }
        }
        Ok(Self { owner: owner.into(), values, known: Vec::new() })
    }

    /// Whether `key` is among the arguments.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Sets `key` where the user did not.
    pub fn default(&mut self, key: &str, value: Literal) {
        self.values.entry(key.into()).or_insert(value);
    }

    /// Takes an argument out, if it is there.
    pub fn take(&mut self, key: &'static str) -> Option<Literal> {
        self.known.push(key);
        self.values.remove(key)
    }

    /// Takes a number.
    ///
    /// # Errors
    /// If it is there and no number.
    pub fn number(&mut self, key: &'static str, default: f64) -> Result<f64, OptimError> {
        Ok(self.maybe_number(key)?.unwrap_or(default))
    }

    /// Takes a number, or `None` where it is absent or `None`.
    ///
    /// # Errors
    /// If it is something else.
    pub fn maybe_number(&mut self, key: &'static str) -> Result<Option<f64>, OptimError> {
        match self.take(key) {
            None | Some(Literal::None) => Ok(None),
            Some(value) => match (key, value.number()) {
                ("d0", Some(n)) if n <= 0.0 => Err(self.wrong(key, &value, "a number above 0")),
                ("eps" | "weight_decay", Some(n)) if n < 0.0 => {
                    Err(self.wrong(key, &value, "a number from 0"))
                }
                (_, Some(n)) => Ok(Some(n)),
                (_, None) => Err(self.wrong(key, &value, "a number")),
            },
        }
    }

    /// Takes a whole number from 1.
    ///
    /// # Errors
    /// If it is there and something else.
    pub fn count(&mut self, key: &'static str, default: usize) -> Result<usize, OptimError> {
        match self.take(key) {
            None | Some(Literal::None) => Ok(default),
            Some(value) => match &value {
                Literal::Int(i) if *i >= 1 => Ok(usize::try_from(*i).unwrap_or(usize::MAX)),
                _ => Err(self.wrong(key, &value, "a whole number from 1")),
            },
        }
    }

    /// Takes `True` or `False`.
    ///
    /// # Errors
    /// If it is there and neither.
    pub fn flag(&mut self, key: &'static str, default: bool) -> Result<bool, OptimError> {
        match self.take(key) {
            None | Some(Literal::None) => Ok(default),
            Some(Literal::Bool(b)) => Ok(b),
            Some(Literal::Int(i)) => Ok(i != 0),
            Some(value) => Err(self.wrong(key, &value, "True or False")),
        }
    }

    /// Takes a text.
    ///
    /// # Errors
    /// If it is there and no text.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>, OptimError> {
        match self.take(key) {
            None | Some(Literal::None) => Ok(None),
            Some(Literal::Text(t)) => Ok(Some(t)),
            Some(value) => Err(self.wrong(key, &value, "a quoted text")),
        }
    }

    /// Takes an argument that may only have its usual value, as others are not built in.
    ///
    /// # Errors
    /// If it has another.
    pub fn only(
        &mut self,
        key: &'static str,
        usual: &Literal,
        expected: &'static str,
    ) -> Result<(), OptimError> {
        match self.take(key) {
            Some(value) if value != *usual => Err(self.wrong(key, &value, expected)),
            _ => Ok(()),
        }
    }

    /// Takes `N` numbers.
    ///
    /// # Errors
    /// If it is there and something else.
    pub fn numbers<const N: usize>(
        &mut self,
        key: &'static str,
        default: [f64; N],
    ) -> Result<[f64; N], OptimError> {
        let Some(value) = self.take(key) else { return Ok(default) };
        let list = match &value {
            Literal::List(items) => items.iter().map(Literal::number).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let fixed = list.and_then(|l| <[f64; N]>::try_from(l).ok());
        fixed.ok_or_else(|| self.wrong(key, &value, "a tuple of as many numbers as the default"))
    }

    /// Takes betas: numbers from 0 to below 1.
    ///
    /// # Errors
    /// If one is out of range.
    pub fn betas<const N: usize>(&mut self, default: [f64; N]) -> Result<[f64; N], OptimError> {
        let betas = self.numbers("betas", default)?;
        match betas.iter().find(|b| !(0.0..1.0).contains(*b)) {
            None => Ok(betas),
            Some(b) => Err(self.wrong("betas", &Literal::Float(*b), "numbers from 0 to below 1")),
        }
    }

    /// Takes arguments that change speed or logging only.
    pub fn ignore(&mut self, keys: &[&'static str]) {
        for key in keys {
            let _ = self.take(key);
        }
    }

    /// Refuses what nobody took, with the nearest known name.
    ///
    /// # Errors
    /// If something is left.
    pub fn finish(self) -> Result<(), OptimError> {
        match self.values.keys().next() {
            None => Ok(()),
            Some(key) => Err(OptimError::UnknownArgument {
                optimizer: self.owner.clone(),
                key: key.clone(),
                nearest: super::nearest(key, &self.known),
                known: self.known.join(", "),
            }),
        }
    }

    fn wrong(&self, key: &str, value: &Literal, expected: &'static str) -> OptimError {
        OptimError::Value {
            optimizer: self.owner.clone(),
            key: key.into(),
            found: value.to_string(),
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_as_python_reads_them() {
        let f = Literal::Float;
        assert_eq!(Literal::parse("0.9,0.99"), Some(Literal::List(vec![f(0.9), f(0.99)])));
        assert_eq!(Literal::parse("(0.9, 0.99)"), Some(Literal::List(vec![f(0.9), f(0.99)])));
        assert_eq!(Literal::parse("[3,7]"), Literal::parse("3,7"));
        assert_eq!(Literal::parse("1e-5"), Some(f(1e-5)));
        assert_eq!(Literal::parse("-1_000"), Some(Literal::Int(-1000)));
        assert_eq!(Literal::parse("'a,b'"), Some(Literal::Text("a,b".into())));
        assert_eq!(Literal::parse("(1)"), Some(Literal::Int(1)));
        assert_eq!(Literal::parse("1,"), Some(Literal::List(vec![Literal::Int(1)])));
        for bad in ["cosine", "", "inf", "-inf", "nan", "true", "1 2", "(1", "'a", "1,,2", "()x"] {
            assert_eq!(Literal::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn unknown_arguments_name_the_nearest() {
        let mut args = Args::parse("Lion", &["weigth_decay=1".into()]).unwrap();
        assert_eq!(args.number("weight_decay", 0.0).unwrap(), 0.0);
        let text = args.finish().unwrap_err().to_string();
        assert!(text.contains("weight_decay"), "{text}");
        assert!(Args::parse("Lion", &["a==1".into()]).is_err());
        assert!(Args::parse("Lion", &["a=cosine".into()]).is_err());
    }
}
