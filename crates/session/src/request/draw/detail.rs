//! Drawing faces again: the face detailer.
use std::path::PathBuf;
use wayword_interface::options;

options! {
    /// Faces that are drawn again.
    pub struct Detail("any") {
        "Face detailer" COMMON {
            /// Find faces and draw each again at full size (A1111's ADetailer)
            detail: bool;
            /// Prompt for faces, wildcards included [default: the prompt]; `[SEP]` separates those of
            /// several faces, `[PROMPT]` stands for the image's, `[SKIP]` leaves a face as it is
            detail_prompt: Option<String> => value_name: "PROMPT";
            /// Negative prompt for faces [default: {any.negative}]
            detail_negative: Option<String> => value_name: "PROMPT";
            /// Denoising strength of faces, 0 to 1 [default: 0.4]
            detail_denoise: Option<f64> => value_name: "X", min: 0.0, max: 1.0;
            /// Score from which on a face counts, 0 to 1 [default: 0.3]
            detail_confidence: Option<f64> => value_name: "X", min: 0.0, max: 1.0;
            /// Pixels around a face to include [default: 32]
            detail_padding: Option<u32> => value_name: "N";
            /// Masks to draw again instead of detected faces, of the image's size
            detail_mask: Vec<PathBuf> => value_name: "FILE", many: true;
            /// Any other setting, by ADetailer's name: `ad_mask_blur=8`; may be repeated. Names with
            /// `2nd`, such as `ad_prompt 2nd=...`, are those of a second pass over the result
            detail_set: Vec<String> => value_name: "KEY=VALUE";
        }
    }
}
