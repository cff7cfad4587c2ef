//! The sane reading, where it differs from the peer's.
use super::*;
use crate::{PromptError, Quirks};
use wayword_interface::{Diagnostic, PlainNames};

fn shown(error: PromptError) -> String {
    Diagnostic::from(error).render(&PlainNames).to_string()
}

fn store() -> Wildcards {
    let mut wildcards = Wildcards::default();
    let plain = |list: &[&str]| list.iter().map(|text| Value::plain(text)).collect::<Vec<_>>();
    wildcards.insert("clothes/hats", plain(&["cap", "fedora"]));
    wildcards.insert("color", plain(&["red", "green", "blue"]));
    wildcards.insert("self", plain(&["__self__"]));
    wildcards.insert("rare", vec![Value::weighted("often", 9.0), Value::plain("seldom")]);
    wildcards
}

fn drawn(template: &str, seeds: &[u64]) -> Result<Vec<String>, crate::PromptError> {
    let mode = Mode::Random { seeds: seeds.to_vec() };
    expand(template, &store(), &mode, Quirks::Sane).map(|expanded| expanded.prompts)
}

fn all(template: &str) -> Vec<String> {
    let mode = Mode::Combinatorial { limit: 50, seed: 0 };
    expand(template, &store(), &mode, Quirks::Sane).unwrap().prompts
}

#[test]
fn lone_signs_are_text() {
    for text in ["price $5", "50% of", "a __ b", "a#b", "100%", "$", "", "a }b", "c# f#m"] {
        assert_eq!(drawn(text, &[1]).unwrap(), [text], "{text}");
    }
    assert_eq!(
        all("{cost $5|50%} __color__b"),
        ["cost $5 blueb", "cost $5 greenb", "cost $5 redb", "50% blueb", "50% greenb", "50% redb"]
    );
    assert_eq!(all("a # comment\nb"), ["a  \nb"]);
}

#[test]
fn each_picture_depends_on_its_seed_only() {
    for template in ["${x=!{a|b|c}}${x}${x}", "__rare__ {1|2|3}", "${x=!__color__}{a|b}${x}"] {
        let seeds: Vec<u64> = (0..40).collect();
        let job = drawn(template, &seeds).unwrap();
        let single: Vec<String> =
            seeds.iter().flat_map(|&seed| drawn(template, &[seed]).unwrap()).collect();
        assert_eq!(job, single, "{template}");
    }
    assert_eq!(drawn("{@a|b|c}", &[7, 7, 7, 7]).unwrap(), ["a", "b", "c", "a"]);
}

#[test]
fn errors_point_at_the_place() {
    let error = |template: &str| shown(drawn(template, &[1]).unwrap_err());
    insta::assert_snapshot!(error("a {red|blue hat"));
    insta::assert_snapshot!(error("wearing __clothes/hat__ now"));
    insta::assert_snapshot!(error("${animal=cat}a ${animl}"));
    insta::assert_snapshot!(error("${x y}"));
    insta::assert_snapshot!(error("__self__"));
    insta::assert_snapshot!(error("{2$$0::a|b|0::c}"));
}

#[test]
fn a_wildcard_without_values_is_not_called_unknown() {
    let mut wildcards = store();
    wildcards.insert("empty", Vec::new());
    let mode = Mode::Random { seeds: vec![1] };
    let error = shown(expand("__empty__", &wildcards, &mode, Quirks::Sane).unwrap_err());
    assert!(error.contains("`empty` has no values") && !error.contains("did you"), "{error}");
}

#[test]
fn endless_templates_end() {
    assert!(drawn("{2$$__self__}", &[1]).is_err());
    assert!(drawn(&"{a|".repeat(5000), &[1]).is_err());
    assert!(drawn(&"__{".repeat(5000), &[1]).is_err());
    let many = format!("{{12$${}}}", ["a"; 14].join("|"));
    let mode = Mode::Combinatorial { limit: 5, seed: 0 };
    assert!(expand(&many, &store(), &mode, Quirks::Sane).unwrap().prompts.is_empty());
}

#[test]
fn one_line_of_a_file() {
    let mut files = SimpleWildcards::new();
    files.insert("hat".into(), vec!["cap".into(), String::new(), "fedora".into()]);
    let drawn = |prompt, quirks| simple(prompt, &files, 1, quirks);
    assert_eq!(drawn("a __hat__ x", Quirks::Sane).unwrap(), "a cap x");
    assert_eq!(drawn("hat__x", Quirks::Sane).unwrap(), "hat__x");
    assert_eq!(drawn("hat__x y__", Quirks::A1111).unwrap(), "capx y");
    assert_eq!(drawn("a __hut__", Quirks::A1111).unwrap(), "a hut");
    insta::assert_snapshot!(shown(drawn("a __hut__", Quirks::Sane).unwrap_err()));
}

#[test]
fn files_of_windows_editors_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let wide: Vec<u8> = "one\r\ntwo\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(dir.path().join("u16.txt"), [b"\xff\xfe".as_slice(), &wide].concat()).unwrap();
    std::fs::write(dir.path().join("mark.txt"), b"\xef\xbb\xbfthree\n").unwrap();
    let wildcards = super::files::read_folder(dir.path(), Quirks::Sane).unwrap();
    let mode = Mode::Combinatorial { limit: 9, seed: 0 };
    let drawn = |text: &str| expand(text, &wildcards, &mode, Quirks::Sane).unwrap().prompts;
    assert_eq!(drawn("__u16__"), ["one", "two"]);
    assert_eq!(drawn("__mark__"), ["three"]);
    let simple = super::files::read_simple_folder(dir.path()).unwrap();
    assert_eq!(simple["u16"], ["one", "two"]);
}
