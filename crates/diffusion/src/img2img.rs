//! Drawing from a picture (SDEdit, Meng and others 2022) and into a masked part of it: what is
//! wanted, and the pictures and masks that the sampler needs for it.
use crate::pictures::{
    Fit, Overlay, Pixels, Region, doubled, fill_masked, fit, gaussian, invert, latent_mask,
};
use crate::vae::LATENT_SIZE;
use std::sync::Arc;

/// A picture to begin with.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSettings {
    /// The picture, RGB.
    pub picture: Arc<Pixels>,
    /// How it is brought to the size that is drawn.
    pub fit: Fit,
    /// How much is changed, 0 to 1: the share of the steps that run.
    pub denoise: f64,
    /// All steps run, spread over that share of the noise.
    pub exact_steps: bool,
    /// The part that is drawn anew; `None` is all of it.
    pub mask: Option<MaskSettings>,
}

impl ImageSettings {
    /// All of a picture, changed by three quarters.
    #[must_use]
    pub fn new(picture: Pixels) -> Self {
        let picture = Arc::new(picture);
        Self { picture, fit: Fit::Stretch, denoise: 0.75, exact_steps: false, mask: None }
    }
}

/// The part of a picture that is drawn anew.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskSettings {
    /// One channel of the picture's size: what is not 0 is drawn anew.
    pub mask: Arc<Pixels>,
    /// What is 0 is drawn instead.
    pub invert: bool,
    /// Deviation in pixels of the blur that softens its edge; 0 for none.
    pub blur: f64,
    /// Only the masked part and a border is drawn, at the full size, and pasted back.
    pub only_masked: bool,
    /// The border's width in pixels.
    pub padding: u32,
    /// What the masked part begins with.
    pub fill: MaskFill,
}

impl MaskSettings {
    /// A mask with the web UI's settings: blurred by 4 pixels, the whole picture, its own colors.
    #[must_use]
    pub fn new(mask: Pixels) -> Self {
        let (mask, fill) = (Arc::new(mask), MaskFill::default());
        Self { mask, invert: false, blur: 4.0, only_masked: false, padding: 32, fill }
    }
}

/// What a masked part begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaskFill {
    /// The colors around it.
    Fill,
    /// What is there.
    #[default]
    Original,
    /// Noise in the latents.
    LatentNoise,
    /// Zeros in the latents.
    LatentNothing,
}

/// All fills with the names that infotexts hold.
pub const MASK_FILLS: [(MaskFill, &str); 4] = [
    (MaskFill::Fill, "fill"),
    (MaskFill::Original, "original"),
    (MaskFill::LatentNoise, "latent noise"),
    (MaskFill::LatentNothing, "latent nothing"),
];

impl MaskFill {
    /// The name that infotexts hold.
    #[must_use]
    pub fn name(self) -> &'static str {
        MASK_FILLS.iter().find(|(fill, _)| *fill == self).map_or("original", |(_, name)| name)
    }

    /// The fill of a name; `-` stands for a space.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase().replace(['-', '_'], " ");
        MASK_FILLS.iter().find(|(_, known)| *known == name).map(|(fill, _)| *fill)
    }
}

/// A picture made ready.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What the VAE encodes, of the size that is drawn.
    pub picture: Pixels,
    /// The masked part, if there is one.
    pub masked: Option<Masked>,
}

/// A masked part made ready.
#[derive(Debug, Clone, PartialEq)]
pub struct Masked {
    /// Of the latents' size: 1 is drawn anew, 0 is kept.
    pub latent: Vec<f32>,
    /// What is laid over the drawn picture.
    pub overlay: Overlay,
    /// What it begins with.
    pub fill: MaskFill,
}

/// Makes a picture ready to be drawn at `(width, height)`. A mask of nothing, where only the masked
/// part was wanted, counts as none, as in the web UI: [`is_blank`] tells.
///
/// # Panics
/// If a mask is of another size than its picture, or a side is 0.
#[must_use]
pub fn prepare(settings: &ImageSettings, (width, height): (usize, usize)) -> Prepared {
    let fitted = |p: &Pixels| {
        if p.size() == (width, height) { p.clone() } else { fit(p, (width, height), settings.fit) }
    };
    let Some(wanted) = &settings.mask else {
        return Prepared { picture: fitted(&settings.picture), masked: None };
    };
    assert_eq!(wanted.mask.size(), settings.picture.size(), "a mask is of its picture's size");
    let mask = softened(wanted);
    let (mut picture, mask, overlay) = if wanted.only_masked {
        let Some(region) = region(&mask, wanted.padding, (width, height)) else {
            return Prepared { picture: fitted(&settings.picture), masked: None };
        };
        let filled = |p: &Pixels| fit(&p.crop(region), (width, height), Fit::Fill);
        let overlay = Overlay::new(&settings.picture, &mask, Some(region));
        (filled(&settings.picture), filled(&mask), overlay)
    } else {
        let (picture, mask) = (fitted(&settings.picture), fitted(&mask));
        let overlay = Overlay::new(&picture, &doubled(&mask), None);
        (picture, mask, overlay)
    };
    if wanted.fill != MaskFill::Original {
        picture = fill_masked(&picture, &mask);
    }
    let latent = latent_mask(&mask, (width / LATENT_SIZE, height / LATENT_SIZE));
    Prepared { picture, masked: Some(Masked { latent, overlay, fill: wanted.fill }) }
}

/// Whether only the masked part of a mask of nothing is wanted.
#[must_use]
pub fn is_blank(wanted: &MaskSettings) -> bool {
    wanted.only_masked && covers_nothing(wanted)
}

/// Whether nothing is masked.
pub(crate) fn covers_nothing(wanted: &MaskSettings) -> bool {
    Region::around(&softened(wanted)).is_none()
}

/// The mask the right way round, with a soft edge.
fn softened(wanted: &MaskSettings) -> Pixels {
    let mask = if wanted.invert { invert(&wanted.mask) } else { wanted.mask.as_ref().clone() };
    gaussian(&mask, wanted.blur)
}

/// The part of the picture that is drawn, of the shape of `to`.
fn region(mask: &Pixels, padding: u32, to: (usize, usize)) -> Option<Region> {
    let around = Region::around(mask)?;
    Some(around.padded(padding as usize, mask.size()).grown(to, mask.size()))
}
