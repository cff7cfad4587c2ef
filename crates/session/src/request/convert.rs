//! What a conversion of an embedding file is asked.
use std::path::PathBuf;
use wayword_interface::{choices, options};
use wayword_train::run_folder::steps::StepChoice;

options! {
    /// Convert an embedding to another file format: kohya's, A1111's or diffusers'.
    ///
    /// The extension of OUT chooses: .safetensors is kohya's layout, which every program reads, .pt is
    /// A1111's, .bin is diffusers'. The values do not change. IN may also be the run folder of a training,
    /// whose vectors are kept after every step.
    pub struct Convert("convert") {
        "" COMMON {
            /// Embedding: .safetensors, .pt, .bin, an image that contains one, or a run folder NAME.run
            input: PathBuf => value_name: "IN", positional: true, need: Need::Always;
            /// Output file: .safetensors, .pt or .bin
            output: PathBuf => value_name: "OUT", positional: true, need: Need::Always;
            /// Program that will read the file; chooses layout, key and data type
            for_program: Option<Program> => flag: "for", value_name: "PROGRAM", conflicts: &["layout", "dtype"];
            /// Layout [default: by the extension of OUT]
            layout: Option<Layout> => value_name: "KIND";
            /// Name inside diffusers' and A1111's layouts [default: the one in IN, else the file
            /// name of OUT]
            token: Option<String> => value_name: "WORD";
            /// Steps of a run folder: one, the mean over a range as 400..800, or a place between two as
            /// 400~800@0.25 [default: the last]
            step: Option<StepChoice> => value_name: "STEP";
            /// Strength: multiplies the length of the vectors [default: 1]
            strength: Option<f64> => value_name: "X";
            /// Data type of the values [default: that of IN]
            dtype: Option<FileType> => value_name: "KIND";
            /// Overwrite an existing file
            overwrite: bool;
            /// Write one JSON object to standard output
            json: bool => scope: Scope::Terminal;
        }
    }
}

choices! {
    /// A program that is to read the file.
    pub enum Program {
        /// AUTOMATIC1111's web UI, Forge and reForge
        A1111 = "a1111",
        /// ComfyUI
        ComfyUi = "comfyui",
        /// diffusers, without giving the name again
        Diffusers = "diffusers",
        /// InvokeAI
        InvokeAi = "invokeai",
        /// OneTrainer, to continue training
        OneTrainer = "onetrainer",
        /// SD.Next
        SdNext = "sdnext",
        /// stable-diffusion.cpp
        SdCpp = "sdcpp",
    }
}

choices! {
    /// Layout of a file.
    pub enum Layout {
        /// One tensor `emb_params`, with metadata in a .safetensors
        Kohya = "kohya",
        /// The structure with `string_to_param`, a .pt or .bin
        A1111 = "a1111",
        /// One tensor whose key is the name, a .safetensors or .bin
        Diffusers = "diffusers",
    }
}

choices! {
    /// The type of values in a file.
    pub enum FileType {
        /// 32-bit floats
        F32 = "f32",
        /// 16-bit floats
        F16 = "f16",
        /// The upper halves of 32-bit floats
        Bf16 = "bf16",
    }
}
