//! Which of the usual networks an ONNX file holds, by its shapes and by what it says of itself.
use super::Normalize;

/// A usual kind of image encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkKind {
    /// From an aligned face of 112 x 112 pixels to a vector, as ArcFace and its heirs.
    Face,
    /// DINO and DINOv2: what an image shows, without words.
    Dino,
    /// The image half of CLIP.
    Clip,
    /// Any other.
    Other,
}

impl NetworkKind {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Face => "a face network",
            Self::Dino => "DINO",
            Self::Clip => "CLIP",
            Self::Other => "an image encoder",
        }
    }

    /// How its pixels are normalized, where all of the kind agree.
    #[must_use]
    pub fn normalize(self) -> Option<Normalize> {
        Normalize::named(match self {
            Self::Face => "-1..1",
            Self::Dino => "imagenet",
            Self::Clip => "clip",
            Self::Other => return None,
        })
    }
}

/// What a file shows of its network. Sides that it leaves open are `None`.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes {
    /// Height and width of the input.
    pub(super) input: [Option<usize>; 2],
    /// Outputs with their shapes.
    pub(super) outputs: Vec<(String, Vec<Option<usize>>)>,
    /// What stands in its metadata and its name, in lower case.
    pub(super) words: String,
}

/// Side of a face.
const FACE: usize = 112;

/// Widths of vectors of face networks.
const FACE_WIDTHS: std::ops::RangeInclusive<usize> = 64..=1024;

/// Side of DINOv2's patches, and the tokens beside them: the class, and registers.
const PATCH: usize = 14;
const BESIDE: [usize; 2] = [1, 5];

/// Widths of DINO's states that CLIP's image networks do not have.
const DINO_WIDTHS: [usize; 2] = [384, 1536];

/// The kind of a network.
pub(super) fn of(shapes: &Shapes) -> NetworkKind {
    let says = |word: &str| shapes.words.contains(word);
    let named = |name: &str| shapes.outputs.iter().find(|output| output.0 == name);
    let is_vector = |shape: &[Option<usize>]| {
        shape.len() <= 2 && shape.last().is_none_or(|n| n.is_none_or(|n| FACE_WIDTHS.contains(&n)))
    };
    match shapes.outputs.as_slice() {
        [(_, shape)] if shapes.input == [Some(FACE); 2] && is_vector(shape) => NetworkKind::Face,
        _ if says("dino") => NetworkKind::Dino,
        _ if says("clip") || named("image_embeds").is_some() => NetworkKind::Clip,
        _ => match named("last_hidden_state").map(|output| output.1.as_slice()) {
            Some([_, tokens, width]) if is_dino(shapes.input, *tokens, *width) => NetworkKind::Dino,
            _ => NetworkKind::Other,
        },
    }
}

fn is_dino(input: [Option<usize>; 2], tokens: Option<usize>, width: Option<usize>) -> bool {
    if width.is_some_and(|width| DINO_WIDTHS.contains(&width)) {
        return true;
    }
    // CLIP has patches of 14 pixels too, in its large network, which is 1024 wide as DINOv2's is.
    let ([Some(height), Some(width_in)], Some(tokens)) = (input, tokens) else { return false };
    let patches = (height / PATCH) * (width_in / PATCH);
    width == Some(768) && BESIDE.iter().any(|beside| tokens == patches + beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(side: Option<usize>, outputs: &[(&str, &[usize])], words: &str) -> NetworkKind {
        let output = |(name, shape): &(&str, &[usize])| {
            ((*name).to_owned(), shape.iter().map(|n| (*n > 0).then_some(*n)).collect())
        };
        let outputs = outputs.iter().map(output).collect();
        of(&Shapes { input: [side; 2], outputs, words: words.into() })
    }

    #[test]
    fn usual_networks_are_known_by_their_shapes() {
        use NetworkKind::{Clip, Dino, Face, Other};
        // ArcFace, MobileFaceNet, AdaFace
        assert_eq!(kind(Some(112), &[("683", &[1, 512])], ""), Face);
        assert_eq!(kind(Some(112), &[("embedding", &[0, 128])], ""), Face);
        // A classifier of the same size
        assert_eq!(kind(Some(112), &[("logits", &[1, 10])], ""), Other);
        // transformers' exports: sides are open
        let states: (&str, &[usize]) = ("last_hidden_state", &[0, 0, 384]);
        assert_eq!(kind(None, &[states, ("pooler_output", &[0, 384])], ""), Dino);
        assert_eq!(kind(None, &[("image_embeds", &[0, 512])], ""), Clip);
        // DINOv2 base at 224 and at 518 pixels; CLIP B/16 has 197 tokens
        assert_eq!(kind(Some(224), &[("last_hidden_state", &[1, 257, 768])], ""), Dino);
        assert_eq!(kind(Some(518), &[("last_hidden_state", &[1, 1374, 768])], ""), Dino);
        assert_eq!(kind(Some(224), &[("last_hidden_state", &[1, 197, 768])], ""), Other);
        assert_eq!(kind(Some(224), &[("last_hidden_state", &[1, 197, 768])], "clip-b16"), Clip);
        assert_eq!(kind(None, &[("last_hidden_state", &[0, 0, 768])], "dinov2-base.onnx"), Dino);
        assert_eq!(kind(Some(224), &[("logits", &[1, 1000])], "resnet50.onnx"), Other);
    }
}
