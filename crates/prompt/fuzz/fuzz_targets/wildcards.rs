//! Any text as a template, over a small store: `cargo +nightly fuzz run wildcards`.
#![no_main]
use libfuzzer_sys::fuzz_target;
use wayword_prompt::Quirks;
use wayword_prompt::wildcards::{Mode, Value, Wildcards, expand};

fuzz_target!(|text: &str| {
    let mut store = Wildcards::default();
    store.insert("a/b", vec![Value::plain("x __c__"), Value::plain(text)]);
    store.insert("c", vec![Value::weighted("{1|2}", 2.5), Value::plain("${x:d}")]);
    for quirks in [Quirks::Sane, Quirks::A1111] {
        let _ = expand(text, &store, &Mode::Random { seeds: vec![1, 2] }, quirks);
        let _ = expand(text, &store, &Mode::Combinatorial { limit: 8, seed: 1 }, quirks);
    }
});
