//! Options that several commands share: the base, the machine, sizes.
use clap::{Args, ValueEnum};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The checkpoint to work with.
#[derive(Debug, Clone, Args)]
pub struct Base {
    /// Checkpoint: a .safetensors or .ckpt file, or a diffusers folder. Left out, the Hugging Face
    /// cache and the model folders of A1111 and ComfyUI are searched for the original 1.5 or 1.4
    #[arg(long, value_name = "CKPT", help_heading = "Model")]
    pub base: Option<PathBuf>,

    /// Another VAE than the checkpoint's own
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    pub vae: Option<PathBuf>,

    /// What the checkpoint predicts, where its own metadata does not say
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Model")]
    pub prediction: Option<Prediction>,
}

/// How the machine is used.
#[derive(Debug, Clone, Args)]
pub struct Machine {
    /// Precision of the products; sums are always f32 [default: bf16 where the processor has such
    /// products, else f32]
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Machine")]
    pub precision: Option<Precision>,

    /// Threads to use [default: one per core]
    #[arg(long, value_name = "N", value_parser = at_least_one, help_heading = "Machine")]
    pub threads: Option<usize>,

    /// Write events as JSON, one object a line, to standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// What the UNet was trained to predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Prediction {
    /// The noise (nearly every checkpoint)
    Epsilon,
    /// The velocity
    V,
}

/// The precision of products; sums are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// 32-bit products
    F32,
    /// 16-bit products where the processor has them, else 32-bit
    Bf16,
}

/// A width and a height in pixels, written `W,H`, `WxH` or one number for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let mut numbers = text.split([',', 'x', 'X']).map(|n| n.trim().parse::<u32>());
        let size = match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(side)), None, None) => Size { width: side, height: side },
            (Some(Ok(width)), Some(Ok(height)), None) => Size { width, height },
            _ => return Err("expected W,H in pixels, as in 512,768".into()),
        };
        // The VAE halves a picture three times.
        let fits = |side: u32| side >= 64 && side.is_multiple_of(8) && side <= 8192;
        if fits(size.width) && fits(size.height) {
            Ok(size)
        } else {
            let near = |side: u32| (side.clamp(64, 8192) + 4) / 8 * 8;
            Err(format!(
                "both sides must be multiples of 8 from 64 to 8192; the nearest is {},{}",
                near(size.width),
                near(size.height)
            ))
        }
    }
}

/// A seed; -1 is a random one, as in A1111.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    match text {
        "-1" => Ok(crate::random_seed()),
        _ => text.parse().map_err(|_| "expected a whole number from 0, or -1".into()),
    }
}

/// A count that may not be nought.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(n) => Ok(n),
        Err(_) => Err("expected a whole number".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_three_spellings() {
        let size = |t: &str| t.parse::<Size>();
        assert_eq!(size("512,768"), Ok(Size { width: 512, height: 768 }));
        assert_eq!(size("512x768"), Ok(Size { width: 512, height: 768 }));
        assert_eq!(size("64"), Ok(Size { width: 64, height: 64 }));
        assert!(size("500,512").unwrap_err().contains("504,512"));
        assert!(size("0").is_err());
        assert!(size("1,2,3").is_err());
        assert!(size("wide").is_err());
    }
}
