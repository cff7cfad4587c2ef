//! A hash of a model's weights that copies in single and in half precision share.
use super::Checkpoint;
use crate::array::{Array, Dtype};
use crate::error::Fault;
use crate::hash;
use crate::names::Component;

/// Tensors that a fine-tuned model changes and a copy does not, small enough to be read at once.
const HASHED: [(Component, &str); 4] = [
    (Component::Unet, "conv_in.weight"),
    (Component::Unet, "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"),
    (Component::Unet, "conv_out.weight"),
    (Component::Text, "text_model.encoder.layers.0.self_attn.q_proj.weight"),
];

impl Checkpoint {
    /// SHA-256 of the values of some tensors as half floats, to which a copy in single precision
    /// rounds: 64 hex digits. `None` where a part of the model is missing, or in another precision.
    ///
    /// # Errors
    /// If a tensor's values cannot be read.
    pub fn weights_hash(&self) -> Result<Option<String>, Fault> {
        let mut bytes = Vec::new();
        for (component, name) in HASHED {
            let Some(entry) = self.part(component).and_then(|part| part.get(name)) else {
                return Ok(None);
            };
            if !matches!(entry.array.dtype(), Dtype::F32 | Dtype::F16) {
                return Ok(None);
            }
            let values = entry.array.to_f32()?;
            let half = Array::from_f32_as(Dtype::F16, entry.array.shape().to_vec(), &values)?;
            bytes.extend_from_slice(half.bytes());
        }
        Ok(Some(hash::sha256_bytes(&bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn model(dtype: Dtype, shift: f32) -> Checkpoint {
        let mut parts: BTreeMap<Component, BTreeMap<String, Array>> = BTreeMap::new();
        for (component, name) in HASHED {
            let values: Vec<f32> = (0..24u8).map(|i| f32::from(i) / 7.0 + shift).collect();
            let array = Array::from_f32_as(dtype, vec![4, 6], &values).unwrap();
            parts.entry(component).or_default().insert(name.into(), array);
        }
        Checkpoint::from_parts(parts)
    }

    #[test]
    fn copies_in_both_precisions_have_one_hash() {
        let hash = |dtype, shift| model(dtype, shift).weights_hash().unwrap();
        let single = hash(Dtype::F32, 0.0).unwrap();
        assert_eq!(hash(Dtype::F16, 0.0).as_deref(), Some(&*single));
        assert_ne!(hash(Dtype::F32, 0.01).as_deref(), Some(&*single), "another model");
        assert_eq!(hash(Dtype::BF16, 0.0), None, "its values were rounded elsewhere");
        assert_eq!(Checkpoint::default().weights_hash().unwrap(), None);
    }
}
