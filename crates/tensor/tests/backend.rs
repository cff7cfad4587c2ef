//! What every backend promises, and that the profile and the memory estimate work from the one
//! description of each operation.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail")]
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use wayword_tensor::ops::{self, Heads, Op};
use wayword_tensor::{
    Backend, CpuOptions, Data, Device, DeviceInfo, DeviceMemory, DeviceOptions, Error, Grid,
    HostWeight, Indices, Layout, LossKind, Memory, MemoryUse, OpTotal, Outputs, Precision, Result,
    Shape, Stride, Tape, Tensor, Values, Weight, cpu, devices, find_device, profiling,
};

fn weight(device: &Device, shape: &[usize], layout: Layout) -> Weight {
    let values = vec![0.25; shape.iter().product()];
    let bias = vec![0.5; shape[0]];
    let bias = (layout != Layout::Table).then_some(Values::F32(&bias));
    Weight::prepare(device, &HostWeight { shape, values: Values::F32(&values), bias }, layout)
        .unwrap()
}

fn tensor(device: &Device, shape: Shape) -> Tensor {
    let values: Vec<f32> = (0..shape.elements()).map(|i| (i % 7) as f32 - 3.0).collect();
    Tensor::from_host(device, shape, &values).unwrap()
}

/// Every operation, forward and backward, on pictures of `grid` with a multiple of 4 channels.
fn every_operation(device: &Device, grid: Grid, channels: usize) {
    let shape = Shape::new(2, grid.tokens(), channels);
    let square = weight(device, &[channels, channels], Layout::Linear);
    let conv = weight(device, &[channels + 1, channels, 3, 3], Layout::Conv3x3);
    let norm = weight(device, &[channels], Layout::Norm);
    let table = weight(device, &[9, channels], Layout::Table);
    // Forward and backward of x and another tensor, and of a narrow result instead of x.
    let both = |f: &dyn Fn(&Tensor, &Tensor) -> Tensor| {
        for narrow in [false, true] {
            let tape = Tape::new(Memory::Keep);
            let [x, other] = [(); 2].map(|()| tape.watch(&tensor(device, shape)));
            let x = if narrow { ops::linear(&x, &square) } else { x };
            let y = f(&x, &other);
            let _ = tape.backward(&y, &y.detach());
        }
    };
    both(&|x, _| ops::linear(x, &square));
    both(&|x, other| ops::linear_add(x, &square, other));
    for stride in [Stride::One, Stride::Two, Stride::TwoPadEnd] {
        both(&|x, _| {
            let y = ops::conv3x3(x, grid, stride, &conv, None);
            ops::conv3x3(x, grid, stride, &conv, Some(&y))
        });
    }
    for silu in [false, true] {
        both(&|x, _| ops::group_norm(x, 4, 1e-5, &norm, silu));
    }
    both(&|x, _| ops::layer_norm(x, 1e-5, &norm));
    for causal in [false, true] {
        let heads = Heads { count: 2, causal };
        both(&|x, other| ops::attention(x, other, x, heads));
        both(&|x, other| ops::attention(&x.detach(), other, &other.detach(), heads));
    }
    both(&|x, _| ops::geglu(x));
    let wide = weight(device, &[64, channels], Layout::Linear);
    both(&|x, _| ops::linear_geglu(x, &wide));
    // One operation only where nothing is recorded.
    let _ = ops::linear_geglu(&tensor(device, shape), &wide);
    both(&|x, _| ops::quick_gelu(&ops::silu(x)));
    both(&|x, other| ops::scale(&ops::add(x, other), 0.5));
    let one = tensor(device, Shape::new(2, 1, channels));
    both(&|x, _| ops::add_channels(x, &one));
    let first = Indices::from_host(device, &[0, grid.tokens() as u32]).unwrap();
    both(&|x, other| ops::add_channels(x, &ops::gather(other, &first, 2)));
    both(&|x, other| ops::concat(x, other));
    both(&|x, other| {
        let (a, b) = ops::split(&other.detach(), [1, channels - 1]);
        ops::add(x, &ops::concat(&a, &b))
    });
    both(&|x, _| ops::resize(x, grid, Grid::new(2 * grid.height, grid.width + 1)));
    let ids = Indices::from_host(device, &[3, 1, 1, 0]).unwrap();
    let _ = ops::lookup(&table, None, &ids, 2);
    let extra = tensor(device, Shape::new(1, 2, channels));
    let ids = Indices::from_host(device, &[10, 1, 9, 0]).unwrap();
    let _ = ops::lookup(&table, Some(&extra), &ids, 2);
    let weights = tensor(device, shape.with_channels(1));
    let robust = [LossKind::Huber(vec![0.1; 2]), LossKind::SmoothL1(vec![0.1; 2])];
    for kind in [LossKind::L2, LossKind::L1].iter().chain(&robust) {
        both(&|x, other| ops::loss(x, other, &weights, kind));
    }
}

/// Without times.
fn counts(all: BTreeMap<&'static str, OpTotal>) -> BTreeMap<&'static str, [u64; 3]> {
    all.into_iter().map(|(name, t)| (name, [t.calls, t.flops, t.bytes])).collect()
}

#[test]
fn every_operation_is_described_as_it_runs() {
    let all: BTreeSet<&str> = Op::NAMES.iter().copied().collect();
    assert_eq!(all.len(), Op::NAMES.len(), "names are unique");
    for precision in [Precision::F32, Precision::Bf16] {
        for (grid, channels) in [(Grid::new(3, 2), 4), (Grid::new(9, 8), 8), (Grid::new(9, 8), 36)]
        {
            let real = cpu(CpuOptions { threads: Some(2), precision, level: None });
            let estimator = real.memory_estimator();
            assert_eq!(estimator.precision(), real.precision());
            let [(real, on_real), (estimator, on_estimator)] = [&real, &estimator].map(profiling);
            every_operation(&real, grid, channels);
            every_operation(&estimator, grid, channels);
            let [real_counts, counted] = [on_real, on_estimator].map(|p| counts(p.take()));
            let ran: BTreeSet<&str> = real_counts.keys().copied().collect();
            let not_run: Vec<_> = all.difference(&ran).collect();
            assert!(not_run.is_empty(), "operations that this test does not run: {not_run:?}");
            assert_eq!(real_counts, counted, "{precision:?} {grid:?} {channels}");
            assert_eq!(real.memory(), estimator.memory());
            assert!(real.memory().peak > 0 && real.memory().held == 0);
        }
    }
}

#[test]
fn arithmetic_is_counted_by_the_description() {
    let (device, profile) = profiling(&cpu(CpuOptions::default()));
    let x = tensor(&device, Shape::new(2, 6, 4));
    let y = ops::linear(&x, &weight(&device, &[5, 4], Layout::Linear));
    let grid = Grid::new(3, 2);
    let conv = weight(&device, &[3, 4, 3, 3], Layout::Conv3x3);
    let _ = ops::conv3x3(&x, grid, Stride::Two, &conv, None);
    let _ = ops::attention(&x, &x, &x, Heads { count: 2, causal: false });
    let spent = profile.take();
    assert_eq!(y.shape(), Shape::new(2, 6, 5));
    assert_eq!(spent["linear"].flops, 2 * 12 * 4 * 5);
    assert_eq!(spent["conv3x3"].flops, 2 * 9 * (2 * 2) * 4 * 3);
    // Two products of 6 x 6 for each sample and channel.
    assert_eq!(spent["attention"].flops, 2 * 2 * (2 * 6 * 6 * 4));
}

#[test]
fn several_tensors_are_read_with_one_wait() {
    let (device, profile) = profiling(&cpu(CpuOptions::default()));
    let (a, b) = (tensor(&device, Shape::SCALAR), tensor(&device, Shape::new(1, 2, 3)));
    let values = Tensor::to_host_many(&[&a, &b]).unwrap();
    assert_eq!(values, [vec![-3.0], vec![-3.0, -2.0, -1.0, 0.0, 1.0, 2.0]]);
    assert_eq!(profile.take_reads(), [vec![1, 6]]);
    assert_eq!(b.to_host().unwrap(), values[1]);
    assert_eq!(Tensor::to_host_many(&[]).unwrap(), Vec::<Vec<f32>>::new());
}

#[test]
fn devices_are_found_and_opened_by_name() {
    let all = devices();
    let found = find_device(&all, "CPU").unwrap();
    assert_eq!(found.id, "cpu");
    assert_eq!(found.precisions.last(), Some(&Precision::best()));
    for precision in found.precisions.iter().copied().map(Some).chain([None]) {
        let device = found.open(DeviceOptions { precision, threads: Some(1) }).unwrap();
        assert_eq!(device.precision(), precision.unwrap_or(Precision::best()));
        assert!(device.name().starts_with(&found.name) && device.name().ends_with("1 threads"));
    }
}

#[test]
fn an_unknown_device_is_refused_with_the_names_that_there_are() {
    let open = |_: DeviceOptions| Ok(cpu(CpuOptions::default()));
    let mut all = devices();
    let error = find_device(&all, "gpu").unwrap_err().to_string();
    assert_eq!(error, "unknown device `gpu`, expected cpu");
    all.push(DeviceInfo::new("gpu0", "a card", None, &[Precision::F32], open));
    assert_eq!(find_device(&all, "gpu0").unwrap().name, "a card");
    let error = find_device(&all, "gpu").unwrap_err().to_string();
    assert_eq!(error, "unknown device `gpu`, expected cpu or gpu0");
}

#[test]
fn the_processor_tells_its_memory() {
    let device = cpu(CpuOptions::default());
    if let Some(DeviceMemory { total, free }) = device.device_memory() {
        assert!(0 < free && free <= total, "{free} of {total}");
    }
    // A device that holds nothing has nothing to tell.
    assert_eq!(device.memory_estimator().device_memory(), None);
}

/// A processor that fails: uploads of more than `room` values at once, and the operation `at`.
#[derive(Debug)]
struct Failing {
    cpu: Device,
    room: usize,
    at: usize,
    calls: AtomicUsize,
    flushes: AtomicUsize,
}

impl Failing {
    fn new(room: usize, at: usize) -> Arc<Self> {
        let (calls, flushes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { cpu: cpu(CpuOptions::default()), room, at, calls, flushes })
    }

    fn check(&self, fails: bool, reason: &str) -> Result<()> {
        if fails {
            return Err(Error::Device { device: self.name(), reason: reason.into() });
        }
        Ok(())
    }
}

impl Backend for Failing {
    fn name(&self) -> String {
        "a device that fails".into()
    }

    fn precision(&self) -> Precision {
        self.cpu.precision()
    }

    fn exact(&self) -> Device {
        self.cpu.exact()
    }

    fn memory(&self) -> MemoryUse {
        self.cpu.memory()
    }

    fn device_memory(&self) -> Option<DeviceMemory> {
        self.cpu.device_memory()
    }

    fn memory_estimator(&self) -> Device {
        self.cpu.memory_estimator()
    }

    fn upload(&self, values: &[f32]) -> Result<Data> {
        self.check(values.len() > self.room, "out of memory")?;
        self.cpu.upload(values)
    }

    fn upload_indices(&self, indices: &[u32]) -> Result<Data> {
        self.check(indices.len() > self.room, "out of memory")?;
        self.cpu.upload_indices(indices)
    }

    fn download(&self, data: &[&Data]) -> Result<Vec<Vec<f32>>> {
        self.check(self.calls.load(Relaxed) > self.at, "lost")?;
        self.cpu.download(data)
    }

    fn prepare(&self, weight: &HostWeight<'_>, layout: Layout) -> Result<Data> {
        self.check(weight.values.len() > self.room, "out of memory")?;
        self.cpu.prepare(weight, layout)
    }

    fn run(&self, op: &Op<'_>) -> Outputs {
        self.calls.fetch_add(1, Relaxed);
        self.cpu.run(op)
    }

    fn flush(&self) {
        self.flushes.fetch_add(1, Relaxed);
    }
}

#[test]
fn failures_of_uploads_are_errors() {
    let device: Device = Failing::new(4, 100);
    let text = |error: Error| error.to_string();
    let said = "a device that fails: out of memory";
    assert!(Tensor::from_host(&device, Shape::new(1, 1, 4), &[0.0; 4]).is_ok());
    let many = Tensor::from_host(&device, Shape::new(1, 1, 5), &[0.0; 5]);
    assert_eq!(text(many.unwrap_err()), said);
    assert_eq!(text(Indices::from_host(&device, &[0; 5]).unwrap_err()), said);
    let values = Values::F32(&[0.0; 6]);
    let large = HostWeight { shape: &[2, 3], values, bias: None };
    assert_eq!(text(Weight::prepare(&device, &large, Layout::Linear).unwrap_err()), said);
}

#[test]
fn failures_of_work_are_reported_by_the_next_download() {
    for (at, fails) in [(0, true), (3, true), (4, false)] {
        let failing = Failing::new(100, at);
        let (device, _) = profiling(&(failing.clone() as Device));
        let tape = Tape::new(Memory::Keep);
        let x = tape.watch(&tensor(&device, Shape::new(1, 2, 4)));
        // Two calls forward and two backward; nothing panics before values are read.
        let y = ops::scale(&ops::silu(&x), 2.0);
        let gradients = tape.backward(&y, &y.detach());
        let read = Tensor::to_host_many(&[&y, gradients.of(&x).unwrap()]);
        assert_eq!(failing.calls.load(Relaxed), 4);
        assert_eq!(read.is_err(), fails, "the call {at} fails");
        if let Err(error) = read {
            assert_eq!(error.to_string(), "a device that fails: lost");
        }
    }
}

#[test]
fn backward_tells_the_device_that_the_forward_pass_is_complete() {
    let failing = Failing::new(100, 100);
    let (device, _) = profiling(&(failing.clone() as Device));
    let tape = Tape::new(Memory::Keep);
    let x = tape.watch(&tensor(&device, Shape::SCALAR));
    assert_eq!(failing.flushes.load(Relaxed), 0);
    let _ = tape.backward(&x, &x);
    assert_eq!(failing.flushes.load(Relaxed), 1);
}
