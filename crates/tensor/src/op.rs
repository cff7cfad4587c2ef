//! One description of an operation, from which every backend works.
//!
//! An [`Op`](crate::ops::Op) is one call: its operands with their shapes, its weight and its
//! numbers, as a struct in the operation's own file of [`crate::ops`]. [`Operation::describe`] says
//! what the call reads, what it results in and how much arithmetic it is. The processor takes its
//! buffers by that, the memory estimator counts by it, the profiler notes by it; only the device's
//! own call to a kernel needs the operation itself.
use crate::ops::Op;
use crate::{Data, Device, Shape, Tensor, Weight};

/// The most results of one operation.
pub const MAX_RESULTS: usize = 3;
/// The most tensors that one operation reads.
pub const MAX_OPERANDS: usize = 6;

/// What a device gives for a call, in the order of [`Description::results`], `None` where there is
/// no result.
pub type Outputs = [Option<Data>; MAX_RESULTS];

/// How a device may keep a result's values.
#[derive(Debug, Clone, Copy)]
pub enum ResultKind<'a> {
    /// In f32.
    Full,
    /// Only products and norms read it, whose own rounding is as coarse: a device whose products
    /// are of 16 bits may keep 16 bits.
    Narrow,
    /// As this operand is kept.
    Like(&'a Tensor),
}

/// One result of a call.
#[derive(Debug, Clone, Copy)]
pub struct ResultSpec<'a> {
    /// Its shape.
    pub shape: Shape,
    /// How it may be kept.
    pub kind: ResultKind<'a>,
}

/// What a call reads, what it results in, and how much arithmetic it is.
#[derive(Debug, Clone, Copy)]
pub struct Description<'a> {
    /// The device of the operands, which runs the call.
    pub device: &'a Device,
    /// The tensors that are read.
    pub operands: [Option<&'a Tensor>; MAX_OPERANDS],
    /// The weight that is read.
    pub weight: Option<&'a Weight>,
    /// The results.
    pub results: [Option<ResultSpec<'a>>; MAX_RESULTS],
    /// Multiplications and additions of products; the rest is not counted.
    pub flops: u64,
}

/// Something that devices can do.
pub trait Operation<'a> {
    /// Name for people, unique.
    const NAME: &'static str;
    /// What this call of it is.
    fn describe(&self) -> Description<'a>;
}

impl<'a> Description<'a> {
    /// A call on a device that reads no tensor yet.
    #[must_use]
    pub const fn on(device: &'a Device) -> Self {
        Self { device, operands: [None; 6], weight: None, results: [None; 3], flops: 0 }
    }

    /// A call that reads these tensors, of which there is at least one.
    #[must_use]
    pub fn reads(operands: &[&'a Tensor]) -> Self {
        operands.iter().fold(Self::on(operands[0].device()), |all, operand| all.and(Some(*operand)))
    }

    /// One more tensor, if there is one.
    #[must_use]
    pub fn and(mut self, operand: Option<&'a Tensor>) -> Self {
        let free = self.operands.iter_mut().find(|place| place.is_none());
        *free.expect("an operation has at most MAX_OPERANDS operands") = operand;
        self
    }

    /// A weight.
    #[must_use]
    pub const fn weight(mut self, weight: &'a Weight) -> Self {
        self.weight = Some(weight);
        self
    }

    /// The result at this place.
    #[must_use]
    pub const fn result(mut self, place: usize, shape: Shape, kind: ResultKind<'a>) -> Self {
        self.results[place] = Some(ResultSpec { shape, kind });
        self
    }

    /// One result in f32.
    #[must_use]
    pub const fn full(self, shape: Shape) -> Self {
        self.result(0, shape, ResultKind::Full)
    }

    /// One result that only products and norms read.
    #[must_use]
    pub const fn narrow(self, shape: Shape) -> Self {
        self.result(0, shape, ResultKind::Narrow)
    }

    /// One result that is kept as `operand` is.
    #[must_use]
    pub const fn like(self, shape: Shape, operand: &'a Tensor) -> Self {
        self.result(0, shape, ResultKind::Like(operand))
    }

    /// The arithmetic of its products.
    #[must_use]
    pub const fn flops(mut self, flops: usize) -> Self {
        self.flops = flops as u64;
        self
    }
}

/// Calls an operation; its results as tensors that nothing tracks.
pub(crate) fn run_all<'a>(op: impl Into<Op<'a>>) -> [Option<Tensor>; MAX_RESULTS] {
    let op = op.into();
    let Description { device, results, .. } = op.describe();
    let mut data = device.run(&op);
    std::array::from_fn(|i| Some(Tensor::new(device, results[i]?.shape, data[i].take()?)))
}

/// Calls an operation that has one result.
pub(crate) fn run<'a>(op: impl Into<Op<'a>>) -> Tensor {
    let [result, ..] = run_all(op);
    result.expect("a device gives the results that an operation describes")
}
