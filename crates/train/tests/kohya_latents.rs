//! Latents that kohya's trainer left beside pictures: known by their hash, as pictures are.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
mod common;

use common::{base, options, plan};
use std::io::Write as _;
use std::path::Path;
use wayword_formats::hash;
use wayword_interface::{Quiet, Stop};
use wayword_train::latents::{self, LatentSource};
use wayword_train::training_loop::RunOptions;
use wayword_train::{manifest, rerun::Recorded, training_loop};

fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut out = b"\x93NUMPY\x01\0".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(data);
    out
}

/// Latents of a picture of 64 x 64, all of one value.
fn npz(path: &Path, value: f32) {
    let latents: Vec<u8> = (0..4 * 8 * 8).flat_map(|_| value.to_le_bytes()).collect();
    let size: Vec<u8> = [64i64, 64].iter().flat_map(|side| side.to_le_bytes()).collect();
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in [
        ("latents", npy("<f4", "(4, 8, 8)", &latents)),
        ("original_size", npy("<i8", "(2,)", &size)),
    ] {
        zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn latents_that_were_changed_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("2_zarva woman");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["a.png", "b.png"] {
        let pixel = |x: u32, y: u32| image::Rgb([x as u8, y as u8, name.len() as u8]);
        image::RgbImage::from_fn(64, 64, pixel).save(folder.join(name)).unwrap();
    }
    let file = folder.join("a_0064x0064_sd.npz");
    npz(&file, 0.25);
    let mut options = options(&dir.path().join("out"));
    (options.images, options.kohya_latents) = (vec![folder.clone()], true);
    (options.steps, options.save_every) = (Some(2), 0);
    let made = plan(&options);
    let known = made.pictures[0].latents.as_ref().unwrap();
    assert_eq!(known.sha256, hash::sha256(&file).unwrap());
    assert!(made.pictures[1].latents.is_none());
    let told =
        made.warnings.iter().find(|w| w.message().contains("has no latents of kohya's")).unwrap();
    assert!(told.message().contains("b.png"), "{told:?}");

    let encode = || latents::encode(base(), &made, &made.run(), &Quiet, &Stop::default());
    let sources = encode().unwrap().unwrap();
    let LatentSource::Cached { plain, .. } = &sources[0] else {
        panic!("its pixels do not change")
    };
    assert!(plain.latent.mean.iter().all(|v| *v == 0.25));
    assert_eq!(latents::missing(base(), &made).once, 0, "the other was encoded");

    let mut plan = made.clone();
    plan.recognize(base()).unwrap();
    training_loop::train(base(), &plan, RunOptions::default(), &Quiet, &Stop::default()).unwrap();
    let word = plan.out.join("zarva-ti.safetensors");
    let find = || Recorded::read(&word).unwrap().find_files(std::slice::from_ref(&folder));
    find().unwrap();
    let before = manifest::data_sha256(&plan);

    npz(&file, 0.5);
    let error = encode().unwrap_err().to_string();
    assert!(error.contains("a_0064x0064_sd.npz: was changed since the run began"), "{error}");
    let error = find().unwrap_err().to_string();
    assert!(error.contains("a_0064x0064_sd.npz was changed"), "{error}");
    assert_ne!(manifest::data_sha256(&common::plan(&options)), before);
}
