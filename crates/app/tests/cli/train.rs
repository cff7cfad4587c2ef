//! `wayword train` on the bundled model.
