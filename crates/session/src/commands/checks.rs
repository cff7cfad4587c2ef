//! Checks that several commands make before anything is loaded.
use crate::Failure;
use crate::request::Places;

/// Every folder or file of words, LoRAs and wildcards must exist.
///
/// # Errors
/// Names the first that does not.
pub(crate) fn places_exist(places: &Places) -> Result<(), Failure> {
    let lists = [
        (&places.embeddings, "{draw.embeddings} takes a folder of embedding files, or one file"),
        (&places.loras, "{draw.loras} takes a folder of LoRA files"),
        (&places.wildcards, "{draw.wildcards} takes a folder of .txt, .yaml and .json files"),
    ];
    for (places, hint) in lists {
        if let Some(missing) = places.iter().find(|place| !place.exists()) {
            let what = format!("no such folder or file: {}", missing.display());
            return Err(Failure::user(what).hint(hint));
        }
    }
    Ok(())
}
