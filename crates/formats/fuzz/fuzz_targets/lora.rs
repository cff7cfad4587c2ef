//! LoRA files: key names and shapes to adapters.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use wayword_formats::{SafeTensors, lora};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = SafeTensors::from_map(Arc::new(bytes.to_vec().into())) {
        let _ = lora::from_safetensors(&file);
    }
});
