//! What the libraries and every face (terminal, web page, other programs) agree on: options and
//! stop requests go down, events and diagnostics come up.
#![forbid(unsafe_code)]

mod counted;
mod diagnostic;
mod events;
mod fields;
pub mod options;
mod stop;
pub mod text_file;
mod warning;

pub use counted::counted;
pub use diagnostic::{Diagnostic, Rendered};
pub use events::{Events, Quiet};
pub use fields::{FieldNames, LabelNames, PlainNames, render_fields};
pub use stop::Stop;
pub use warning::Warning;
