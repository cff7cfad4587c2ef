//! What a conversion of an embedding file is asked.
use std::path::PathBuf;
use wayword_interface::{choices, options};

options! {
    /// Turn an embedding file into another kind: kohya's, A1111's or diffusers'.
    ///
    /// The ending of OUT chooses: .safetensors is kohya's and read everywhere, .pt is A1111's, .bin is
    /// diffusers'. The values stay what they are.
    pub struct Convert("convert") {
        "" COMMON {
            /// An embedding: .safetensors, .pt, .bin, or a picture that holds one
            input: PathBuf => value_name: "IN", positional: true, need: Need::Always;
            /// The file to write: .safetensors, .pt or .bin
            output: PathBuf => value_name: "OUT", positional: true, need: Need::Always;
            /// Write what this program reads: its layout, key and type of values
            for_program: Option<Program> => flag: "for", value_name: "PROGRAM", conflicts: &["layout", "dtype"];
            /// Whose layout [default: by the ending of OUT]
            layout: Option<Layout> => value_name: "KIND";
            /// The word inside diffusers' and A1111's layouts [default: the one in IN, else OUT's name]
            token: Option<String> => value_name: "WORD";
            /// Type of the values [default: that of IN]
            dtype: Option<FileType> => value_name: "KIND";
            /// Write over a file that is there
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
        /// diffusers, without naming the word again
        Diffusers = "diffusers",
        /// InvokeAI
        InvokeAi = "invokeai",
        /// OneTrainer, to go on training
        OneTrainer = "onetrainer",
        /// SD.Next
        SdNext = "sdnext",
        /// stable-diffusion.cpp
        SdCpp = "sdcpp",
    }
}

choices! {
    /// Whose layout a file has.
    pub enum Layout {
        /// One tensor `emb_params`, with metadata in a .safetensors
        Kohya = "kohya",
        /// The structure with `string_to_param`, a .pt or .bin
        A1111 = "a1111",
        /// One tensor whose key is the word, a .safetensors or .bin
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
