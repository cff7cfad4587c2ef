//! What can be asked for: one struct per command, filled by a face, turned into a checked plan elsewhere.
#![allow(missing_docs, reason = "groups of options are documented by their own structs")]
mod bench;
mod check;
mod common;
mod convert;
mod demo;
mod draw;
mod explain;
mod grid;
mod inspect;
mod likeness;
mod rerun;
mod settings;
mod train;

pub use bench::{Bench, Instructions, Work as BenchWork};
pub use check::Check;
pub use common::{Base, Machine, Precision, Prediction, Size};
pub use convert::{Convert, FileType as ConvertType, Layout as ConvertLayout};
pub use demo::Demo;
pub use draw::{Content, Draw, Format, Hires, Image, Shape, Sides};
pub use explain::Explain;
pub use grid::Grid;
pub use inspect::Inspect;
pub use likeness::Likeness;
pub use rerun::Rerun;
pub use settings::{Emphasis, Noise, Places, Settings};
pub use train::Train;
