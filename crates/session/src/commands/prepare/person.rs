//! Whom a set of photos shows: the largest and most central face of each, or the one that recurs.
use super::look::{Photo, Seen};
use wayword_train::verdict::cosine;

/// How far from strangers to the person, by their similarities, a face must be to count as the
/// person's: networks differ in scale, and photos of a person in age and light.
const NEARER: f64 = 1.0 / 3.0;

/// Photos from which on a set tells who is a stranger.
const ENOUGH: usize = 3;

/// Whom each photo shows.
pub(super) struct People {
    /// The place of the main face among the photo's faces.
    pub(super) mains: Vec<Option<usize>>,
    /// Whether that is probably not the one who recurs, by a network.
    pub(super) strangers: Vec<bool>,
}

/// Whom photos show.
pub(super) fn people(photos: &[Photo]) -> People {
    let Some(reference) = recurring(photos) else {
        let mains = photos.iter().map(main).collect();
        return People { mains, strangers: vec![false; photos.len()] };
    };
    let near = |seen: &Seen| alike(&seen.vector, reference);
    let mains: Vec<Option<usize>> = photos.iter().map(|p| most(&p.faces, near)).collect();
    // People beside the main one are others for sure.
    let (mut same, mut others) = (Vec::new(), Vec::new());
    for (photo, main) in photos.iter().zip(&mains) {
        let faces = photo.faces.iter().enumerate().filter(|(_, seen)| !seen.vector.is_empty());
        for (place, seen) in faces {
            if Some(place) == *main { same.push(near(seen)) } else { others.push(near(seen)) }
        }
    }
    let limit = match (median(&mut same), median(&mut others)) {
        (Some(same_median), Some(other)) if same.len() >= ENOUGH => {
            other + NEARER * (same_median - other)
        }
        _ => f64::NEG_INFINITY,
    };
    let strange = |(photo, main): (&Photo, &Option<usize>)| {
        let seen = main.map(|main| &photo.faces[main]).filter(|seen| !seen.vector.is_empty());
        seen.is_some_and(|seen| near(seen) < limit)
    };
    let strangers = photos.iter().zip(&mains).map(strange).collect();
    People { mains, strangers }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The largest and most central face of a photo.
pub(super) fn main(photo: &Photo) -> Option<usize> {
    most(&photo.faces, |seen| prominence(photo, seen))
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

#[cfg(test)]
mod tests {
    use super::*;
    use wayword_vision::{Area, Face, Gray, Look, Quality, Turn};

    /// A photo of faces, each of a height and with a vector.
    fn photo(faces: &[(f32, [f32; 2])]) -> Photo {
        let seen = |(height, vector): &(f32, [f32; 2])| {
            let area = Area { left: 100.0, top: 100.0, width: 80.0, height: *height };
            let face = Face { score: 0.9, area, landmarks: [[0.0; 2]; 5] };
            Seen { face, quality: Quality::default(), vector: vector.to_vec() }
        };
        Photo {
            path: "a.jpg".into(),
            sha256: String::new(),
            size: (1000, 800),
            turn: Turn::None,
            faces: faces.iter().map(seen).collect(),
            quality: Quality::default(),
            look: Look::of(&Gray::of(&[0; 3 * 64], 3, 8)),
            small: image::RgbImage::new(1, 1),
            notes: Vec::new(),
        }
    }

    #[test]
    fn the_one_who_recurs_is_the_main_one_and_a_stranger_alone_is_told() {
        let (person, alike) = ([1.0, 0.1], [1.0, 0.3]);
        let (stranger, other) = ([0.1, 1.0], [-1.0, 0.2]);
        let photos = [
            photo(&[(200.0, stranger), (90.0, person)]),
            photo(&[(80.0, person)]),
            photo(&[(100.0, other), (60.0, alike)]),
            photo(&[(150.0, [0.0, 1.0])]),
            photo(&[]),
        ];
        let found = people(&photos);
        assert_eq!(found.mains, [Some(1), Some(0), Some(1), Some(0), None]);
        assert_eq!(found.strangers, [false, false, false, true, false]);
        // Where nobody else is seen, nobody is a stranger.
        let alone = [photo(&[(80.0, person)]), photo(&[(80.0, alike)]), photo(&[(80.0, other)])];
        assert_eq!(people(&alone).strangers, [false; 3]);
        // Without a network it is the largest.
        let unseen: Vec<Photo> = photos
            .into_iter()
            .map(|mut photo| {
                photo.faces.iter_mut().for_each(|seen| seen.vector.clear());
                photo
            })
            .collect();
        let found = people(&unseen);
        assert_eq!((found.mains[0], found.mains[2]), (Some(0), Some(0)));
        assert_eq!(found.strangers, [false; 5]);
    }
}
