//! Similarity of small faces before and after the face detailer: the table of `docs/drawing.md`.
//!
//! `cargo run --release -p wayword-train --example small_faces -- [FOLDER]`
//!
//! The pictures are written into FOLDER, where one is given.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
#[path = "../tests/common/small_faces.rs"]
mod small_faces;

use small_faces::{SMALL, WORDS, Way, measure};
use std::path::{Path, PathBuf};
use wayword_diffusion::{Base, BaseOptions};
use wayword_interface::Quiet;
use wayword_tensor::{CpuOptions, cpu};

const SEEDS: [u64; 3] = [1, 2, 3];

/// How much the detailer changes the face: its default, and more.
const DENOISE: [f64; 2] = [0.4, 0.6];

fn main() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo");
    let device = cpu(CpuOptions::default());
    let options = BaseOptions::new(demo.join("wayword-mini.safetensors"), &device);
    let base = Base::load(&options, &Quiet).unwrap();
    let folder = std::env::args().nth(1).map(PathBuf::from);
    println!("| embedding | before | after, denoise 0.4 | after, denoise 0.6 |\n|---|---|---|---|");
    let row = |name: &str, [before, first, second]: [f64; 3]| {
        println!("| {name} | {before:.2} | {first:.2} | {second:.2} |");
    };
    let mut means = [0.0; 3];
    for word in WORDS {
        let mut sums = [0.0; 3];
        for seed in SEEDS {
            for (place, denoise) in DENOISE.into_iter().enumerate() {
                let measured = measure(&base, &demo, word, seed, Way { denoise, ..SMALL });
                sums[0] += measured.before / DENOISE.len() as f64;
                sums[1 + place] += measured.after;
                let Some(folder) = &folder else { continue };
                for (picture, when) in measured.pictures.iter().zip(["before", "after"]) {
                    picture
                        .save(folder.join(format!("{word}-{seed}-{denoise}-{when}.png")))
                        .unwrap();
                }
            }
        }
        let sums = sums.map(|sum| sum / SEEDS.len() as f64);
        row(word, sums);
        means.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum / WORDS.len() as f64);
    }
    row("**mean**", means);
}
