//! `wayword bench`: how fast this machine is on a model of the full size.
mod checkpoint;

use super::base;
use crate::Facts;
use crate::Failure;
use crate::numbers::bytes;
use crate::request::{Bench as Options, BenchWork, Instructions};
use crate::session::Context;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Instant;
use wayword_diffusion::measure::{Load, Measured, Work, measure};
use wayword_diffusion::synthetic::Dimensions;
use wayword_diffusion::{Base, BaseOptions, CpuOptions, Device, Level, Memory, Precision, cpu};
use wayword_interface::Quiet;

/// Runs the command.
///
/// # Errors
/// If the machine has no room.
pub(crate) fn run(options: &Options, context: &Context<'_>) -> Result<BenchReport, Failure> {
    let machine = &options.machine;
    let level = options.instructions.map(|level| match level {
        Instructions::Portable => Level::Portable,
        Instructions::Avx2 => Level::Avx2,
        Instructions::Avx512 => Level::Avx512,
        Instructions::Avx512Bf16 => Level::Avx512Bf16,
        Instructions::Amx => Level::Amx,
    });
    let device = match level {
        None => base::device(machine, context.core)?,
        Some(level) => {
            let precision = machine.precision.map_or_else(Precision::best, base::precision);
            cpu(CpuOptions { threads: machine.threads, precision, level: Some(level) })
        }
    };
    let precision = device.precision();
    context.progress.note(&format!("measuring on {}", device.name()));
    let memory = if options.low_memory { Memory::Recompute } else { Memory::Keep };
    if let Some(path) = options.base.as_deref().filter(|_| options.work != BenchWork::Load) {
        let measured = checkpoint::measure(options, path, &device, memory)?;
        return Ok(report(options, &device, precision, &measured));
    }
    let parts: &[(&str, Work)] = match options.work {
        BenchWork::Step => &[("step", Work::Step)],
        BenchWork::Draw => &[("draw", Work::Draw)],
        BenchWork::Text => &[("text", Work::Text)],
        BenchWork::Vae => &[("encode", Work::Encode), ("decode", Work::Decode)],
        BenchWork::Load => return load(options, &device, precision, context),
    };
    let size = options.size.unwrap_or(512);
    let load = Load { size, batch: options.batch, repeats: options.repeats, memory };
    let mut measured = Vec::new();
    for (name, work) in parts {
        measured.push((*name, measure(&device, &Dimensions::sd15(), *work, load)?));
    }
    Ok(report(options, &device, precision, &measured))
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct BenchReport {
    /// All of it.
    pub facts: Value,
    /// The same as lines for people.
    #[serde(skip)]
    pub lines: Vec<String>,
}

fn report(
    options: &Options,
    device: &Device,
    precision: Precision,
    measured: &[(&str, Measured)],
) -> BenchReport {
    let mut lines = Vec::new();
    for (name, part) in measured {
        lines.push(format!("{name}: {:.3} s, {:.0} GFLOP/s", part.median(), part.gflops()));
        let mut facts = Facts::default();
        for (operation, spent) in &part.operations {
            let seconds = spent.time.as_secs_f64();
            facts.line(operation, format!("{seconds:7.3} s in {} calls", spent.calls));
        }
        lines.extend(facts.to_lines());
    }
    lines.push(format!("peak memory: {}", bytes(peak(device))));
    BenchReport { facts: object(options, device, precision, measured), lines }
}

/// One object; for several parts the sums, and each part beside them.
fn object(
    options: &Options,
    device: &Device,
    precision: Precision,
    measured: &[(&str, Measured)],
) -> Value {
    let seconds: f64 = measured.iter().map(|(_, m)| m.median()).sum();
    let work: f64 = measured.iter().map(|(_, m)| m.gflops() * m.median()).sum();
    let parts: Map<String, Value> = measured
        .iter()
        .map(|(name, m)| {
            let operations: Map<String, Value> = m
                .operations
                .iter()
                .map(|(name, spent)| ((*name).into(), json!(spent.time.as_secs_f64())))
                .collect();
            let part = json!({
                "seconds": m.median(), "runs": m.seconds, "gflops": m.gflops(),
                "operations": operations,
            });
            ((*name).into(), part)
        })
        .collect();
    let mut report = facts(options, device, precision);
    report["seconds"] = json!(seconds);
    report["gflops"] = json!(work / seconds);
    match parts.len() {
        1 => {
            report["operations"] =
                parts.values().next().map_or(Value::Null, |p| p["operations"].clone())
        }
        _ => report["operations"] = Value::Object(parts),
    }
    report
}

/// Loads a whole model from a file and says how long that took, hashing included as in a training.
fn load(
    options: &Options,
    device: &Device,
    precision: Precision,
    context: &Context<'_>,
) -> Result<BenchReport, Failure> {
    let made = match (&options.base, &options.write) {
        (Some(_), _) => None,
        (None, Some(path)) => Some(checkpoint::Made::at(path, false, context)?),
        (None, None) => Some(checkpoint::Made::temporary(context)?),
    };
    let path = options.base.as_deref().or(made.as_ref().map(checkpoint::Made::path));
    let path = path.unwrap_or(Path::new(""));
    let start = Instant::now();
    let base = Base::load(&BaseOptions::new(path, device), &Quiet)?;
    let seconds = start.elapsed().as_secs_f64();
    let _ = base.sha256()?;
    let mut report = facts(options, device, precision);
    report["seconds"] = json!(seconds);
    report["seconds_hashed"] = json!(start.elapsed().as_secs_f64());
    report["device_bytes"] = json!(device.memory().held);
    let line = format!(
        "load: {seconds:.3} s, with its hash {:.3} s; weights {}, peak memory {}",
        start.elapsed().as_secs_f64(),
        bytes(device.memory().held as u64),
        bytes(peak(device))
    );
    Ok(BenchReport { facts: report, lines: vec![line] })
}

fn facts(options: &Options, device: &Device, precision: Precision) -> Value {
    let threads = options
        .machine
        .threads
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    json!({
        "work": format!("{:?}", options.work).to_lowercase(),
        "size": options.size.or(options.base.is_none().then_some(512)),
        "batch": options.batch,
        "peak_bytes": peak(device),
        "precision": precision.name(),
        "threads": threads,
        "device": device.name(),
    })
}

/// The most memory that the process held, where the system tells; else the device's own count.
fn peak(device: &Device) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes =
        line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.map_or(device.memory().peak as u64, |kb| kb * 1024)
}
