//! Similarity of small faces before and after the face detailer, as a table.
//!
//! `cargo run --release -p wayword-train --example small_faces -- [FOLDER]`
//!
//! The pictures are written into FOLDER, where one is given.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
#[path = "../tests/common/small_faces.rs"]
mod small_faces;

use small_faces::{WORDS, measure};
use std::path::{Path, PathBuf};
use wayword_diffusion::{Base, BaseOptions};
use wayword_interface::Quiet;
use wayword_tensor::{CpuOptions, cpu};

const SEEDS: [u64; 3] = [1, 2, 3];

fn main() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo");
    let device = cpu(CpuOptions::default());
    let options = BaseOptions::new(demo.join("wayword-mini.safetensors"), &device);
    let base = Base::load(&options, &Quiet).unwrap();
    let folder = std::env::args().nth(1).map(PathBuf::from);
    println!("| word | before | after |\n|---|---|---|");
    let (mut sums, mut count) = ([0.0; 2], 0.0);
    for word in WORDS {
        let mut means = [0.0; 2];
        for seed in SEEDS {
            let measured = measure(&base, &demo, word, seed);
            means[0] += measured.before / SEEDS.len() as f64;
            means[1] += measured.after / SEEDS.len() as f64;
            if let Some(folder) = &folder {
                for (picture, when) in measured.pictures.iter().zip(["before", "after"]) {
                    picture.save(folder.join(format!("{word}-{seed}-{when}.png"))).unwrap();
                }
            }
        }
        println!("| {word} | {:.2} | {:.2} |", means[0], means[1]);
        (sums[0], sums[1], count) = (sums[0] + means[0], sums[1] + means[1], count + 1.0);
    }
    println!("| mean | {:.2} | {:.2} |", sums[0] / count, sums[1] / count);
}
