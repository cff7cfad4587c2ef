//! `wayword convert`: flags for turning one kind of embedding file into another.
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Turn an embedding file into another kind: kohya's, A1111's or diffusers'.
///
/// The ending of OUT chooses: .safetensors is kohya's and read everywhere, .pt is A1111's, .bin is
/// diffusers'. The values stay what they are.
#[derive(Debug, Clone, Args)]
pub struct Convert {
    /// An embedding: .safetensors, .pt, .bin, or a picture that holds one
    #[arg(value_name = "IN")]
    pub input: PathBuf,

    /// The file to write: .safetensors, .pt or .bin
    #[arg(value_name = "OUT")]
    pub output: PathBuf,

    /// Whose layout [default: by the ending of OUT]
    #[arg(long, value_enum, value_name = "KIND")]
    pub layout: Option<Layout>,

    /// The word inside diffusers' and A1111's layouts [default: the one in IN, else OUT's name]
    #[arg(long, value_name = "WORD")]
    pub token: Option<String>,

    /// Type of the values [default: that of IN]
    #[arg(long, value_enum, value_name = "KIND")]
    pub dtype: Option<FileType>,

    /// Write over a file that is there
    #[arg(long)]
    pub overwrite: bool,

    /// Write one JSON object to standard output
    #[arg(long)]
    pub json: bool,
}

/// Whose layout a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// One tensor `emb_params`, with metadata in a .safetensors
    Kohya,
    /// The structure with `string_to_param`, a .pt or .bin
    A1111,
    /// One tensor whose key is the word, a .safetensors or .bin
    Diffusers,
}

/// The type of values in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileType {
    /// 32-bit floats
    F32,
    /// 16-bit floats
    F16,
    /// The upper halves of 32-bit floats
    Bf16,
}
