//! The trainable vectors: how they start, their gradient as a sum over positions, and its norm.
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// `count` new vectors of width `dim`, started from the rows of `ids`: vector `i` is row `ids[i mod len]`.
///
/// `row` gives the base's row of an id; the result is `[count, dim]`.
///
/// # Errors
/// If there is no id, as of an empty init text, or a row has another width.
pub fn from_ids(
    ids: &[u32],
    count: usize,
    dim: usize,
    mut row: impl FnMut(u32) -> Vec<f32>,
) -> Result<Vec<f32>> {
    if ids.is_empty() {
        return Err(Error::data("the init text holds no word to start from")
            .with_hint("name a word close to what the images show, such as {train.init} woman"));
    }
    let mut rows = Vec::with_capacity(count * dim);
    for i in 0..count {
        let id = ids[i % ids.len()];
        let values = row(id);
        if values.len() != dim {
            return Err(Error::data(format!(
                "row {id} of the token table has {} numbers, expected {dim}",
                values.len()
            )));
        }
        rows.extend_from_slice(&values);
    }
    Ok(rows)
}

/// `count` new vectors that all start at the mean of the base's rows, as where no init word is given.
///
/// `table` is `[rows, dim]`. (kohya adds noise of a billionth of the table's spread, to no effect.)
#[must_use]
pub fn from_mean(table: &[f32], count: usize, dim: usize) -> Vec<f32> {
    let mut sum = vec![0f64; dim];
    let rows = table.chunks_exact(dim);
    let n = rows.len().max(1) as f64;
    for row in rows {
        sum.iter_mut().zip(row).for_each(|(s, v)| *s += f64::from(*v));
    }
    let mean: Vec<f32> = sum.iter().map(|s| (s / n) as f32).collect();
    mean.repeat(count)
}

/// New vectors that start from an embedding, whose rows and width must be the wanted ones.
///
/// `values` is `[rows, width]`; `name` is shown in errors.
///
/// # Errors
/// If the rows or the width differ.
pub fn from_embedding(
    name: &str,
    values: &[f32],
    (rows, width): (usize, usize),
    (count, dim): (usize, usize),
) -> Result<Vec<f32>> {
    if width != dim {
        return Err(Error::data(format!(
            "embedding {name} is {width} wide, expected {dim}, the width of the base's text encoder"
        )));
    }
    if rows != count {
        return Err(Error::data(format!("embedding {name} has {rows} vectors, expected {count}"))
            .with_hint(format!("use {{train.vectors}} {rows}")));
    }
    Ok(values.to_vec())
}

/// Multiplies the length of all vectors.
pub fn scale(vectors: &mut [f32], strength: f64) {
    vectors.iter_mut().for_each(|v| *v = (f64::from(*v) * strength) as f32);
}

/// The root of the mean square of the numbers.
#[must_use]
pub fn rms(values: &[f32]) -> f64 {
    let sum: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    (sum / values.len().max(1) as f64).sqrt()
}

/// The L2 norm of each row of `[rows, dim]`.
#[must_use]
pub fn norms(rows: &[f32], dim: usize) -> Vec<f64> {
    rows.chunks_exact(dim).map(|row| square(row).sqrt()).collect()
}

/// The mean of [`norms`].
pub(crate) fn mean_norm(rows: &[f32], dim: usize) -> f64 {
    let norms = norms(rows, dim);
    norms.iter().sum::<f64>() / norms.len().max(1) as f64
}

fn square(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v).powi(2)).sum()
}

/// The gradient of the token table, summed by id over positions, samples and micro-batches.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorGradients {
    /// Gradient of the new vectors, `[rows, dim]`.
    pub new: Vec<f32>,
    /// Gradient of every other id that occurred; empty unless the whole table counts.
    pub others: BTreeMap<u32, Vec<f32>>,
    first: u32,
    dim: usize,
    whole_table: bool,
}

impl VectorGradients {
    /// Zeros for `count` new vectors of width `dim`, whose ids start at `first`. With `whole_table`
    /// the other ids are kept too, as kohya's clipping and statistics need.
    #[must_use]
    pub fn new(first: u32, count: usize, dim: usize, whole_table: bool) -> Self {
        Self { new: vec![0.0; count * dim], others: BTreeMap::new(), first, dim, whole_table }
    }

    /// Adds the gradient of every position, `[ids, dim]`, to the row of its id.
    ///
    /// # Panics
    /// If the gradient has another length.
    pub fn add(&mut self, ids: &[u32], positions: &[f32]) {
        assert_eq!(positions.len(), ids.len() * self.dim, "one gradient row a position");
        for (id, gradient) in ids.iter().zip(positions.chunks_exact(self.dim)) {
            let new = id.checked_sub(self.first).map(|i| i as usize * self.dim);
            let row = match new {
                Some(at) if at < self.new.len() => &mut self.new[at..at + self.dim],
                _ if !self.whole_table => continue,
                _ => self.others.entry(*id).or_insert_with(|| vec![0.0; self.dim]),
            };
            row.iter_mut().zip(gradient).for_each(|(r, g)| *r += g);
        }
    }

    /// The L2 norm over all that is kept.
    #[must_use]
    pub fn norm(&self) -> f64 {
        (square(&self.new) + self.others.values().map(|r| square(r)).sum::<f64>()).sqrt()
    }

    /// Scales the gradient to a norm of at most `max` (0: off), by `max / (norm + 1e-6)` as in
    /// PyTorch. Gives the norm before.
    pub fn clip(&mut self, max: f64) -> f64 {
        let norm = self.norm();
        let factor = max / (norm + 1e-6);
        if max > 0.0 && factor < 1.0 {
            self.scale(factor as f32);
        }
        norm
    }

    /// Multiplies the gradient.
    pub fn scale(&mut self, factor: f32) {
        let rows = std::iter::once(&mut self.new).chain(self.others.values_mut());
        rows.for_each(|row| row.iter_mut().for_each(|g| *g *= factor));
    }

    /// Back to zero, for the next update.
    pub fn clear(&mut self) {
        self.new.fill(0.0);
        self.others.clear();
    }

    /// Whether all numbers are finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.norm().is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_rows_repeat_and_are_cut() {
        let row = |id: u32| vec![id as f32; 2];
        assert_eq!(from_ids(&[7, 9], 3, 2, row).unwrap(), [7.0, 7.0, 9.0, 9.0, 7.0, 7.0]);
        assert_eq!(from_ids(&[7, 9, 8], 1, 2, row).unwrap(), [7.0, 7.0]);
        assert!(from_ids(&[], 1, 2, row).is_err());
        assert_eq!(from_mean(&[1.0, 2.0, 3.0, 6.0], 2, 2), [2.0, 4.0, 2.0, 4.0]);
    }

    #[test]
    fn gradients_sum_by_id_and_clip_as_the_whole_table_or_the_new_rows() {
        let ids = [1, 10, 11, 10, 12];
        let positions = [4.0, 0.0, 1.0, 1.0, 2.0, 0.0, 1.0, 0.0, 9.0, 9.0];
        let mut new = VectorGradients::new(10, 2, 2, false);
        new.add(&ids, &positions);
        assert_eq!(new.new, [2.0, 1.0, 2.0, 0.0]);
        assert_eq!(new.clip(0.0), 3.0);
        assert_eq!(new.new[0], 2.0);
        new.clip(1.5);
        assert!((new.norm() - 1.5).abs() < 1e-5);
        let mut all = VectorGradients::new(10, 2, 2, true);
        all.add(&ids, &positions);
        assert_eq!(all.others.keys().copied().collect::<Vec<_>>(), [1, 12]);
        assert!((all.norm() - (9.0 + 16.0 + 162.0f64).sqrt()).abs() < 1e-9);
        all.clear();
        assert_eq!(all.norm(), 0.0);
    }
}
