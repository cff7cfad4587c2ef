//! A template as a tree of commands.
use std::ops::Range;
use std::rc::Rc;

/// How a part is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// `~`: by chance, without end.
    Random,
    /// `!`: each possibility once.
    Combinatorial,
    /// `@`: one after the other, without end.
    Cyclical,
}

impl Method {
    pub(super) fn is_endless(self) -> bool {
        self != Self::Combinatorial
    }
}

/// Where a command stands. All places are equal, so that equal commands compare equal.
#[derive(Debug, Clone)]
pub(super) struct CommandSite {
    pub(super) text: Rc<str>,
    pub(super) span: Range<usize>,
}

impl PartialEq for CommandSite {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// Text.
    Literal(String),
    /// Parts one after the other.
    Sequence(Vec<Rc<Command>>),
    /// `{a|b}`.
    Variant(Variant),
    /// `__name__`.
    Wildcard {
        path: Rc<Command>,
        method: Option<Method>,
        variables: Vec<(String, Rc<Command>)>,
        place: CommandSite,
    },
    /// `${x=a}`.
    Assign { name: String, value: Rc<Command>, immediate: bool, overwrite: bool },
    /// `${x}` or `${x:a}`.
    Access { name: String, default: Option<Rc<Command>>, place: CommandSite },
    /// `%{a ... b$$c}`.
    Wrap { wrapper: Rc<Command>, inner: Rc<Command> },
}

/// `{2$$ and $$1::a|b}`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variant {
    pub(super) options: Vec<(Rc<Command>, f64)>,
    /// How many are taken at least and at most; the least is not above the most.
    pub(super) least: i64,
    pub(super) most: i64,
    pub(super) separator: String,
    pub(super) method: Option<Method>,
    pub(super) place: CommandSite,
}

impl Variant {
    /// The bounds put in order and cut to the number of options.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let count = i64::try_from(self.options.len()).unwrap_or(i64::MAX);
        (self.least.min(count), self.most.min(count))
    }

    pub(super) fn values(&self) -> Vec<Rc<Command>> {
        self.options.iter().map(|(value, _)| value.clone()).collect()
    }
}

impl Command {
    /// The method that is written at the command itself.
    pub(super) fn method(&self) -> Option<Method> {
        match self {
            Self::Variant(variant) => variant.method,
            Self::Wildcard { method, .. } => *method,
            _ => None,
        }
    }

    /// Whether it is a sequence of nothing, which the peer takes for no command at all.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Sequence(list) if list.is_empty())
    }
}
