//! Checks that several commands make before anything is loaded.
use crate::failure::Failure;
use std::path::PathBuf;

/// Every place of embeddings must exist.
///
/// # Errors
/// Names the first that does not.
pub(crate) fn places_exist(places: &[PathBuf]) -> Result<(), Failure> {
    match places.iter().find(|place| !place.exists()) {
        None => Ok(()),
        Some(missing) => {
            Err(Failure::user(format!("no such folder or file: {}", missing.display()))
                .hint("--embeddings takes a folder of embedding files, or one file"))
        }
    }
}
