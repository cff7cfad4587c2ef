//! Every optimizer's rows after every step against the peers' (golden `optim`).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and prints what ran"
)]
use serde_json::Value;
use std::sync::Arc;
use wayword_testing::{HostTensor, Report, Tensors, json, max_abs, topic};
use wayword_train::optim::{
    FrozenRows, Optimizer, OtherGradients, StateArray, StateData, Statistics,
};

struct Table {
    dim: usize,
    values: Vec<f32>,
}

impl FrozenRows for Table {
    fn rows(&self) -> usize {
        self.values.len() / self.dim
    }

    fn copy(&self, id: u32, out: &mut [f32]) {
        let at = id as usize * self.dim;
        out.copy_from_slice(&self.values[at..at + self.dim]);
    }
}

struct Traces {
    json: Value,
    tensors: Tensors,
    frozen: usize,
    rows: usize,
    dim: usize,
}

/// Every JSON of traces with the tensors beside it.
fn traces(report: &mut Report) -> Vec<Traces> {
    let Some(topic) = topic("optim") else { return Vec::new() };
    let mut found = Vec::new();
    for path in topic.files("json") {
        let json = json(&path);
        if !json["cases"][0]["optimizer_type"].is_string() {
            continue;
        }
        let path = path.with_extension("safetensors");
        if !path.exists() {
            report.skip("no file of tensors");
            continue;
        }
        let size = |key: &str| json[key].as_u64().unwrap() as usize;
        let (frozen, rows, dim) = (size("V"), size("N"), size("dim"));
        found.push(Traces { json, tensors: Tensors::read(&path), frozen, rows, dim });
    }
    found
}

/// What is left of each row after the columns that the golden file keeps.
fn columns(rows: &[f32], dim: usize, kept: usize) -> Vec<f32> {
    rows.chunks_exact(dim).flat_map(|r| r[..kept].to_vec()).collect()
}

impl Traces {
    fn optimizer(&self, case: &Value) -> Optimizer {
        let split = self.frozen * self.dim;
        let values = self.tensors.at("init").f32()[..split].to_vec();
        let table = Table { dim: self.dim, values };
        let args = case["optimizer_args"].as_array().unwrap();
        let args: Vec<String> = args.iter().map(|a| a.as_str().unwrap().into()).collect();
        Optimizer::new(
            case["optimizer_type"].as_str().unwrap(),
            &args,
            case["learning_rate"].as_f64().unwrap(),
            (self.rows, self.dim),
            Statistics::WholeTable(Arc::new(table)),
        )
        .unwrap_or_else(|e| panic!("{}: {e}", case["name"]))
    }

    /// Runs a case and hands every step's rows and state to `check`.
    fn run(&self, case: &Value, mut check: impl FnMut(usize, &[f32], &mut Optimizer)) {
        let (dim, split) = (self.dim, self.frozen * self.dim);
        let mut optimizer = self.optimizer(case);
        let grads = self.tensors.at("grads").f32();
        let mut rows = self.tensors.at("init").f32()[split..].to_vec();
        for (k, rate) in case["lr"].as_array().unwrap().iter().enumerate() {
            let table = split + self.rows * dim;
            let grad = &grads[k * table..(k + 1) * table];
            let frozen = grad[..split].chunks_exact(dim).enumerate();
            let others: OtherGradients = frozen
                .filter(|(_, row)| row.iter().any(|g| *g != 0.0))
                .map(|(id, row)| (id as u32, row.to_vec()))
                .collect();
            let rate = if optimizer.is_relative() {
                case["learning_rate"].as_f64().unwrap()
            } else {
                rate.as_f64().unwrap()
            };
            optimizer.step(&mut rows, &grad[split..], &others, rate);
            check(k, &rows, &mut optimizer);
        }
    }
}

fn cases(all: &[Traces]) -> impl Iterator<Item = (&Traces, &Value)> {
    all.iter().flat_map(|t| t.json["cases"].as_array().unwrap().iter().map(move |c| (t, c)))
}

fn is_eight_bit(case: &Value) -> bool {
    case["optimizer_type"].as_str().unwrap().to_lowercase().ends_with("8bit")
}

#[test]
fn golden_optim_rows() {
    let mut report = Report::new("golden_optim_rows");
    let all = traces(&mut report);
    if all.is_empty() {
        return;
    }
    for (traces, case) in cases(&all).filter(|(_, case)| !is_eight_bit(case)) {
        let name = case["name"].as_str().unwrap();
        let Some(expected) = traces.tensors.get(name) else {
            report.skip("no tensor of its rows");
            continue;
        };
        let kept = expected.shape[2];
        let expected = expected.f32();
        let step = traces.rows * kept;
        let d_after = case["d_after_step"].as_array();
        // golden/README.md, "optim": 1e-6, where whole-table sums set the size of steps 1e-4
        let limit = if d_after.is_some() { 1e-4 } else { 1e-6 };
        traces.run(case, |k, rows, optimizer| {
            let want = &expected[k * step..(k + 1) * step];
            let largest = want.iter().fold(0f32, |m, v| m.max(v.abs()));
            let found = columns(rows, traces.dim, kept);
            let difference = max_abs(&found, want) / f64::from(largest);
            report.within(&format!("{name} step {k}"), "rows", difference, limit);
            if let Some(d) = d_after {
                let d = d[k].as_f64().unwrap();
                let found = optimizer.d().unwrap();
                report.within(&format!("{name} step {k}"), "d", (found / d - 1.0).abs(), limit);
            }
            if optimizer.is_relative() && k + 1 < case["lr"].as_array().unwrap().len() {
                let shown = case["lr"][k + 1].as_f64().unwrap();
                let found = optimizer.own_rate().unwrap();
                report.within(
                    &format!("{name} step {k}"),
                    "rate",
                    (found / shown - 1.0).abs(),
                    1e-6,
                );
            }
        });
        report.ran();
    }
    report.finish();
}

fn array<'a>(state: &'a [StateArray], name: &str) -> Option<&'a StateData> {
    state.iter().find(|a| a.name == name).map(|a| &a.data)
}

/// The share of codes that differ; panics where one differs by more than its neighbor.
///
/// The peer's CPU back end looks codes up by 16 bits of the value: below that it cannot tell levels
/// apart (the nearest code of its own numbers differs in the same places), so there the levels must
/// be that near.
fn codes_off(name: &str, found: &[u8], expected: &HostTensor, levels: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.bytes.len(), "{name}");
    let off = found.iter().zip(&expected.bytes).filter(|(a, b)| a != b);
    let mut count = 0;
    for (a, b) in off {
        let apart = (levels[usize::from(*a)] - levels[usize::from(*b)]).abs();
        let near = a.abs_diff(*b) <= 1 || apart <= 2f32.powi(-16);
        assert!(near, "{name}: code {a}, expected {b}");
        count += 1;
    }
    f64::from(count) / found.len() as f64
}

#[test]
fn golden_optim_8bit() {
    let mut report = Report::new("golden_optim_8bit");
    let all = traces(&mut report);
    if all.is_empty() {
        return;
    }
    for (traces, case) in cases(&all).filter(|(_, case)| is_eight_bit(case)) {
        let name = case["name"].as_str().unwrap();
        let Some(expected) = traces.tensors.get(name) else {
            report.skip("no tensor of its rows");
            continue;
        };
        let kept = expected.shape[2];
        let step = traces.rows * kept;
        let expected = expected.f32();
        let start = &traces.tensors.at("init").f32()[traces.frozen * traces.dim..];
        let start = columns(start, traces.dim, kept);
        let last = case["lr"].as_array().unwrap().len() - 1;
        traces.run(case, |k, rows, optimizer| {
            let want = &expected[k * step..(k + 1) * step];
            let found = columns(rows, traces.dim, kept);
            if k == 0 {
                report.within(name, "first step", max_abs(&found, want), 1e-7);
            }
            if k == last {
                let norm = |a: &[f32], b: &[f32]| -> f64 {
                    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
                };
                let share = norm(&found, want) / norm(want, &start);
                report.within(name, "end, part of the move", share, 0.03);
            }
            let state = optimizer.state();
            for (ours, theirs, book) in [("m", "1", "code_signed"), ("v", "2", "code_unsigned")] {
                let Some(codes) = traces.tensors.get(&format!("{name}.state{theirs}.step{k}"))
                else {
                    continue;
                };
                let Some(StateData::U8(found)) = array(&state, ours) else {
                    panic!("{name}: no codes {ours}")
                };
                let levels = traces.tensors.at(book).f32();
                let off = codes_off(name, found, codes, &levels);
                report.within(name, "codes that differ", off, 0.03);
                let largest = traces.tensors.at(&format!("{name}.absmax{theirs}.step{k}")).f32();
                let Some(StateData::F32(found)) = array(&state, &format!("{ours}_largest")) else {
                    panic!("{name}: no largest values {ours}")
                };
                let want = &largest[largest.len() - found.len()..];
                for (a, b) in found.iter().zip(want) {
                    let difference = f64::from((a - b).abs() / b.abs().max(f32::MIN_POSITIVE));
                    report.within(name, "largest values", difference, 0.01);
                }
            }
        });
        report.ran();
    }
    report.finish();
}
