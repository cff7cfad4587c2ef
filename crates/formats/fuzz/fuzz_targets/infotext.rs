//! Infotext: what is parsed can be written and parsed again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wayword_formats::Infotext;

fuzz_target!(|text: &str| {
    let _ = Infotext::parse(&Infotext::parse(text).to_string());
});
