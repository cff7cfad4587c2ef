//! Text to tree, in one pass with a stack of open brackets.
//!
//! A bracket is read as one of the grammar's forms if everything up to its closer fits; otherwise it
//! and all brackets around it are text, because only the outermost level may hold brackets that
//! mean nothing. A1111's parser chooses the same, except for a few texts where its choice depends
//! on chance; there the inner bracket counts.
use super::{Node, Tree, Unread};
use crate::error::PromptError;
use crate::unicode::{is_space, strip};
use std::ops::Range;

/// How deep brackets may nest.
pub const MAX_DEPTH: usize = 200;

/// An open bracket and what has come since.
struct Frame {
    open: usize,
    /// The parts so far, divided by `separators`.
    parts: Vec<Vec<Node>>,
    separators: Vec<(u8, usize)>,
}

/// The parser's state.
struct Parser<'a> {
    text: &'a str,
    top: Vec<Node>,
    stack: Vec<Frame>,
    unread: Vec<Unread>,
}

/// Reads a text into a tree.
///
/// # Errors
/// Brackets that nest deeper than [`MAX_DEPTH`].
pub fn parse(text: &str) -> Result<Tree, PromptError> {
    let mut parser = Parser { text, top: Vec::new(), stack: Vec::new(), unread: Vec::new() };
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at = parser.escape(at),
            b'(' | b'[' => {
                parser.stack.push(Frame {
                    open: at,
                    parts: vec![Vec::new()],
                    separators: Vec::new(),
                });
                at += 1;
            }
            b')' | b']' => {
                parser.close(at)?;
                at += 1;
            }
            byte @ (b':' | b'|') => {
                parser.separator(byte, at);
                at += 1;
            }
            _ => {
                let special = ['\\', '(', ')', '[', ']', ':', '|'];
                let end = text[at..].find(special).map_or(text.len(), |length| at + length);
                parser.push(Node::Text(at..end));
                at = end;
            }
        }
    }
    parser.give_up();
    parser.unread.sort_by_key(Unread::at);
    Ok(Tree { text: text.to_owned(), nodes: parser.top, unread: parser.unread })
}

impl Parser<'_> {
    /// Adds a node to the innermost open bracket, joining texts.
    fn push(&mut self, node: Node) {
        let list = match self.stack.last_mut() {
            Some(Frame { parts, .. }) => match parts.last_mut() {
                Some(list) => list,
                None => return,
            },
            None => &mut self.top,
        };
        join(list, node);
    }

    /// Reads a backslash and what it protects.
    fn escape(&mut self, at: usize) -> usize {
        let protected = self.text[at + 1..].chars().next().filter(|&c| c != '\n');
        if protected.is_none() {
            self.unread.push(Unread::Backslash(at));
        }
        let end = at + 1 + protected.map_or(0, char::len_utf8);
        self.push(Node::Text(at..end));
        end
    }

    fn separator(&mut self, byte: u8, at: usize) {
        if let Some(frame) = self.stack.last_mut() {
            frame.separators.push((byte, at));
            frame.parts.push(Vec::new());
        } else {
            if byte == b'|' {
                self.unread.push(Unread::Bar(at));
            }
            self.push(Node::Text(at..at + 1));
        }
    }

    fn close(&mut self, at: usize) -> Result<(), PromptError> {
        match self.stack.pop() {
            Some(frame) => match self.form(frame, at) {
                Ok(node) => {
                    if depth(&node) > MAX_DEPTH {
                        let message = format!("brackets nest deeper than {MAX_DEPTH}");
                        return Err(PromptError::new(message, self.text, at..at + 1));
                    }
                    self.push(node);
                }
                Err(frame) => {
                    self.stack.push(frame);
                    self.give_up();
                    self.push(Node::Text(at..at + 1));
                }
            },
            None => self.push(Node::Text(at..at + 1)),
        }
        Ok(())
    }

    /// The node that a bracket closed at `at` makes, or the frame again if it fits no form.
    fn form(&self, mut frame: Frame, at: usize) -> Result<Node, Frame> {
        let bytes = self.text.as_bytes();
        let span = frame.open..at + 1;
        let separators: Vec<u8> = frame.separators.iter().map(|(byte, _)| *byte).collect();
        match (bytes[frame.open], bytes[at], separators.as_slice()) {
            (b'(', b')', [] | [b':']) | (b'[', b']', []) => {
                Ok(Node::Group { span, parts: frame.parts })
            }
            (b'[', b']', [b':'] | [b':', b':']) => {
                let Some(when) = frame.separators.last().and_then(|(_, s)| self.number(s + 1..at))
                else {
                    return Err(frame);
                };
                frame.parts.pop();
                let to = frame.parts.pop().unwrap_or_default();
                Ok(Node::Scheduled { span, from: frame.parts.pop(), to, when })
            }
            (b'[', b']', bars) if bars.iter().all(|&bar| bar == b'|') => {
                Ok(Node::Alternate { span, options: frame.parts })
            }
            _ => Err(frame),
        }
    }

    /// The place of a signed number with an optional exponent, if the span holds nothing else.
    fn number(&self, span: Range<usize>) -> Option<Range<usize>> {
        let text = &self.text[span.clone()];
        let given = strip(text);
        if !is_number(given) {
            return None;
        }
        let start = span.end - text.trim_start_matches(is_space).len();
        Some(start..start + given.len())
    }

    /// Turns all open brackets into text of the outermost level.
    fn give_up(&mut self) {
        for frame in std::mem::take(&mut self.stack) {
            join(&mut self.top, Node::Text(frame.open..frame.open + 1));
            let mut separators = frame.separators.into_iter();
            for part in frame.parts {
                for node in part {
                    join(&mut self.top, node);
                }
                if let Some((byte, at)) = separators.next() {
                    if byte == b'|' {
                        self.unread.push(Unread::Bar(at));
                    }
                    join(&mut self.top, Node::Text(at..at + 1));
                }
            }
        }
    }
}

/// Adds a node, joining it to a text before it if it is a text.
fn join(list: &mut Vec<Node>, node: Node) {
    if let (Some(Node::Text(last)), Node::Text(next)) = (list.last_mut(), &node)
        && last.end == next.start
    {
        last.end = next.end;
        return;
    }
    if !node.span().is_empty() {
        list.push(node);
    }
}

/// How deep a node nests; as each node was checked when it was made, this stays shallow.
fn depth(node: &Node) -> usize {
    1 + node.children().flatten().map(depth).max().unwrap_or(0)
}

/// `[+-] digits [. digits] [e [+-] digits]`, with digits on at least one side of the point.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && unsigned.parse::<f64>().is_ok()
}
