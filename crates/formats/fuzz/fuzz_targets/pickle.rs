//! Torch files of both containers, and the embedding in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use wayword_formats::{embedding, kind, pickle};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = pickle::from_map(&Arc::new(bytes.to_vec().into())) {
        let _ = embedding::from_value(&value);
        let _ = kind::of_value(&value);
    }
});
