//! The bundled model and short plans, for tests of whole runs.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use wayword_diffusion::{Base, BaseOptions};
use wayword_interface::Quiet;
use wayword_tensor::{CpuOptions, Device, Precision, cpu};
use wayword_train::{TrainOptions, TrainPlan};

pub(crate) fn device() -> Device {
    cpu(CpuOptions { precision: Precision::F32, ..CpuOptions::default() })
}

pub(crate) fn demo() -> PathBuf {
    wayword_testing::repository().join("demo")
}

pub(crate) fn load(path: &Path, device: &Device) -> Base {
    Base::load(&BaseOptions::new(path, device), &Quiet).unwrap()
}

/// The bundled model, loaded once.
pub(crate) fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| load(&demo().join("wayword-mini.safetensors"), &device()))
}

/// A short run on the bundled pictures of zarva.
pub(crate) fn options(out: &Path) -> TrainOptions {
    TrainOptions {
        images: vec![demo().join("concepts/100_zarva woman")],
        name: Some("zarva-ti".into()),
        out: out.into(),
        steps: Some(12),
        save_every: 5,
        seed: Some(7),
        ..TrainOptions::default()
    }
}

pub(crate) fn plan(options: &TrainOptions) -> TrainPlan {
    let mut plan = TrainPlan::check(options, &base().info).unwrap();
    // The date in the files is the run's start; runs that are compared start together.
    plan.started = 1_700_000_000;
    plan
}
