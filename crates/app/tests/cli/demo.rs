//! `wayword demo` on the bundled model.
