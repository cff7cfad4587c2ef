//! Rules that the golden ids do not show.
use super::*;

#[test]
fn the_longest_added_word_wins_and_case_counts() {
    let mut tokenizer = Tokenizer::new();
    let short = tokenizer.add("zarva").unwrap();
    let long = tokenizer.add("zarva-ti").unwrap();
    assert_eq!((short, long), (49408, 49409));
    assert_eq!(tokenizer.encode("zarva-ti zarva"), [long, short]);
    assert!(tokenizer.encode("Zarva").iter().all(|id| *id < BOS));
}

#[test]
fn words_of_the_vocabulary_cannot_be_added() {
    let mut tokenizer = Tokenizer::new();
    assert!(tokenizer.add("cat").is_err());
    assert!(tokenizer.add("").is_err());
    let word = tokenizer.add("evagreen-ti").unwrap();
    assert!(tokenizer.add("evagreen-ti").is_err());
    assert_eq!(tokenizer.decode(&[320, word]), "a evagreen-ti");
}

#[test]
fn a_name_and_its_spellings_have_the_same_ids() {
    let tokenizer = Tokenizer::new();
    for spelling in ["evagreen-ti", "EvaGreen-TI", "evagreen - ti"] {
        assert_eq!(tokenizer.encode(spelling), [776, 3180, 576, 268, 2605]);
    }
}

#[test]
fn text_comes_back_from_its_ids() {
    let tokenizer = Tokenizer::new();
    let ids = tokenizer.encode("a photo of a woman");
    assert_eq!(tokenizer.decode(&ids), "a photo of a woman");
    assert_eq!(tokenizer.whole_word("Woman"), ids.last().copied());
}

#[test]
fn damaged_texts_are_repaired_before_they_are_read() {
    let tokenizer = Tokenizer::new();
    let same = |damaged: &str, meant: &str| {
        assert_eq!(tokenizer.encode(damaged), tokenizer.encode(meant), "{damaged:?}");
    };
    same("cafÃ© au lait", "café au lait");
    same("l&#39;&eacute;t&eacute; &amp; &AMP;", "l'été & &");
    same("voilÃ la photo", "voilà la photo");
    same("ﬁne ＡＢＣ “quotes”", "fine abc \"quotes\"");
    same("\u{1b}[36mblue\u{1b}[0m", "blue");
    same("smile â€” laugh", "smile — laugh");
}
