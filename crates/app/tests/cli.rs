//! What people see: help, mistakes, and the commands on the bundled model.
mod cli {
    mod demo;
    mod draw;
    mod files;
    mod help;
    mod mistakes;
    pub(crate) mod program;
    mod train;
}
