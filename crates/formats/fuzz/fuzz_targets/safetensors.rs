//! Safetensors headers: open, read every tensor, look for an embedding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use wayword_formats::{SafeTensors, embedding, kind};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = SafeTensors::from_map(Arc::new(bytes.to_vec().into())) {
        for name in file.names() {
            let _ = file.get(name).map(|a| a.to_f32());
        }
        let _ = embedding::from_safetensors(&file);
        let _ = kind::of_names(file.names());
    }
});
