//! Any text as a prompt, in both readings: `cargo +nightly fuzz run prompt`.
#![no_main]
use libfuzzer_sys::fuzz_target;
use wayword_prompt::plan::Language;
use wayword_prompt::schedule::Pass;
use wayword_prompt::{Emphasis, PromptPlan, Quirks};

fuzz_target!(|text: &str| {
    for quirks in [Quirks::Sane, Quirks::A1111] {
        for pass in [Pass::first(20), Pass::hires(20, 10)] {
            let language = Language { quirks, emphasis: Emphasis::Original };
            let _ = PromptPlan::negative(text, pass, language).map_err(|error| error.to_string());
            if let Ok(plan) = PromptPlan::positive(text, pass, language) {
                assert!(plan.parts.iter().all(|part| !part.entries.is_empty()));
            }
        }
    }
});
