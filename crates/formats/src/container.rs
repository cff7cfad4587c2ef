//! What container a file is, told by its first bytes and not by its name.

use crate::error::{At, Error};
use std::io::Read;
use std::path::Path;

/// A way to pack things into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// A header of JSON, then tensors.
    SafeTensors,
    /// A pickle, bare or in a zip archive, as torch writes it.
    Torch,
    /// A PNG or WebP picture, which can hold an embedding.
    Picture,
    /// A picture of another kind, such as JPEG, GIF or HEIC.
    OtherPicture,
}

impl Container {
    /// The container of a file: by its first bytes, and where these are unknown (a damaged file) by
    /// the ending of its name, so that an error speaks of what the file should be.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn of(path: &Path) -> Result<Option<Self>, Error> {
        let mut start = Vec::new();
        let file = std::fs::File::open(path).at(path)?;
        file.take(16).read_to_end(&mut start).at(path)?;
        Ok(Self::of_bytes(&start).or_else(|| Self::of_ending(path)))
    }

    /// The container that a file's first 16 bytes show.
    #[must_use]
    pub fn of_bytes(start: &[u8]) -> Option<Self> {
        if start.starts_with(b"\x89PNG\r\n\x1a\n")
            || (start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP"))
        {
            return Some(Self::Picture);
        }
        if start.starts_with(b"PK\x03\x04") {
            return Some(Self::Torch);
        }
        // The length of the header, then the header; no file has one of 2^40 bytes.
        if start.get(8) == Some(&b'{') && start.get(5..8) == Some(&[0, 0, 0]) {
            return Some(Self::SafeTensors);
        }
        if start.first() == Some(&0x80) && start.get(1).is_some_and(|v| (2..=5).contains(v)) {
            return Some(Self::Torch);
        }
        crate::picture::is_other_kind(start).then_some(Self::OtherPicture)
    }

    fn of_ending(path: &Path) -> Option<Self> {
        match crate::endings::of(path).as_str() {
            "safetensors" => Some(Self::SafeTensors),
            "pt" | "ckpt" | "bin" | "pth" => Some(Self::Torch),
            "png" | "webp" => Some(Self::Picture),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Container;
    use crate::array::{Array, Dtype};
    use crate::pickle::Value;
    use crate::{embedding, kind, lora, pickle, safetensors};
    use std::collections::BTreeMap;

    #[test]
    fn content_counts_and_not_the_ending() {
        let dir = tempfile::tempdir().unwrap();
        let array = || Array::from_f32_as(Dtype::F32, vec![2, 4], &[0.5; 8]).unwrap();
        let none = BTreeMap::new();
        // A word whose file is called as the other container is.
        let swapped = dir.path().join("word.pt");
        let right = dir.path().join("right.safetensors");
        safetensors::write(&right, &[("emb_params", array())], &none).unwrap();
        std::fs::rename(&right, &swapped).unwrap();
        assert_eq!(embedding::read(&swapped).unwrap().count, 2);
        assert_eq!(kind(&swapped).unwrap(), crate::FileKind::Embedding);
        let torch = dir.path().join("torch.pt");
        pickle::write(&torch, &Value::dict([("emb_params", Value::Tensor(array()))])).unwrap();
        for name in ["other.safetensors", "word.tensors"] {
            let path = dir.path().join(name);
            std::fs::copy(&torch, &path).unwrap();
            assert_eq!(embedding::read(&path).unwrap().count, 2, "{name}");
        }
        // A LoRA likewise.
        let key = |end: &str| format!("lora_unet_mid_block_attentions_0_proj_in.lora_{end}.weight");
        let path = dir.path().join("lora.bin");
        let lora = dir.path().join("lora.safetensors");
        safetensors::write(&lora, &[(key("up"), array()), (key("down"), array())], &none).unwrap();
        std::fs::rename(&lora, &path).unwrap();
        assert_eq!(lora::read(&path).unwrap().adapters.len(), 1);
        assert_eq!(lora::folder(dir.path()).unwrap().files.len(), 4);
    }

    #[test]
    fn damaged_files_keep_what_their_name_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        std::fs::write(&path, b"<html>").unwrap();
        assert_eq!(Container::of(&path).unwrap(), Some(Container::SafeTensors));
        assert_eq!(Container::of_bytes(b"hello, world, hello"), None);
    }
}
