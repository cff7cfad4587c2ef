//! What the user has to say about an embedding, for the headers of its files.
use super::TrainOptions;
use crate::error::AtFile as _;
use crate::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use wayword_formats::endings;

/// A thumbnail with more bytes than this would make files of a few kilobytes large.
const MOST_BYTES: u64 = 1 << 20;

/// What an embedding's file says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FileTexts {
    /// By the keys of [`wayword_formats::ModelSpec::texts`], and the `title`; title and
    /// `trigger_phrase` are the embedding's name where they are not given.
    pub texts: BTreeMap<String, String>,
    /// A comment on the training.
    pub comment: Option<String>,
    /// The range of timesteps, as far as it was given.
    pub timesteps: (Option<u32>, Option<u32>),
    /// The clip skip, where one was given.
    pub clip_skip: Option<u32>,
}

impl FileTexts {
    /// As options say; a thumbnail's file is read.
    ///
    /// # Errors
    /// If the thumbnail cannot be read or is large.
    pub(super) fn of(options: &TrainOptions) -> Result<Self> {
        let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok());
        let o = options;
        let thumbnail = o.metadata_thumbnail.as_deref().map(data_url).transpose()?;
        let texts = [
            ("title", &o.metadata_title),
            ("author", &o.metadata_author),
            ("description", &o.metadata_description),
            ("license", &o.metadata_license),
            ("tags", &o.metadata_tags),
            ("usage_hint", &o.metadata_usage_hint),
            ("trigger_phrase", &o.metadata_trigger_phrase),
            ("merged_from", &o.metadata_merged_from),
            ("preprocessor", &o.metadata_preprocessor),
            ("is_negative_embedding", &o.metadata_is_negative_embedding),
            ("thumbnail", &thumbnail),
        ];
        let given = |(key, text): (&str, &Option<String>)| Some((key.to_owned(), text.clone()?));
        Ok(Self {
            texts: texts.into_iter().filter_map(given).collect(),
            comment: options.training_comment.clone(),
            timesteps: (number(options.min_timestep), number(options.max_timestep)),
            clip_skip: number(options.clip_skip),
        })
    }
}

/// A picture's file as a `data:` URL, of the kind that its ending says; a URL as it is.
fn data_url(text: &str) -> Result<String> {
    if text.starts_with("data:") {
        return Ok(text.to_owned());
    }
    let path = Path::new(text);
    let size = path.metadata().at(path)?.len();
    if size > MOST_BYTES {
        let found = format!("{text} of {size} bytes");
        return Err(Error::option("train.metadata_thumbnail", "an image of at most 1 MiB", found)
            .with_hint("make it smaller: it lies in every file of the word"));
    }
    let ending = endings::of(path);
    let kind = match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        _ => "application/octet-stream",
    };
    Ok(format!("data:{kind};base64,{}", STANDARD.encode(std::fs::read(path).at(path)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_becomes_a_url() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("small.PNG");
        std::fs::write(&path, b"abc").unwrap();
        let url = data_url(path.to_str().unwrap()).unwrap();
        assert_eq!(url, "data:image/png;base64,YWJj");
        assert_eq!(data_url(&url).unwrap(), url);
        std::fs::write(&path, vec![0; (1 << 20) + 1]).unwrap();
        let large = data_url(path.to_str().unwrap()).unwrap_err();
        assert!(large.to_string().contains("1 MiB"), "{large}");
        assert!(data_url("no/such.png").unwrap_err().to_string().contains("such.png"));
    }
}
