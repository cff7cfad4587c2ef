//! What the preparation of photos is asked.
use std::path::PathBuf;
use wayword_interface::options::Size;
use wayword_interface::{choices, options};

options! {
    /// Make training images of photos as they come from phones and cameras.
    ///
    /// Finds faces, crops around the person without cutting a face, and leaves out photos that are
    /// blurred, dark, too small or nearly the same as another, each with its reason. `prepare.json` in
    /// the output folder holds every decision; change `crop`, `turn` or `keep` there and run the command
    /// again with {prepare.overwrite}. Photos are never changed.
    pub struct Prepare("prepare") {
        "" COMMON {
            /// Photos, or folders of photos
            photos: Vec<PathBuf> => value_name: "PHOTOS", positional: true, need: Need::Always;
            /// Output folder, such as "100_evagreen woman"
            out: PathBuf => value_name: "DIR", need: Need::Always;
            /// Show what would be done, and write nothing
            dry_run: bool;
            /// Write into a folder that is not empty; changes made in its `prepare.json` are kept
            overwrite: bool;
        }
        "Crops" COMMON {
            /// Size of the images
            resolution: Size = Size { width: 512, height: 512 } => value_name: "W,H";
            /// What the photos show
            subject: Subject = Subject::Person => value_name: "WHAT";
            /// How much of the person is shown
            framing: Framing = Framing::Auto => value_name: "HOW";
            /// Greatest enlargement; smaller photos are left out
            max_upscale: f64 = 1.5 => value_name: "X", min: 1.0, max: 8.0;
            /// Keep photos that are enlarged more than {prepare.max_upscale}
            keep_small: bool;
            /// Face network as an ONNX file of 112 x 112 pixels, or `auto` as in `wayword likeness`: in
            /// photos of several people, the person who recurs through the set is chosen [default: the
            /// largest and most central face]
            judge: Option<PathBuf> => value_name: "FILE.onnx|auto";
        }
        "Output" COMMON {
            /// Format of the images
            format: PreparedFormat = PreparedFormat::Png => value_name: "KIND";
            /// Also write masks of head and shoulders into DIR/masks, for {train.masks}
            masks: bool;
            /// Write events and the result as JSON, one object a line
            json: bool => scope: Scope::Terminal;
        }
    }
}

choices! {
    /// What the photos show.
    pub enum Subject {
        /// A person: crops are placed around the face
        Person = "person",
        /// An object: crops are placed in the middle
        Object = "object",
        /// A style: crops are placed in the middle
        Style = "style",
    }
}

choices! {
    /// How much of a person is shown.
    pub enum Framing {
        /// Two thirds head and shoulders, some of the upper body, some whole
        Auto = "auto",
        /// The head
        Face = "face",
        /// Head and shoulders
        Portrait = "portrait",
        /// Down to the waist
        Upper = "upper",
        /// The whole figure
        Whole = "whole",
    }
}

choices! {
    /// Format of a training image.
    pub enum PreparedFormat {
        /// Lossless
        Png = "png",
        /// JPEG of quality 95
        Jpg = "jpg",
    }
}
