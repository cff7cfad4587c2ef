//! The tape: remembers which backward to call with what.
//!
//! A tensor that a tape watches carries its place on that tape. An operation computes its result,
//! and [`record`] looks whether one of its inputs is tracked. If none is, that was all. Otherwise
//! the result gets a place of its own, and the tape keeps a closure that turns the gradient of
//! the result into gradients of the inputs. [`Tape::backward`] walks the places from last to
//! first, adds up the gradients that meet at one place, and drops each closure, and with it the
//! activations it holds, as soon as it has run.
//!
//! Weights are frozen, so closures compute gradients of inputs only. Below the first watched
//! tensor nothing is recorded and nothing is computed.
use crate::{Tensor, ops};
use std::sync::{Arc, Mutex, PoisonError};

/// What a tape keeps between forward and backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Memory {
    /// Every activation that a backward needs: fastest.
    #[default]
    Keep,
    /// Only the inputs of each [`block`], which runs a second time in backward.
    Recompute,
}

/// For each input of an operation, whether its gradient is wanted.
#[derive(Debug, Clone)]
pub struct Needs(Vec<bool>);

impl Needs {
    /// Whether the gradient of input `i` is wanted.
    #[must_use]
    pub fn input(&self, i: usize) -> bool {
        self.0[i]
    }
}

type Backward = Box<dyn FnOnce(&Tensor, &Needs) -> Vec<Option<Tensor>> + Send>;

struct Node {
    parents: Vec<Option<usize>>,
    /// `None` for a watched tensor.
    backward: Option<Backward>,
}

/// A tensor's place on a tape.
#[derive(Debug, Clone)]
pub(crate) struct Track {
    pub(crate) tape: Tape,
    pub(crate) node: usize,
}

/// The record of a forward computation. Cheap to clone; clones share the record.
#[derive(Clone)]
pub struct Tape {
    nodes: Arc<Mutex<Vec<Node>>>,
    memory: Memory,
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tape({} nodes, {:?})", self.len(), self.memory)
    }
}

impl Tape {
    /// An empty tape.
    #[must_use]
    pub fn new(memory: Memory) -> Self {
        Self { nodes: Arc::default(), memory }
    }

    /// The same values as a tensor whose gradient [`Tape::backward`] will give.
    #[must_use]
    pub fn watch(&self, tensor: &Tensor) -> Tensor {
        let node = self.push(Node { parents: Vec::new(), backward: None });
        tensor.detach().tracked(self, node)
    }

    /// Number of places.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gradients of the watched tensors for the gradient `seed` of `output` (same shape).
    /// Empties the tape.
    ///
    /// # Panics
    /// If the shapes differ: a bug of the caller.
    #[must_use]
    pub fn backward(&self, output: &Tensor, seed: &Tensor) -> Gradients {
        assert_eq!(output.shape(), seed.shape(), "seed of a gradient has its tensor's shape");
        // The forward pass is complete: a device that collects calls may start it.
        output.device().flush();
        let mut nodes = std::mem::take(&mut *self.lock());
        let mut grads: Vec<Option<Tensor>> = vec![None; nodes.len()];
        if let Some(track) = output.track() {
            grads[track.node] = Some(seed.detach());
        }
        for i in (0..nodes.len()).rev() {
            let Some(backward) = nodes[i].backward.take() else { continue };
            // Taking the gradient frees it after use; watched tensors keep theirs.
            let Some(grad) = grads[i].take() else { continue };
            let needs = Needs(nodes[i].parents.iter().map(Option::is_some).collect());
            let inputs = backward(&grad, &needs);
            for (parent, gradient) in nodes[i].parents.iter().zip(inputs) {
                if let (Some(parent), Some(gradient)) = (*parent, gradient) {
                    grads[parent] = Some(match grads[parent].take() {
                        Some(sum) => ops::add(&sum, &gradient),
                        None => gradient,
                    });
                }
            }
        }
        Gradients(grads)
    }

    fn push(&self, node: Node) -> usize {
        let mut nodes = self.lock();
        nodes.push(node);
        nodes.len() - 1
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gradients of the tensors that a tape watched.
#[derive(Debug)]
pub struct Gradients(Vec<Option<Tensor>>);

impl Gradients {
    /// The gradient of a watched tensor; `None` if the output does not depend on it.
    #[must_use]
    pub fn of(&self, watched: &Tensor) -> Option<&Tensor> {
        self.0.get(watched.track()?.node)?.as_ref()
    }
}

/// Gives an operation's result its place, if one of its inputs has one.
///
/// `backward` gets the gradient of the result and returns one gradient per input, in order;
/// `None` where it is not needed.
pub(crate) fn record(
    inputs: &[&Tensor],
    output: Tensor,
    backward: impl FnOnce(&Tensor, &Needs) -> Vec<Option<Tensor>> + Send + 'static,
) -> Tensor {
    let Some(tape) = inputs.iter().find_map(|t| t.track()).map(|t| t.tape.clone()) else {
        return output;
    };
    let parents = inputs.iter().map(|t| t.track().map(|t| t.node)).collect();
    let node = tape.push(Node { parents, backward: Some(Box::new(backward)) });
    output.tracked(&tape, node)
}

/// Runs `forward` as one unit with a tape of its own, so that the gradients that meet in it are
/// added up before they leave it: the sums have one order whatever is kept. On a tape that
/// recomputes, only the inputs are kept, and `forward` runs again when the gradient arrives.
pub fn block(inputs: &[&Tensor], forward: impl Fn(&[Tensor]) -> Tensor + Send + 'static) -> Tensor {
    let kept: Vec<Tensor> = inputs.iter().map(|t| t.detach()).collect();
    let Some(memory) = inputs.iter().find_map(|t| t.track()).map(|t| t.tape.memory) else {
        return forward(&kept);
    };
    if memory == Memory::Keep {
        let needs = Needs(inputs.iter().map(|t| t.track().is_some()).collect());
        let run = BlockRun::new(&kept, &needs, &forward);
        let output = run.output.detach();
        return record(inputs, output, move |grad, _| run.backward(grad));
    }
    let output = forward(&kept);
    record(inputs, output, move |grad, needs| BlockRun::new(&kept, needs, &forward).backward(grad))
}

/// A block that was run on its own tape.
struct BlockRun {
    tape: Tape,
    inputs: Vec<Tensor>,
    output: Tensor,
}

impl BlockRun {
    fn new(inputs: &[Tensor], needs: &Needs, forward: impl Fn(&[Tensor]) -> Tensor) -> Self {
        let tape = Tape::new(Memory::Keep);
        let watch =
            |(i, t): (usize, &Tensor)| if needs.input(i) { tape.watch(t) } else { t.clone() };
        let inputs: Vec<Tensor> = inputs.iter().enumerate().map(watch).collect();
        let output = forward(&inputs);
        Self { tape, inputs, output }
    }

    fn backward(self, grad: &Tensor) -> Vec<Option<Tensor>> {
        let grads = self.tape.backward(&self.output, grad);
        self.inputs.iter().map(|t| grads.of(t).cloned()).collect()
    }
}
