//! The tape: what it records, recomputation, and results that depend on nothing but the inputs.
use super::check::{device, devices, numbers, weight};
use wayword_tensor::{
    Device, Grid, Layout, Level, Memory, MemoryUse, Precision, Shape, Stride, Tape, Tensor, Weight,
    block, ops,
};

/// Caps nothing.
const BEST: Level = Level::ALL[Level::ALL.len() - 1];

struct Net {
    conv: Weight,
    norm: Weight,
    project: Weight,
}

const GRID: Grid = Grid::new(6, 5);
const SHAPE: Shape = Shape::new(2, 30, 8);

impl Net {
    fn new(device: &Device) -> Self {
        let conv =
            weight(device, &[8, 8, 3, 3], &numbers(1, 576), Some(&numbers(2, 8)), Layout::Conv3x3);
        let norm = weight(device, &[8], &numbers(3, 8), Some(&numbers(4, 8)), Layout::Norm);
        let project = weight(device, &[8, 8], &numbers(5, 64), None, Layout::Linear);
        Self { conv, norm, project }
    }

    fn forward(&self, x: &Tensor, context: &Tensor) -> Tensor {
        let h = ops::group_norm(x, 2, 1e-5, &self.norm, true);
        let h = ops::conv3x3(&h, GRID, Stride::One, &self.conv, Some(x));
        let q = ops::linear(&h, &self.project);
        let a = ops::attention(&q, context, context, ops::Heads { count: 2, causal: false });
        ops::linear_add(&a, &self.project, &h)
    }
}

fn run(device: &Device, memory: Memory) -> Vec<Vec<f32>> {
    let net = std::sync::Arc::new(Net::new(device));
    let x = Tensor::from_host(device, SHAPE, &numbers(6, SHAPE.elements())).unwrap();
    let context = Tensor::from_host(device, Shape::new(2, 4, 8), &numbers(7, 64)).unwrap();
    let tape = Tape::new(memory);
    let (x, context) = (tape.watch(&x), tape.watch(&context));
    let mut h = x.clone();
    for _ in 0..2 {
        let net = net.clone();
        h = block(&[&h, &context], move |t| net.forward(&t[0], &t[1]));
    }
    let gradients = tape.backward(&h, &h.detach());
    [&h, gradients.of(&x).unwrap(), gradients.of(&context).unwrap()]
        .map(|t| t.to_host().unwrap())
        .to_vec()
}

#[test]
fn recomputing_blocks_gives_the_same_gradients() {
    for (device, _) in devices() {
        let [keep, again] = [Memory::Keep, Memory::Recompute].map(|m| run(&device, m));
        assert!(keep == again, "not the same bits on {}", device.name());
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for precision in [Precision::F32, Precision::Bf16] {
        let one = run(&device(BEST, precision, 1), Memory::Keep);
        for threads in [2, 3, 4, 8, 16, 32] {
            let more = run(&device(BEST, precision, threads), Memory::Keep);
            assert!(one == more, "{threads} threads give other bits");
        }
    }
}

#[test]
fn nothing_is_recorded_over_inputs_that_nobody_watches() {
    let device = device(BEST, Precision::F32, 1);
    let net = Net::new(&device);
    let x = Tensor::from_host(&device, SHAPE, &numbers(6, SHAPE.elements())).unwrap();
    let context = Tensor::from_host(&device, Shape::new(2, 4, 8), &numbers(7, 64)).unwrap();
    let tape = Tape::new(Memory::Keep);
    let watched = tape.watch(&context);
    assert_eq!(tape.len(), 1);
    let _ = net.forward(&x, &context);
    assert_eq!(tape.len(), 1);
    let y = net.forward(&x, &watched);
    // Attention and the projection after it; norm, convolution and the query were not.
    assert_eq!(tape.len(), 3);
    let gradients = tape.backward(&y, &y.detach());
    assert!(gradients.of(&watched).is_some());
    assert!(tape.is_empty());
}

#[test]
fn memory_is_counted_and_given_back() {
    let device = device(BEST, Precision::F32, 1);
    assert_eq!(device.memory(), MemoryUse { held: 0, peak: 0 });
    let x = Tensor::from_host(&device, SHAPE, &numbers(6, SHAPE.elements())).unwrap();
    let held = device.memory().held;
    assert!(held >= 4 * SHAPE.elements());
    let y = ops::add(&x, &x);
    drop(x);
    assert_eq!(device.memory(), MemoryUse { held, peak: 2 * held });
    drop(y);
    assert_eq!(device.memory(), MemoryUse { held: 0, peak: 2 * held });
}
