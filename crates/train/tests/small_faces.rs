//! The face detailer brings a small drawn face back to its person: one row of the table of
//! docs/drawing.md, with one seed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
mod common;
#[path = "common/small_faces.rs"]
mod small_faces;

use common::{base, demo};
use small_faces::{SMALL, measure};

/// What the detailer must add to the similarity at least. Measured were 0.66 before and 0.89 after.
const LEAST: f64 = 0.1;

#[test]
fn a_small_face_is_more_like_its_person_after_the_detailer() {
    let measured = measure(base(), &demo(), "mirabo-ti", 1, SMALL);
    let (before, after) = (measured.before, measured.after);
    assert!(after >= before + LEAST, "{before:.3} before, {after:.3} after");
    // Outside of the mask and its blur nothing changes.
    let [a, b] = &measured.pictures;
    let far = |x: u32, y: u32| !(40..88).contains(&x) || !(32..80).contains(&y);
    let differ =
        a.enumerate_pixels().zip(b.pixels()).filter(|((x, y, p), q)| far(*x, *y) && p != q);
    assert_eq!(differ.count(), 0);
}
