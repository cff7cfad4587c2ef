//! Memory that is counted before a run against memory that the run really holds.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{demo, load, options, plan};
use wayword_diffusion::BaseOptions;
use wayword_diffusion::forecast::dry_load;
use wayword_tensor::{CpuOptions, Memory, Precision, cpu};
use wayword_train::estimate::{Forecast, estimate};

#[test]
fn what_is_counted_is_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.batch = 3;
    let plan = plan(&options);
    let path = demo().join("wayword-mini.safetensors");
    for precision in [Precision::F32, Precision::Bf16] {
        let device = cpu(CpuOptions { precision, ..CpuOptions::default() });
        let loading = BaseOptions::new(&path, &device);
        let mut held = Vec::new();
        for memory in [Memory::Keep, Memory::Recompute] {
            let real = load(&path, &cpu(CpuOptions { precision, ..CpuOptions::default() }));
            let counted = dry_load(&loading).unwrap();
            let counted = estimate(&counted, &plan, memory).unwrap().memory as f64;
            let real = estimate(&real, &plan, memory).unwrap().memory as f64;
            println!("{precision:?} {memory:?}: counted {counted}, held {real}");
            assert!((counted / real - 1.0).abs() < 0.1, "{counted} for {real}");
            held.push(real);
        }
        assert!(held[1] < held[0], "blocks that are computed twice save memory");
        let forecast = Forecast::of(&dry_load(&loading).unwrap(), &plan).unwrap();
        assert!(forecast.recompute < forecast.keep);
        assert!(forecast.keep as f64 > held[0]);
    }
}
