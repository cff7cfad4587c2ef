//! `wayword draw` on the bundled model.
