//! Which photo of a set is framed how: mostly head and shoulders, some of the upper body, some whole.
use crate::Framing;

/// What decides how a photo can be framed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Framable {
    /// Width and height of the photo.
    pub photo: (usize, usize),
    /// Top of the face.
    pub top: f32,
    /// Height of the face.
    pub face: f32,
}

impl Framable {
    /// Whether a framing is not enlarged by more than `most`.
    fn is_large_enough(self, framing: Framing, size: (usize, usize), most: f64) -> bool {
        f64::from(framing.height(self.face, size)) * most >= size.1 as f64
    }

    /// Whether the photo shows nearly as much as a framing wants.
    fn shows(self, framing: Framing, size: (usize, usize)) -> bool {
        const NEARLY: f32 = 0.85;
        let height = framing.height(self.face, size);
        let above = framing.lengths().2 * self.face;
        let below = self.photo.1 as f32 - (self.top - above).max(0.0);
        below >= NEARLY * height
            && self.photo.0 as f32 >= NEARLY * height * size.0 as f32 / size.1 as f32
    }

    /// The framings that [`assign`] may give it, the likeliest first.
    #[must_use]
    pub fn framings(self, size: (usize, usize), most: f64) -> Vec<Framing> {
        let shows = |framing: &Framing| self.shows(*framing, size);
        let wider = [Framing::Upper, Framing::Whole].into_iter();
        if self.is_large_enough(Framing::Portrait, size, most) {
            return [Framing::Portrait].into_iter().chain(wider.filter(shows)).collect();
        }
        // Small faces leave no choice: the nearest framing that is not enlarged too much.
        let mut wider = wider.filter(|f| self.is_large_enough(*f, size, most)).filter(shows);
        vec![wider.next().unwrap_or(Framing::Upper)]
    }
}

/// A framing for each photo of a set: two thirds head and shoulders, two ninths the upper body, one
/// ninth the whole figure, as far as the photos show it and without enlarging by more than `most`.
#[must_use]
pub fn assign(photos: &[Framable], size: (usize, usize), most: f64) -> Vec<Framing> {
    let count = photos.len();
    let possible: Vec<_> = photos.iter().map(|photo| photo.framings(size, most)).collect();
    let forced = |framings: &Vec<Framing>| {
        framings.first().copied().filter(|framing| *framing != Framing::Portrait)
    };
    let mut out: Vec<Option<Framing>> = possible.iter().map(forced).collect();
    // Those whose faces are smallest in the photo lose least by a wide framing.
    let mut order: Vec<usize> = (0..count).collect();
    let part = |i: usize| photos[i].face / photos[i].photo.1 as f32;
    order.sort_by(|a, b| part(*a).total_cmp(&part(*b)));
    for (framing, quota) in [(Framing::Whole, count / 9), (Framing::Upper, (2 * count + 4) / 9)] {
        for place in &order {
            let have = out.iter().filter(|f| **f == Some(framing)).count();
            if have < quota && out[*place].is_none() && possible[*place].contains(&framing) {
                out[*place] = Some(framing);
            }
        }
    }
    out.into_iter().map(|framing| framing.unwrap_or(Framing::Portrait)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thirds_are_head_and_shoulders() {
        let photos: Vec<Framable> = (0..18)
            .map(|i| Framable { photo: (3000, 4000), top: 300.0, face: 250.0 + i as f32 })
            .collect();
        let framings = assign(&photos, (512, 512), 1.5);
        let count = |framing| framings.iter().filter(|f| **f == framing).count();
        assert_eq!(Framing::ALL.map(count), [0, 12, 4, 2]);
        assert_eq!(framings[0], Framing::Whole);
    }

    #[test]
    fn small_faces_are_shown_with_more_around_them() {
        let far = Framable { photo: (1000, 1500), top: 200.0, face: 70.0 };
        assert_eq!(assign(&[far], (512, 512), 1.5), [Framing::Upper]);
        let near = Framable { face: 400.0, ..far };
        assert_eq!(assign(&[near], (512, 512), 1.5), [Framing::Portrait]);
    }
}
