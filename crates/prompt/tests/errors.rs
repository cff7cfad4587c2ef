//! What a user sees when a prompt is wrong, or not what it seems.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use wayword_interface::{Diagnostic, PlainNames};
use wayword_prompt::plan::Language;
use wayword_prompt::schedule::Pass;
use wayword_prompt::{PromptError, PromptPlan, Quirks};

fn shown(error: PromptError) -> String {
    Diagnostic::from(error).render(&PlainNames).to_string()
}

fn read(prompt: &str, quirks: Quirks) -> String {
    let language = Language { quirks, ..Language::default() };
    match PromptPlan::positive(prompt, Pass::first(20), language) {
        Err(error) => format!("error: {}", shown(error)),
        Ok(plan) => plan.notes.into_iter().map(|note| format!("note: {}\n", shown(note))).collect(),
    }
}

fn sane(prompt: &str) -> String {
    read(prompt, Quirks::Sane)
}

#[test]
fn errors() {
    insta::assert_snapshot!("weight", sane("a portrait of (evagreen-ti:1.2.3), smiling"));
    insta::assert_snapshot!("weight_wide", sane("日本の（絵） (花:1..2)"));
    insta::assert_snapshot!("weight_second_line", sane("first line,\nsecond (word:.), third"));
    insta::assert_snapshot!("weight_huge", sane(&format!("(a:{})", "9".repeat(310))));
    insta::assert_snapshot!("network_slip", sane("a cat <loar:cats:0.8>"));
    insta::assert_snapshot!("network_unknown", sane("a <b:c> d"));
    insta::assert_snapshot!("network_hypernet", sane("a <hypernet:h:1>"));
}

#[test]
fn notes() {
    insta::assert_snapshot!("note_time", sane("portrait of [evagreen-ti:0.8]"));
    insta::assert_snapshot!("note_bar", sane("day|night, [sun:moon:0.5]"));
    insta::assert_snapshot!("note_bar_quirks", read("day|night, [sun:moon:0.5]", Quirks::A1111));
    insta::assert_snapshot!("note_whole_prompt", sane("portrait, red hair :0.5"));
    let negative = PromptPlan::negative("ugly <lora:x:1>", Pass::first(20), Language::default());
    insta::assert_snapshot!("note_negative", shown(negative.unwrap().notes.remove(0)));
}

#[test]
fn nothing_to_say() {
    for prompt in ["", "a (b:1.2) [c] [d|e]", "a AND b :0.5", "a|b", "[a:b:5]", "<lora:x:0.5>"] {
        assert_eq!(sane(prompt), "", "{prompt}");
    }
}
