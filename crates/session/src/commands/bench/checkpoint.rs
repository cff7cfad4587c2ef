//! `wayword bench` on a checkpoint's file: a whole training step, a whole picture, a file to load.
use crate::Failure;
use crate::request::{Bench as Options, BenchWork};
use crate::session::Context;
use std::path::{Path, PathBuf};
use wayword_diffusion::measure::{Measured, repeat};
use wayword_diffusion::synthetic::{self, Dimensions};
use wayword_diffusion::{
    Base, BaseOptions, Device, DrawPlan, DrawSettings, Memory, draw, profiling,
};
use wayword_interface::{Quiet, Stop};
use wayword_train::estimate;

/// A training step with its text encoder, or a picture from its prompt to its pixels.
///
/// # Errors
/// If the checkpoint cannot be loaded, or the work is none of these.
pub(super) fn measure(
    options: &Options,
    path: &Path,
    device: &Device,
    memory: Memory,
) -> Result<Vec<(&'static str, Measured)>, Failure> {
    let (device, profile) = profiling(device);
    let load = || -> Result<Base, Failure> {
        let base = Base::load(&BaseOptions::new(path, &device), &Quiet)?;
        // The hash is computed beside the work; it must not be measured.
        let _ = base.sha256()?;
        Ok(base)
    };
    let size = |base: &Base| {
        let (width, height) = base.info.resolution;
        options.size.map_or((width as usize, height as usize), |side| (side, side))
    };
    Ok(match options.work {
        BenchWork::Step => {
            let base = load()?;
            let model = base.activate(&[])?;
            let (size, batch) = (size(&base), options.batch);
            vec![(
                "step",
                repeat(&profile, options.repeats, || estimate::step(&model, size, batch, memory))?,
            )]
        }
        BenchWork::Draw => {
            let base = load()?;
            let mut settings = DrawSettings::new(&base, "photo of a woman");
            let (width, height) = size(&base);
            settings.width = u32::try_from(width).unwrap_or(u32::MAX);
            settings.height = u32::try_from(height).unwrap_or(u32::MAX);
            settings.steps = u32::try_from(options.steps).unwrap_or(u32::MAX);
            (settings.count, settings.batch) = (options.batch, options.batch);
            let plan = DrawPlan::new(&base, settings)?;
            let drawing = || draw(&base, &plan, &Quiet, &Stop::default()).map(|_| ());
            vec![("draw", repeat(&profile, options.repeats, drawing)?)]
        }
        _ => {
            return Err(Failure::user("{bench.base} goes with `step`, `draw` and `load`").hint(
                "leave {bench.base} out: the parts are measured on a model of the full size",
            ));
        }
    })
}

/// A checkpoint of the full size with made weights, in a file.
pub(super) struct Made {
    path: PathBuf,
    /// Whether it goes when this is dropped.
    temporary: bool,
}

impl Made {
    /// In the folder for temporary files.
    pub(super) fn temporary(context: &Context<'_>) -> Result<Made, Failure> {
        let name = format!("wayword-bench-{}.safetensors", std::process::id());
        Made::at(&context.core.environment.temporary.join(name), true, context)
    }

    /// At a place of one's own.
    pub(super) fn at(path: &Path, temporary: bool, context: &Context<'_>) -> Result<Made, Failure> {
        if path.exists() {
            return Err(Failure::user(format!("{} already exists", path.display()))
                .hint("measure it by {bench.base}, or give another name"));
        }
        let text = format!("writing a checkpoint of 2 GB to {}", path.display());
        context.progress.note(&text);
        let made = Made { path: path.into(), temporary };
        let written = synthetic::write(path, &Dimensions::sd15());
        written.map_err(|e| Failure::io("cannot write", path, &e))?;
        Ok(made)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
