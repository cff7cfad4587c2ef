//! Every operation, forward against its plain form and backward against finite differences of
//! that, over awkward shapes, on every instruction set that this processor has.
#![allow(clippy::unwrap_used, reason = "a test's helpers may fail")]
mod ops {
    pub(crate) mod check;
    mod moving;
    mod norms;
    mod products;
    mod tape;
}
