//! What the sane way does otherwise than A1111, and lengths.
use super::*;
use crate::tokenizer::Tokenizer;
use wayword_prompt::Quirks;

/// A word of four vectors named `big`.
fn find(tokenizer: &Tokenizer) -> impl Fn(&[u32]) -> Option<EmbeddingMatch> {
    let ids = tokenizer.encode("big");
    move |rest: &[u32]| {
        rest.starts_with(&ids).then_some(EmbeddingMatch { word: 0, ids: ids.len(), count: 4 })
    }
}

fn cut(text: &str, quirks: Quirks) -> Chunked {
    let tokenizer = Tokenizer::new();
    let items = [(text.to_owned(), 1.0)];
    let options = ChunkOptions { quirks, ..ChunkOptions::default() };
    chunk(&items, &tokenizer, find(&tokenizer), options)
}

#[test]
fn a_word_that_moves_to_the_next_window_keeps_its_vectors() {
    let text = format!("{}, big {}", "dog ".repeat(60), "fox ".repeat(12));
    let sane = cut(&text, Quirks::Sane);
    let quirky = cut(&text, Quirks::A1111);
    let tokens = |c: &Chunked| c.chunks.iter().map(|c| c.tokens.clone()).collect::<Vec<_>>();
    assert_eq!(tokens(&sane), tokens(&quirky));
    assert_eq!(sane.chunks[0].fixes, []);
    assert_eq!(sane.chunks[1].fixes, [Fix { offset: 0, word: 0, count: 4 }]);
    assert_eq!(quirky.chunks[0].fixes, [Fix { offset: 61, word: 0, count: 4 }]);
    assert_eq!(quirky.chunks[1].fixes, []);
}

#[test]
fn a_word_before_the_comma_stays() {
    let text = format!("{}big , {}", "dog ".repeat(56), "fox ".repeat(15));
    let sane = cut(&text, Quirks::Sane);
    assert_eq!(sane.chunks[0].fixes, [Fix { offset: 56, word: 0, count: 4 }]);
    assert_eq!(sane.chunks.len(), 2);
}

#[test]
fn lengths_are_made_equal() {
    let mut parts = vec![vec![1.0, 2.0], vec![3.0, 4.0, 5.0, 6.0]];
    pad_parts(&mut parts, 2);
    assert_eq!(parts[0], [1.0, 2.0, 1.0, 2.0]);
    let (mut cond, mut uncond) = (vec![1.0; 4], vec![2.0; 2]);
    pad_uncond(&mut cond, &mut uncond, &[9.0, 9.0], 2, PadUncond::Empty);
    assert_eq!(uncond, [2.0, 2.0, 9.0, 9.0]);
    let (mut cond, mut uncond) = (vec![1.0; 2], vec![2.0; 4]);
    pad_uncond(&mut cond, &mut uncond, &[9.0, 9.0], 2, PadUncond::Repeat);
    assert_eq!(uncond, [2.0, 2.0]);
}
