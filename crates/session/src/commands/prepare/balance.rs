//! How balanced a prepared set is: framing, poses, light, backgrounds, and what is missing.
use super::record::PreparedPicture;
use image::RgbImage;
use serde::Serialize;
use wayword_vision::{Framing, Pose};

/// Counts of the images that are kept, and what they lack.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Balance {
    /// Images that are kept.
    pub kept: usize,
    /// How many show the head, head and shoulders, the upper body, the whole figure.
    pub framings: Vec<(&'static str, usize)>,
    /// How many show the face from the front, turned, from the side.
    pub poses: Vec<(&'static str, usize)>,
    /// How many are dark, of middle light, bright.
    pub light: Vec<(&'static str, usize)>,
    /// Backgrounds that differ in color.
    pub backgrounds: usize,
    /// What a better set would have.
    pub missing: Vec<String>,
}

/// Images from which on a lack is told.
const ENOUGH: usize = 4;

/// Distance of mean colors from which on backgrounds differ.
const DIFFERENT: f32 = 28.0;

/// The balance of the images that are kept.
pub(super) fn of<'a>(
    pictures: impl Iterator<Item = (&'a PreparedPicture, &'a RgbImage)>,
) -> Balance {
    let kept: Vec<_> = pictures.filter(|(picture, _)| picture.choice.keep).collect();
    let with_face: Vec<_> = kept.iter().filter_map(|(p, _)| Some((*p, p.face?))).collect();
    let count =
        |holds: &dyn Fn(&PreparedPicture) -> bool| kept.iter().filter(|k| holds(k.0)).count();
    let framing = |f: Framing| (f.name(), count(&|p| p.framing == Some(f)));
    let pose =
        |name, pose: Pose| (name, with_face.iter().filter(|(_, face)| face.pose() == pose).count());
    let light =
        |name, from: f32, to: f32| (name, count(&|p| (from..to).contains(&p.quality.brightness)));
    let mut out = Balance {
        kept: kept.len(),
        framings: Framing::ALL.map(framing).to_vec(),
        poses: vec![
            pose("front", Pose::Front),
            pose("turned", Pose::ThreeQuarter),
            pose("profile", Pose::Profile),
        ],
        light: vec![
            light("dark", f32::MIN, 85.0),
            light("middle", 85.0, 170.0),
            light("bright", 170.0, f32::MAX),
        ],
        backgrounds: backgrounds(kept.iter().filter_map(|(p, small)| background(p, small))),
        missing: Vec::new(),
    };
    if with_face.len() >= ENOUGH {
        out.missing = missing(&out, with_face.len());
    }
    out
}

fn missing(balance: &Balance, people: usize) -> Vec<String> {
    let mut out = Vec::new();
    let none = |list: &[(&str, usize)], name: &str| list.iter().any(|(n, c)| *n == name && *c == 0);
    for (name, text) in [("turned", "no face turned to a side"), ("profile", "no profile")] {
        if none(&balance.poses, name) {
            out.push(text.to_owned());
        }
    }
    for (name, text) in [("upper", "no upper body"), ("whole", "no whole figure")] {
        if none(&balance.framings, name) {
            out.push(text.to_owned());
        }
    }
    if let Some((name, _)) = balance.light.iter().find(|(_, count)| *count == balance.kept) {
        out.push(format!("all images are of {name} light"));
    }
    if balance.backgrounds * 3 <= people {
        let many = if balance.backgrounds == 1 { "background" } else { "backgrounds" };
        out.push(format!("only {} different {many}", balance.backgrounds));
    }
    out
}

/// The mean color of a crop's upper left and right edges, seen in the small copy.
fn background(picture: &PreparedPicture, small: &RgbImage) -> Option<[f32; 3]> {
    let (width, _) = picture.choice.turn.size(picture.size);
    let scale = small.width() as f32 / width as f32;
    let crop = picture.choice.crop?.area().scaled(scale);
    let (mut sums, mut count) = ([0.0; 3], 0.0);
    for (x, y, pixel) in small.enumerate_pixels() {
        let (x, y) = ((x as f32 - crop.left) / crop.width, (y as f32 - crop.top) / crop.height);
        let edge = (0.0..0.15).contains(&x) || (0.85..1.0).contains(&x);
        if edge && (0.0..0.6).contains(&y) {
            sums.iter_mut().zip(pixel.0).for_each(|(sum, v)| *sum += f32::from(v));
            count += 1.0;
        }
    }
    (count > 0.0).then(|| sums.map(|sum| sum / count))
}

fn backgrounds(colors: impl Iterator<Item = [f32; 3]>) -> usize {
    let mut seen: Vec<[f32; 3]> = Vec::new();
    for color in colors {
        let far = |other: &[f32; 3]| {
            let squares = color.iter().zip(other).map(|(a, b)| (a - b).powi(2));
            squares.sum::<f32>().sqrt() >= DIFFERENT
        };
        if seen.iter().all(far) {
            seen.push(color);
        }
    }
    seen.len()
}
