//! Prompts that change while a picture is drawn: `[from:to:when]` and `[a|b]`, read into a tree and
//! unrolled into one text for each stretch of steps.
mod parse;
mod unroll;

pub use parse::{MAX_DEPTH, parse};
pub use unroll::{Entry, Pass, entry_at_call};

use std::ops::Range;

/// A piece of a prompt. Spans are byte offsets into the text that was parsed.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Text, escapes as written.
    Text(Range<usize>),
    /// `(…)`, `(…:…)` or `[…]`: kept as written, weighted later.
    Group {
        /// From opener to closer.
        span: Range<usize>,
        /// One part, or two with a colon between.
        parts: Vec<Vec<Node>>,
    },
    /// `[from:to:when]`, `[to:when]` or `[from::when]`.
    Scheduled {
        /// From opener to closer.
        span: Range<usize>,
        /// What stands there up to `when`; `None` where it is left out.
        from: Option<Vec<Node>>,
        /// What stands there afterwards.
        to: Vec<Node>,
        /// The number as written, without spaces.
        when: Range<usize>,
    },
    /// `[a|b|…]`: one of them in turn for each step.
    Alternate {
        /// From opener to closer.
        span: Range<usize>,
        /// At least two; each may be empty.
        options: Vec<Vec<Node>>,
    },
}

impl Node {
    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        match self {
            Self::Text(span)
            | Self::Group { span, .. }
            | Self::Scheduled { span, .. }
            | Self::Alternate { span, .. } => span.clone(),
        }
    }

    /// The lists of nodes inside it.
    pub fn children(&self) -> impl Iterator<Item = &Vec<Node>> {
        let (one, more): (Option<&Vec<Node>>, &[Vec<Node>]) = match self {
            Self::Text(_) => (None, &[]),
            Self::Group { parts, .. } => (None, parts),
            Self::Scheduled { from, to, .. } => (from.as_ref(), std::slice::from_ref(to)),
            Self::Alternate { options, .. } => (None, options),
        };
        one.into_iter().chain(more)
    }

    /// Whether it, or anything inside, changes with the steps.
    #[must_use]
    pub fn changes(&self) -> bool {
        matches!(self, Self::Scheduled { .. } | Self::Alternate { .. })
            || self.children().flatten().any(Self::changes)
    }
}

/// Something that A1111's grammar has no place for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// A `|` that does not divide an alternation.
    Bar(usize),
    /// A backslash at the end, or before a line's end.
    Backslash(usize),
}

impl Unread {
    /// Its place, in bytes.
    #[must_use]
    pub fn at(&self) -> usize {
        match self {
            Self::Bar(at) | Self::Backslash(at) => *at,
        }
    }
}

/// A prompt as a tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// The text that was parsed.
    pub text: String,
    /// Its pieces, in order; together they cover the whole text.
    pub nodes: Vec<Node>,
    /// What the grammar has no place for, in order. Where this is not empty A1111 uses the whole
    /// prompt as it stands and schedules nothing.
    pub unread: Vec<Unread>,
}

impl Tree {
    /// Whether anything changes with the steps.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.nodes.iter().any(Node::changes)
    }
}
