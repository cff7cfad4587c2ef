//! The face detailer: faces of a drawn picture are drawn again, each at the full size, and pasted back.
//! Its settings are those of the web UI's extension ADetailer (25.3), by its names.
mod keys;
pub mod masks;

pub use keys::{Applied, DETECTOR, GIVEN_MASK, MOST_TABS, tab_ending};

use crate::pictures::Pixels;
use crate::sigmas::{SamplerKind, Schedule};
use masks::{Merge, Order, TopBy};
use std::sync::Arc;

/// How faces are drawn again. The defaults are ADetailer's.
#[derive(Debug, Clone, PartialEq)]
pub struct DetailSettings {
    /// The prompt of all pictures, or one for each; none or an empty one: the picture's. `[SEP]` stands
    /// between prompts of several faces, `[PROMPT]` for the picture's own, `[SKIP]` leaves a face as it
    /// is.
    pub prompts: Vec<String>,
    /// The negative prompts, as `prompts`.
    pub negatives: Vec<String>,
    /// Score from which on a face counts, 0 to 1.
    pub confidence: f64,
    /// Which faces count first.
    pub top_by: TopBy,
    /// How many faces at most; 0 for all.
    pub top: usize,
    /// Least and greatest share of the picture that a face may have.
    pub ratio: (f64, f64),
    /// Pixels by which masks grow; negative: shrink.
    pub dilate: i32,
    /// Pixels by which masks move right and up.
    pub offset: (i32, i32),
    /// What becomes of several masks.
    pub merge: Merge,
    /// In which order faces are drawn.
    pub order: Order,
    /// Deviation of the blur of masks in pixels.
    pub blur: f64,
    /// How much is changed, 0 to 1.
    pub denoise: f64,
    /// Only the masked part and a border is drawn, at the full size.
    pub only_masked: bool,
    /// The border's width in pixels.
    pub padding: u32,
    /// Width and height at which a face is drawn, instead of the picture's first pass.
    pub size: Own<(u32, u32)>,
    /// Sampler steps of its own.
    pub steps: Own<u32>,
    /// A guidance of its own.
    pub cfg: Own<f64>,
    /// A sampler of its own.
    pub sampler: Own<(SamplerKind, Option<Schedule>)>,
    /// Layers of the text encoder of its own.
    pub clip_skip: Own<usize>,
    /// Masks of the picture's size instead of detected faces.
    pub masks: Vec<Arc<Pixels>>,
}

/// A value that counts only where it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own<T> {
    /// Whether it counts.
    pub used: bool,
    /// The value.
    pub value: T,
}

impl<T: Copy> Own<T> {
    const fn not(value: T) -> Self {
        Self { used: false, value }
    }

    /// The value, where it counts.
    pub fn get(&self) -> Option<T> {
        self.used.then_some(self.value)
    }
}

impl Default for DetailSettings {
    fn default() -> Self {
        Self {
            prompts: Vec::new(),
            negatives: Vec::new(),
            confidence: 0.3,
            top_by: TopBy::Area,
            top: 0,
            ratio: (0.0, 1.0),
            dilate: 4,
            offset: (0, 0),
            merge: Merge::None,
            order: Order::None,
            blur: 4.0,
            denoise: 0.4,
            only_masked: true,
            padding: 32,
            size: Own::not((512, 512)),
            steps: Own::not(28),
            cfg: Own::not(7.0),
            sampler: Own::not((SamplerKind::Dpmpp2M, Some(Schedule::Karras))),
            clip_skip: Own::not(1),
            masks: Vec::new(),
        }
    }
}

impl DetailSettings {
    /// Width and height at which a face is drawn, of a picture whose first pass and whole size are
    /// these.
    #[must_use]
    pub fn size_in(&self, first: (u32, u32), whole: (u32, u32)) -> (u32, u32) {
        self.size.get().unwrap_or(if self.only_masked { first } else { whole })
    }

    /// The prompt and the negative prompt of a picture, as they were given.
    #[must_use]
    pub fn texts(&self, picture: usize) -> (&str, &str) {
        fn of(all: &[String], picture: usize) -> &str {
            all.get(picture).or(all.last()).map_or("", String::as_str)
        }
        (of(&self.prompts, picture), of(&self.negatives, picture))
    }
}

/// The text for the face at a place; `None` where that face is left as it is.
#[must_use]
pub fn text_of(texts: &str, place: usize, main: &str) -> Option<String> {
    let pieces: Vec<&str> = texts.split("[SEP]").map(str::trim).collect();
    let piece = pieces[place.min(pieces.len() - 1)];
    match piece {
        "" => Some(main.to_owned()),
        "[SKIP]" => None,
        piece => Some(piece.replace("[PROMPT]", main)),
    }
}

#[cfg(test)]
mod tests {
    use super::text_of;

    #[test]
    fn each_face_has_its_text() {
        let text = |texts: &str, place| text_of(texts, place, "a man");
        assert_eq!(text("", 3).as_deref(), Some("a man"));
        assert_eq!(text("one [SEP] [PROMPT], old", 1).as_deref(), Some("a man, old"));
        assert_eq!(text("one [SEP] two", 7).as_deref(), Some("two"));
        assert_eq!(text("one\n[SEP]\n[SKIP]", 1), None);
        assert_eq!(text("[SEP]two", 0).as_deref(), Some("a man"));
    }
}
