//! By chance: draws from the seeded generator in the peer's order.
use super::{Choices, Context, Gen, Text, Variant, World, join, wrapper_sides};
use crate::Quirks;
use crate::error::PromptError;
use crate::wildcards::command::Command;
use crate::wildcards::store::Value;
use std::rc::Rc;

/// How many weighted values the peer draws at once.
const AHEAD: usize = 10;

/// `{a|b}`.
pub(super) struct Choice {
    variant: Variant,
    context: Context,
    /// The only option, once it is known to be one.
    only: Option<Gen>,
    started: bool,
}

impl Choice {
    pub(super) fn new(variant: Variant, context: Context) -> Self {
        Self { variant, context, only: None, started: false }
    }
}

impl Choices for Choice {
    fn next(&mut self, world: &mut World) -> Text {
        if !self.started {
            self.started = true;
            self.variant = world.resolve(&self.variant, &self.context)?;
            if let [(only, _)] = self.variant.options.as_slice() {
                self.only = Some(world.source(only, &self.context)?);
            }
        }
        if let Some(only) = &mut self.only {
            return world.next(only);
        }
        if self.variant.options.is_empty() {
            return Ok(None);
        }
        let (least, most) = self.variant.bounds();
        let count = world.random.between(least, most).min(most);
        let chosen = choose(&self.variant, count, world)?;
        let mut texts = Vec::new();
        let mut sources = Vec::new();
        for command in &chosen {
            sources.push(world.source(command, &self.context)?);
        }
        for source in &mut sources {
            texts.push(world.must(source)?);
        }
        Ok(Some(join(texts, &self.variant.separator)))
    }
}

/// Draws options by weight, each once. Equal options count as one another, and so do equal weights,
/// which is the peer's way and shifts the weights of what is left.
fn choose(
    variant: &Variant,
    count: i64,
    world: &mut World,
) -> Result<Vec<Rc<Command>>, PromptError> {
    let mut values = variant.values();
    let mut weights: Vec<f64> = variant.options.iter().map(|(_, weight)| *weight).collect();
    let mut chosen = Vec::new();
    for _ in 0..count {
        let Some(index) = world.random.weighted(weights.iter().copied()) else {
            let place = &variant.place;
            let message = "the weights of what is left add up to nothing";
            return Err(PromptError::new(message, &place.text, place.span.clone())
                .hint("give an option a weight above 0, or take fewer of them"));
        };
        let value = values[index].clone();
        let first = values.iter().position(|v| *v == value).unwrap_or(index);
        let weight = weights[first];
        #[expect(clippy::float_cmp, reason = "the peer looks for the same number")]
        let drop = match world.quirks {
            Quirks::A1111 => weights.iter().position(|w| *w == weight).unwrap_or(first),
            Quirks::Sane => first,
        };
        weights.remove(drop);
        values.remove(first);
        chosen.push(value);
    }
    Ok(chosen)
}

/// `__name__`.
pub(super) struct Wildcard {
    command: Rc<Command>,
    context: Context,
    state: Option<State>,
}

enum State {
    Unknown(Gen),
    Known {
        values: Rc<Vec<Value>>,
        varied: bool,
        /// Values drawn ahead, last first.
        ahead: Vec<usize>,
    },
}

impl Wildcard {
    pub(super) fn new(command: Rc<Command>, context: Context) -> Self {
        Self { command, context, state: None }
    }

    fn start(&mut self, world: &mut World) -> Result<State, PromptError> {
        let Command::Wildcard { path, variables, .. } = &*self.command else {
            return Err(world.error("no wildcard"));
        };
        let name = world.path(path, &self.context)?;
        self.context = self.context.with_given(variables);
        let values = world.values(&name);
        if values.is_empty() {
            return Ok(State::Unknown(world.unknown(&self.command, &name, &self.context)?));
        }
        #[expect(clippy::float_cmp, reason = "equal weights are the same number")]
        let varied = values.iter().any(|value| value.weight != values[0].weight);
        Ok(State::Known { values, varied, ahead: Vec::new() })
    }
}

impl Choices for Wildcard {
    fn next(&mut self, world: &mut World) -> Text {
        if self.state.is_none() {
            self.state = Some(self.start(world)?);
        }
        loop {
            let text = match &mut self.state {
                None => return Ok(None),
                Some(State::Unknown(source)) => return world.next(source),
                Some(State::Known { values, varied: false, .. }) => {
                    let count = values.len() as u64;
                    let index = usize::try_from(world.random.below_u64(count)).unwrap_or(0);
                    values[index].text.clone()
                }
                Some(State::Known { values, varied: true, ahead }) => {
                    if ahead.is_empty() || world.quirks == Quirks::Sane {
                        let weights = || values.iter().map(|value| value.weight);
                        let drawn: Option<Vec<usize>> =
                            (0..AHEAD).map(|_| world.random.weighted(weights())).collect();
                        let Some(drawn) = drawn else {
                            return Err(world.error("the weights of a wildcard add up to nothing"));
                        };
                        *ahead = drawn;
                        ahead.reverse();
                    }
                    let index = ahead.pop().unwrap_or(0);
                    values[index].text.clone()
                }
            };
            world.count()?;
            let mut source = world.template(&text, &self.context)?;
            if let Some(text) = world.next(&mut source)? {
                return Ok(Some(text));
            }
        }
    }
}

/// `%{a ... b$$c}`.
pub(super) struct Wrap {
    wrapper: Rc<Command>,
    inner: Rc<Command>,
    context: Context,
    sources: Option<(Gen, Gen)>,
}

impl Wrap {
    pub(super) fn new(wrapper: &Rc<Command>, inner: &Rc<Command>, context: Context) -> Self {
        Self { wrapper: wrapper.clone(), inner: inner.clone(), context, sources: None }
    }
}

impl Choices for Wrap {
    fn next(&mut self, world: &mut World) -> Text {
        if self.sources.is_none() {
            let wrapper = world.source(&self.wrapper, &self.context)?;
            self.sources = Some((wrapper, world.source(&self.inner, &self.context)?));
        }
        let Some((wrapper, inner)) = &mut self.sources else { return Ok(None) };
        let Some(around) = world.next(wrapper)? else { return Ok(None) };
        let Some(inside) = world.next(inner)? else { return Ok(None) };
        let (before, after) = wrapper_sides(&around);
        Ok(Some(format!("{before}{inside}{after}")))
    }
}
