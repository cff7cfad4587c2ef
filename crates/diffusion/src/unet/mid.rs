//! The middle, at the smallest size: resnet, transformer, resnet.
use super::{BlockConditioning, EPS, Skip, Transformer, resnet, transformer};
use crate::resnet::Resnet;
use crate::weights::Cursor;

/// The middle; fields named as in diffusers.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are diffusers'")]
pub struct MidBlock {
    pub resnets: [Resnet; 2],
    pub attention: Transformer,
}

impl MidBlock {
    pub(super) fn load(at: &Cursor<'_>, width: usize, time: usize, context: &mut usize) -> Self {
        let resnet = |i: usize| Resnet::load(&at.at("resnets").at(i), width, Some(time), EPS);
        Self {
            resnets: [resnet(0), resnet(1)],
            attention: Transformer::load(&at.at("attentions").at(0), width, context),
        }
    }

    /// The same shape again.
    #[must_use]
    pub fn forward(&self, (h, grid): Skip, conditioning: BlockConditioning<'_>) -> Skip {
        let h = resnet(&self.resnets[0], &h, grid, conditioning);
        let h = transformer(&self.attention, &h, conditioning);
        (resnet(&self.resnets[1], &h, grid, conditioning), grid)
    }
}
