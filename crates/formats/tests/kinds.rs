//! What a file is, told by its tensors, for all files that the repository holds.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use wayword_formats::{Kind, kind};
use wayword_testing::{files, repository, tiny_model};

#[test]
fn every_file_is_what_its_folder_says() {
    let golden = repository().join("golden");
    let check = |path: &Path, wanted: Kind| {
        // A truncated file has no kind.
        if let Ok(found) = kind(path) {
            assert_eq!(found, wanted, "{}", path.display());
        }
    };
    for ending in ["safetensors", "pt", "ckpt", "bin", "png"] {
        for path in files(&golden.join("embeddings/files"), ending) {
            check(&path, Kind::Embedding);
        }
        for path in files(&golden.join("kohya-saved"), ending) {
            check(&path, Kind::Embedding);
        }
        for path in files(&golden.join("lora/files"), ending) {
            check(&path, Kind::Lora);
        }
        for path in files(&golden.join("detail/photos"), ending) {
            check(&path, Kind::Unknown);
        }
    }
    let tiny = tiny_model();
    for (name, wanted) in [
        ("model_ldm_fp16.safetensors", Kind::Checkpoint),
        ("model.ckpt", Kind::Checkpoint),
        ("vae2_ldm.safetensors", Kind::Vae),
        ("diffusers", Kind::Checkpoint),
        ("diffusers/vae", Kind::Vae),
        ("diffusers/text_encoder", Kind::TextEncoder),
    ] {
        let path = tiny.join(name);
        if path.exists() {
            assert_eq!(kind(&path).unwrap(), wanted, "{name}");
        }
    }
}
