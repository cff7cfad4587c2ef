//! What the file tells beside its tensors.
use super::*;
use crate::text_encoder::heads_for_width;

fn file(metadata: &[(&str, &str)]) -> Checkpoint {
    let pair = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
    let mut file = Checkpoint::default();
    file.metadata = metadata.iter().map(pair).collect();
    file
}

#[test]
fn metadata_is_believed() {
    let v = file(&[("modelspec.prediction_type", "v"), ("modelspec.resolution", "768x512")]);
    assert_eq!(prediction(&v), Prediction::V);
    assert_eq!(resolution(&v), (768, 512));
    let none = file(&[("modelspec.resolution", "nonsense")]);
    assert_eq!(prediction(&none), Prediction::Epsilon);
    assert_eq!(resolution(&none), (512, 512));
    assert_eq!(text_heads(&none), None);
    let own_config = file(&[("x.config", "{\"text\": {\"num_attention_heads\": 6}}")]);
    assert_eq!(text_heads(&own_config), Some(6));
}

#[test]
fn heads_by_width() {
    assert_eq!([768, 128, 64].map(heads_for_width), [12, 4, 4]);
}
