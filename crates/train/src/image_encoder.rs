//! Image encoders: networks from a picture to a feature vector, and the similarity of two sets of
//! pictures.
mod kind;
pub mod onnx;
mod pixels;

use crate::{Error, Result};
use std::collections::BTreeMap;

pub use image::RgbImage;
pub use kind::NetworkKind;
pub use onnx::{Normalize, OnnxImageEncoder, OnnxOptions};

/// Other words of a prompt, the output of the bundled encoder that shows them, and its value then.
pub const SCENES: [(&str, &str, &str); 8] = [
    (" at the beach", "place", "beach"),
    (" in the snow", "place", "snow"),
    (" on a green background", "place", "green"),
    (" wearing a crown", "hat", "crown"),
    (" wearing a wizard hat", "hat", "wizard hat"),
    (" wearing a red shirt", "shirt", "red"),
    (", laughing", "mood", "laughing"),
    (", sad", "mood", "sad"),
];

/// Something that looks at pictures.
pub trait ImageEncoder {
    /// A vector that says what a picture shows. Compare by dot products of unit vectors.
    ///
    /// # Errors
    /// If the network fails or gives no finite number.
    fn vector(&self, picture: &RgbImage) -> Result<Vec<f32>>;

    /// Every output of the network for a picture, by name.
    ///
    /// # Errors
    /// If the network fails.
    fn outputs(&self, picture: &RgbImage) -> Result<BTreeMap<String, Vec<f32>>>;

    /// The names of an output's values, where the network's file has them.
    fn words(&self, output: &str) -> Option<&[String]>;

    /// Whether the picture, of which the network made `vector`, is of a kind that it can say something
    /// about, as far as that can be told; networks for photos take any picture.
    ///
    /// # Errors
    /// If the network fails.
    fn knows(&self, _picture: &RgbImage, _vector: &[f32]) -> Result<bool> {
        Ok(true)
    }

    /// The word of the largest value of an output such as `place`; `None` where it has no
    /// names.
    ///
    /// # Errors
    /// If the network fails.
    fn word(&self, picture: &RgbImage, output: &str) -> Result<Option<String>> {
        let Some(words) = self.words(output) else { return Ok(None) };
        let outputs = self.outputs(picture)?;
        let values = outputs.get(output).map(Vec::as_slice).unwrap_or_default();
        let best = values.iter().zip(words).max_by(|a, b| a.0.total_cmp(b.0));
        Ok(best.map(|(_, word)| word.clone()))
    }
}

/// How alike two sets of pictures are.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Similarity {
    /// Mean dot product of unit vectors over all pairs, -1 to 1.
    pub mean: f64,
    /// Standard deviation of the pictures' values.
    pub spread: f64,
    /// For each picture, its mean dot product with the references.
    pub pictures: Vec<f64>,
}

/// How alike the pictures are to the references.
///
/// # Errors
/// If a set is empty, or a vector is zero or of another width.
pub fn similarity(pictures: &[Vec<f32>], references: &[Vec<f32>]) -> Result<Similarity> {
    compare(pictures, references, |_, _| true)
}

/// How alike the pictures of one set are to each other: pairs of different pictures.
///
/// # Errors
/// If there are fewer than two pictures, or a vector is zero or of another width.
pub fn similarity_within(pictures: &[Vec<f32>]) -> Result<Similarity> {
    if pictures.len() < 2 {
        return Err(Error::data("at least two images are needed to compare them with each other"));
    }
    compare(pictures, pictures, |i, j| i != j)
}

fn compare(
    pictures: &[Vec<f32>],
    references: &[Vec<f32>],
    pair: impl Fn(usize, usize) -> bool,
) -> Result<Similarity> {
    if pictures.is_empty() || references.is_empty() {
        return Err(Error::data("no images to compare"));
    }
    let (ours, theirs) = (units(pictures)?, units(references)?);
    if let Some(odd) = ours.iter().chain(&theirs).find(|v| v.len() != ours[0].len()) {
        let (a, b) = (ours[0].len(), odd.len());
        return Err(Error::data(format!("vectors of {a} and of {b} values cannot be compared")));
    }
    let mut values = Vec::with_capacity(ours.len());
    for (i, a) in ours.iter().enumerate() {
        let others = theirs.iter().enumerate().filter(|(j, _)| pair(i, *j));
        let dots: Vec<f64> =
            others.map(|(_, b)| a.iter().zip(b).map(|(x, y)| x * y).sum()).collect();
        values.push(dots.iter().sum::<f64>() / dots.len() as f64);
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    Ok(Similarity { mean, spread: variance.sqrt(), pictures: values })
}

fn units(vectors: &[Vec<f32>]) -> Result<Vec<Vec<f64>>> {
    vectors.iter().map(|v| unit(v)).collect()
}

fn unit(vector: &[f32]) -> Result<Vec<f64>> {
    let norm = vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    if norm > 0.0 && norm.is_finite() {
        Ok(vector.iter().map(|v| f64::from(*v) / norm).collect())
    } else {
        Err(Error::data(format!("an image's vector has the length {norm}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similarity_is_a_mean_of_dot_products() {
        let a = [vec![2.0, 0.0], vec![0.0, 3.0]];
        let got = similarity(&a, &[vec![1.0, 0.0]]).unwrap();
        assert_eq!((got.mean, got.spread, got.pictures), (0.5, 0.5, vec![1.0, 0.0]));
        assert_eq!(similarity_within(&a).unwrap().mean, 0.0);
        assert!(similarity(&a, &[vec![0.0, 0.0]]).is_err());
        assert!(similarity(&a, &[vec![1.0]]).is_err());
        assert!(similarity(&a, &[]).is_err());
    }
}
