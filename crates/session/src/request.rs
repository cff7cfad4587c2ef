//! What can be asked for: one struct per command, whose declaration is all that describes its options.
mod bench;
mod convert;
mod demo;
mod draw;
mod explain;
mod grid;
mod inspect;
mod likeness;
mod rerun;
mod settings;

pub use bench::{Bench, Instructions, Work as BenchWork};
pub use convert::{Convert, FileType as ConvertType, Layout as ConvertLayout};
pub use demo::Demo;
pub use draw::{Content, Draw, Format, Hires, Image, Shape};
pub use explain::Explain;
pub use grid::Grid;
pub use inspect::Inspect;
pub use likeness::{Likeness, Normalization};
pub use rerun::Rerun;
pub use settings::{Emphasis, Noise, Places, Settings};
pub use wayword_interface::options::{Seed, Sides, Size};
pub use wayword_train::request::{Base, Machine, Precision, Prediction, Train};
