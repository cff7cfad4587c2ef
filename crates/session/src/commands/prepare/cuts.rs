//! Images that are cut while a photo's pixels are there.
use super::record::Choice;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use wayword_vision::{Crop, Rgb, Turn, View, cut};

/// Bytes that images may take until it is known which of them are wanted: about 80 of 512 x 512.
const ROOM: usize = 64 << 20;

/// Makes images as long as there is room for them.
pub(super) struct Cuts {
    size: (usize, usize),
    room: AtomicUsize,
}

/// An image, and the choice by which it was made.
pub(super) struct Cut {
    choice: Choice,
    image: Rgb,
}

impl Cuts {
    /// Of images of `size`.
    pub(super) fn new(size: (usize, usize)) -> Self {
        Self { size, room: AtomicUsize::new(ROOM) }
    }

    /// The images of a photo by choices, as many as there is room for.
    pub(super) fn of(&self, photo: View<'_>, choices: &[Choice]) -> Vec<Cut> {
        let bytes = self.size.0 * self.size.1 * 3;
        let has_room = || {
            let take = |room: usize| room.checked_sub(bytes);
            self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
        };
        let crops = choices.iter().filter_map(|choice| Some((choice, choice.crop?)));
        crops
            .take_while(|_| has_room())
            .map(|(choice, crop)| {
                let image = image(photo, choice.turn, crop, self.size);
                Cut { choice: *choice, image }
            })
            .collect()
    }
}

/// The image by a choice, where it is among those that were made.
pub(super) fn pick(made: Vec<Cut>, choice: Choice) -> Mutex<Option<Rgb>> {
    Mutex::new(made.into_iter().find(|cut| cut.choice == choice).map(|cut| cut.image))
}

/// The crop of a turned photo, resampled once.
pub(super) fn image(photo: View<'_>, turn: Turn, crop: Crop, size: (usize, usize)) -> Rgb {
    let before = turn.undone(crop, photo.size());
    turn.apply(&cut(photo, before, turn.size(size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_made_while_there_is_room() {
        let rgb: Vec<u8> = (0..8 * 6 * 3).map(|i| i as u8).collect();
        let photo = View::new(8, 6, &rgb).unwrap();
        let choice = |left| {
            let crop = Crop { left, top: 1, width: 4, height: 4 };
            Choice { turn: Turn::Right, crop: Some(crop), keep: true }
        };
        let choices = [choice(0), choice(1), choice(2)];
        let cuts = Cuts::new((4, 4));
        cuts.room.store(2 * 4 * 4 * 3, Ordering::Relaxed);
        let made = cuts.of(photo, &choices);
        assert_eq!(made.len(), 2);
        assert_eq!(cuts.of(photo, &choices).len(), 0, "the room is full");
        let wanted = pick(made, choices[1]).into_inner().unwrap();
        assert_eq!(wanted, Some(image(photo, Turn::Right, choices[1].crop.unwrap(), (4, 4))));
        assert_eq!(*pick(Vec::new(), choices[1]).lock().unwrap(), None);
    }
}
