//! What is seen in photographs: faces, sharpness and light, near-duplicates, and crops around people.
//!
//! Works on pixels of 8 bits in memory and knows no file, no model of ours and no tensor of ours.
//! Finds the face of a photo and frames head and shoulders:
//!
//! ```
//! use wayword_vision::{Detector, Framing, View, frame};
//!
//! # fn main() -> Result<(), wayword_interface::Diagnostic> {
//! # let (width, height, rgb) = (64, 64, vec![128; 64 * 64 * 3]);
//! let Some(photo) = View::new(width, height, &rgb) else { return Ok(()) };
//! let found = Detector::bundled()?.find(photo)?;
//! if let Some(face) = found.faces.first() {
//!     let framed = frame((width, height), face.area, &[], Framing::Portrait, (512, 512));
//!     assert!(framed.is_ok_and(|framed| framed.crop.right() <= width));
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod align;
mod area;
mod auto;
mod detector;
mod face;
mod framing;
mod gray;
mod look;
mod mask;
mod nms;
mod quality;
mod resample;
mod turn;
mod view;

pub use align::aligned;
pub use area::{Area, Crop};
pub use auto::{Framable, assign};
pub use detector::{Detector, Found, Outputs, largest};
pub use face::{Face, Pose};
pub use framing::{CannotFrame, Framed, Framing, frame};
pub use gray::Gray;
pub use look::Look;
pub use mask::head_and_shoulders;
pub use quality::Quality;
pub use resample::{cut, decimate};
pub use turn::Turn;
pub use view::{Rgb, View};
