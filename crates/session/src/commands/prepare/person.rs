//! Whom a set of photos shows: the largest and most central face of each, or the one that recurs.
use super::look::{Photo, Seen};
use wayword_train::verdict::cosine;

/// The place of the main face among each photo's faces.
pub(super) fn mains(photos: &[Photo]) -> Vec<Option<usize>> {
    let reference = recurring(photos);
    photos
        .iter()
        .map(|photo| match reference {
            Some(reference) => most(&photo.faces, |seen| alike(&seen.vector, reference)),
            None => most(&photo.faces, |seen| prominence(photo, seen)),
        })
        .collect()
}

fn most(faces: &[Seen], value: impl Fn(&Seen) -> f64) -> Option<usize> {
    // The first of equals, and faces are sorted by size.
    let best =
        |a: &usize, b: &usize| value(&faces[*a]).total_cmp(&value(&faces[*b])).then(b.cmp(a));
    (0..faces.len()).max_by(best)
}

/// Height of a face, less where it stands far from the middle of the photo.
fn prominence(photo: &Photo, seen: &Seen) -> f64 {
    let (width, height) = photo.turned();
    let (x, y) = seen.face.area.middle();
    let away = (x / width as f32 - 0.5).hypot(0.5 * (y / height as f32 - 0.5));
    f64::from(seen.face.area.height * (1.0 - away.min(0.8)))
}

/// How alike two faces are; -1 where a network has not seen one of them.
fn alike(a: &[f32], b: &[f32]) -> f64 {
    if a.is_empty() || b.is_empty() { -1.0 } else { cosine(a, b) }
}

/// The face that is most like one face in each other photo; `None` without a network's vectors.
fn recurring(photos: &[Photo]) -> Option<&[f32]> {
    let mut best: Option<(f64, &[f32])> = None;
    for (i, photo) in photos.iter().enumerate() {
        for seen in photo.faces.iter().filter(|seen| !seen.vector.is_empty()) {
            let others = photos.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| {
                let near = other.faces.iter().map(|o| alike(&seen.vector, &o.vector));
                near.fold(-1.0, f64::max)
            });
            let sum: f64 = others.sum();
            if best.is_none_or(|(most, _)| sum > most) {
                best = Some((sum, seen.vector.as_slice()));
            }
        }
    }
    best.map(|(_, vector)| vector)
}
