//! What holds for any text at all.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use proptest::prelude::*;
use wayword_prompt::attention::{attention, is_break, print};
use wayword_prompt::caption::{CaptionOptions, Moment, Replacement, caption, read_caption_file};
use wayword_prompt::folder_name::FolderName;
use wayword_prompt::plan::Language;
use wayword_prompt::python_random::PythonRandom;
use wayword_prompt::schedule::{Node, Pass, parse};
use wayword_prompt::template::Templates;
use wayword_prompt::wildcards::{Mode, SimpleWildcards, Value, Wildcards, expand, simple};
use wayword_prompt::{Attention, Emphasis, PromptPlan, Quirks, and, extra_networks};

const BOTH: [Quirks; 2] = [Quirks::Sane, Quirks::A1111];

/// Texts in which the languages' signs are frequent.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[\\[\\](){}:|<>_$%#=!~@?.,*\\\\/ \n\t0-9a-c-]{1,6}",
        2 => "\\PC{1,3}",
        1 => prop::sample::select(vec![
            "AND", "BREAK", " BREAK ", ":1.2)", ":0.5]", "[a:b:", "(a:", "{2$$", "__", "__c__", "${x",
            "${x=", "%{", "...", "<lora:", "[a|", "１.２", "\u{301}", "::", "1e9",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn store() -> Wildcards {
    let mut store = Wildcards::default();
    store.insert("c", vec![Value::plain("red"), Value::weighted("{a|b} ${x:d}", 2.5)]);
    store.insert("a/b", vec![Value::plain("__c__"), Value::plain("b __a/b__")]);
    store
}

/// The texts of a list of nodes, with what stands between their parts.
fn cover(nodes: &[Node], from: usize) -> usize {
    nodes.iter().fold(from, |at, node| {
        assert_eq!(node.span().start, at);
        let inner = |list: &Vec<Node>| {
            if let (Some(first), Some(last)) = (list.first(), list.last()) {
                assert_eq!(cover(list, first.span().start), last.span().end);
            }
        };
        node.children().for_each(inner);
        node.span().end
    })
}

/// Without the empty items that a break makes around itself.
fn without_empty(items: &Attention) -> Attention {
    let breaks = |i: Option<usize>| i.and_then(|i| items.get(i)).is_some_and(is_break);
    let kept = items.iter().enumerate().filter(|(i, item)| {
        !(item.0.is_empty() && item.1 == 1.0 && (breaks(Some(i + 1)) || breaks(i.checked_sub(1))))
    });
    kept.map(|(_, item)| item.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(text in text(), steps in 0u32..40, hires in prop::option::of(0u32..40), old: bool) {
        let pass = Pass { steps, hires, old };
        for quirks in BOTH {
            for (_, emphasis) in Emphasis::NAMES {
                let language = Language { quirks, emphasis };
                for plan in [
                    PromptPlan::positive(&text, pass, language),
                    PromptPlan::negative(&text, pass, language),
                ] {
                    match plan {
                        Err(error) => prop_assert!(error.to_string().contains('^')),
                        Ok(plan) => {
                            for note in &plan.notes {
                                prop_assert!(note.text.get(note.span.clone()).is_some());
                            }
                            for part in &plan.parts {
                                prop_assert!(!part.entries.is_empty());
                                prop_assert!(part.index_at_call(i64::from(steps)) < part.entries.len());
                                prop_assert!(part.entries.iter().all(|e| !e.items.is_empty()));
                            }
                        }
                    }
                }
            }
        }
        let _ = FolderName::parse(&text);
        let _ = Templates::parse(&text).map(|templates| templates.filled("x"));
        let _ = read_caption_file(text.as_bytes(), old);
    }

    #[test]
    fn no_template_panics_or_runs_for_ever(text in text(), seed: u64) {
        let store = store();
        for quirks in BOTH {
            let _ = expand(&text, &store, &Mode::Random { seeds: vec![seed, 1, 2] }, quirks);
            let _ = expand(&text, &store, &Mode::Combinatorial { limit: 20, seed }, quirks);
            let _ = simple(&text, &SimpleWildcards::new(), seed, quirks);
        }
    }

    #[test]
    fn printed_attention_reads_the_same(text in text()) {
        // `B\REAK` weighted by -1 is taken for a break, as in A1111.
        prop_assume!(!text.contains('\\') || !text.contains("REAK"));
        if let Ok(items) = attention(&text, Quirks::Sane) {
            let printed = print(&items);
            let again = attention(&printed, Quirks::Sane).unwrap();
            prop_assert_eq!(without_empty(&again), without_empty(&items), "{}", printed);
        }
    }

    #[test]
    fn the_tree_covers_the_text(text in text()) {
        let tree = parse(&text).unwrap();
        prop_assert_eq!(cover(&tree.nodes, 0), text.len());
        for quirks in BOTH {
            let entries = tree.unroll(Pass::first(7), quirks);
            if let (Ok(entries), false) = (&entries, tree.changes()) {
                prop_assert_eq!(entries.len(), 1);
                prop_assert_eq!(&entries[0].text, &text);
            }
            if let Ok(entries) = entries {
                prop_assert_eq!(entries.last().unwrap().until, 7);
                prop_assert!(entries.is_sorted_by(|a, b| a.until < b.until));
            }
        }
    }

    #[test]
    fn both_readings_agree_where_nothing_is_odd(text in text()) {
        let tree = parse(&text).unwrap();
        if tree.unread.is_empty() && !text.contains("e9") {
            let [sane, a1111] = BOTH.map(|quirks| tree.unroll(Pass::first(9), quirks).unwrap());
            prop_assert_eq!(sane, a1111);
        }
        if !text.contains("BREAK") {
            let [sane, a1111] = BOTH.map(|quirks| attention(&text, quirks).ok());
            prop_assert_eq!(sane, a1111);
        }
    }

    #[test]
    fn parts_and_tags_lose_no_text(text in text()) {
        let (rest, tags) = extra_networks::extract(&text);
        let taken: usize = tags.iter().map(|tag| tag.span.len()).sum();
        prop_assert_eq!(rest.len() + taken, text.len());
        for part in and::split(&text) {
            prop_assert_eq!(&text[part.span.clone()], &part.text);
            prop_assert!(part.weight.is_finite() || text.len() > 300);
        }
    }

    #[test]
    fn captions_never_panic(
        text in text(),
        separator in "[,;|]{0,2}",
        keep in 0usize..5,
        rates in (0.0f64..1.0, 0.0f64..1.0),
        warmup in 0.0f64..20.0,
        step in 0u64..30,
        flags: (bool, bool),
    ) {
        let options = CaptionOptions {
            dropout_rate: rates.0,
            tag_dropout_rate: rates.1,
            wildcards: flags.0,
            shuffle: flags.1,
            keep_tokens: keep,
            keep_tokens_separator: Some("|".into()),
            secondary_separator: Some(";".into()),
            separator,
            warmup_steps: warmup,
            ..CaptionOptions::default()
        };
        let moment = Moment { step, epoch: 1, steps: 30 };
        let mut random = PythonRandom::new(step);
        let replacements = [Replacement::token("a", 3)];
        let _ = caption(&text, &options, moment, &replacements, &mut random);
    }
}
