//! What a file is, told by its tensors, for all files that the repository holds.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use wayword_formats::{FileKind, kind};
use wayword_testing::{files, repository, tiny_model};

#[test]
fn every_file_is_what_its_folder_says() {
    let golden = repository().join("golden");
    let check = |path: &Path, wanted: FileKind| {
        // A truncated file has no kind.
        if let Ok(found) = kind(path) {
            assert_eq!(found, wanted, "{}", path.display());
        }
    };
    for ending in ["safetensors", "pt", "ckpt", "bin", "png"] {
        for path in files(&golden.join("embeddings/files"), ending) {
            check(&path, FileKind::Embedding);
        }
        for path in files(&golden.join("kohya-saved"), ending) {
            check(&path, FileKind::Embedding);
        }
        for path in files(&golden.join("lora/files"), ending) {
            check(&path, FileKind::Lora);
        }
        for path in files(&golden.join("detail/photos"), ending) {
            check(&path, FileKind::Unknown);
        }
    }
    let tiny = tiny_model();
    for (name, wanted) in [
        ("model_ldm_fp16.safetensors", FileKind::Checkpoint),
        ("model.ckpt", FileKind::Checkpoint),
        ("vae2_ldm.safetensors", FileKind::Vae),
        ("diffusers", FileKind::Checkpoint),
        ("diffusers/vae", FileKind::Vae),
        ("diffusers/text_encoder", FileKind::TextEncoder),
    ] {
        let path = tiny.join(name);
        if path.exists() {
            assert_eq!(kind(&path).unwrap(), wanted, "{name}");
        }
    }
}
