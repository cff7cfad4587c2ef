//! A face: where it is, its five landmarks, and how the head is held.
use crate::Area;
use serde::{Deserialize, Serialize};

/// A face that was found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// How sure the detector is, 0 to 1.
    pub score: f32,
    /// From the forehead to the chin; may reach beyond the picture.
    pub area: Area,
    /// Right eye, left eye, nose, right and left corner of the mouth, `[x, y]` in pixels; right is the
    /// person's own, left in the picture.
    pub landmarks: [[f32; 2]; 5],
}

/// Which side of a face is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pose {
    /// From the front.
    Front,
    /// Turned to a side, both eyes seen.
    ThreeQuarter,
    /// From the side.
    Profile,
}

impl Face {
    /// Degrees by which the head leans to the picture's right: 0 upright, 90 lying, from the eyes.
    #[must_use]
    pub fn roll(&self) -> f32 {
        let [right, left, ..] = self.landmarks;
        (left[1] - right[1]).atan2(left[0] - right[0]).to_degrees()
    }

    /// How far the nose lies from between the eyes, along their line, in distances of the eyes: 0
    /// from the front, negative turned to the picture's left. A measure of the turn, not an angle.
    #[must_use]
    pub fn turned(&self) -> f32 {
        let [right, left, nose, ..] = self.landmarks;
        let (dx, dy) = (left[0] - right[0], left[1] - right[1]);
        let middle = [f32::midpoint(right[0], left[0]), f32::midpoint(right[1], left[1])];
        // Eyes of a profile nearly coincide: the face's width keeps the measure in bounds.
        let distance = dx.hypot(dy).max(self.area.width / 8.0).max(f32::EPSILON);
        let along = (nose[0] - middle[0]) * dx + (nose[1] - middle[1]) * dy;
        along / (distance * dx.hypot(dy).max(f32::EPSILON))
    }

    /// Which side is seen.
    #[must_use]
    pub fn pose(&self) -> Pose {
        match self.turned().abs() {
            turned if turned < 0.22 => Pose::Front,
            turned if turned < 0.62 => Pose::ThreeQuarter,
            _ => Pose::Profile,
        }
    }

    /// The same in a picture that is larger by a factor.
    #[must_use]
    pub fn scaled(&self, by: f32) -> Self {
        let landmarks = self.landmarks.map(|point| point.map(|v| v * by));
        Self { score: self.score, area: self.area.scaled(by), landmarks }
    }
}
