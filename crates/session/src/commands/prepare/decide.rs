//! Decides what becomes of each photo: its crop, or why it is left out.
use super::look::{Photo, Seen};
use super::record::{Choice, PreparedPicture};
use crate::request::{self, Prepare as Options, PreparedFormat, Subject};
use std::collections::BTreeSet;
use wayword_vision::{Area, Crop, Framable, Framing, Quality, assign, frame};

/// Sharpness of a face below which it is blurred. Measured on sharp portraits: 200 and more; the same
/// blurred over two pixels of 96: below 20.
const BLURRED: f32 = 40.0;

/// Brightness below which a face is dark, and contrast that such a face lacks.
const DARK: f32 = 42.0;

/// Brightness above which it is washed out.
const BRIGHT: f32 = 235.0;

/// Height in pixels below which a face has no detail to learn from.
const TINY: f32 = 24.0;

/// Pixels of an image, width and height.
pub(super) const fn size(options: &Options) -> (usize, usize) {
    (options.resolution.width as usize, options.resolution.height as usize)
}

/// What is decided about all photos, in their order.
pub(super) fn decide(options: &Options, photos: &[Photo]) -> Vec<PreparedPicture> {
    let size = size(options);
    let people = super::person::people(photos);
    let framings = framings(options, photos, &people.mains, size);
    let mut names = BTreeSet::new();
    let mut out: Vec<PreparedPicture> = photos
        .iter()
        .zip(people.mains.iter().zip(framings))
        .map(|(photo, (main, framing))| alone(options, photo, *main, framing, &mut names))
        .collect();
    for (picture, is_stranger) in out.iter_mut().zip(people.strangers) {
        if is_stranger {
            leave_out(picture, "the face is probably another person's");
        }
    }
    doubles(photos, &mut out);
    out.iter_mut().for_each(|picture| picture.proposed = picture.choice);
    out
}

/// What may be made of a photo, before the other photos are known: none where it will be left out.
pub(super) fn likely(options: &Options, photo: &Photo) -> Vec<Choice> {
    let size = size(options);
    let main = super::person::main(photo);
    let framings = match (fixed(options), main) {
        (None, Some(main)) => framable(photo, main).framings(size, options.max_upscale),
        (framing, _) => vec![framing.unwrap_or(Framing::Portrait)],
    };
    let choice = |framing| alone(options, photo, main, framing, &mut BTreeSet::new()).choice;
    let mut out: Vec<Choice> = framings.into_iter().map(choice).collect();
    out.retain(|choice| choice.keep);
    out.dedup();
    out
}

/// What is decided about a photo by itself, with the main one of its faces.
fn alone(
    options: &Options,
    photo: &Photo,
    main: Option<usize>,
    framing: Framing,
    names: &mut BTreeSet<String>,
) -> PreparedPicture {
    let size = size(options);
    let face = main.map(|at| &photo.faces[at]);
    let mut picture = blank(photo, face, options.format, names);
    match (options.subject, face) {
        (Subject::Person, Some(face)) => {
            around(face, photo, framing, size, options, &mut picture);
        }
        (Subject::Person, None) => {
            leave_out(&mut picture, "no face was found");
            picture.choice.crop = Some(Crop::middle(photo.turned(), size));
        }
        (Subject::Object | Subject::Style, _) => {
            let crop = Crop::middle(photo.turned(), size);
            picture.choice.crop = Some(crop);
            enlarged(crop, size, options, &mut picture);
        }
    }
    judged(&mut picture, options.subject);
    picture
}

fn blank(
    photo: &Photo,
    face: Option<&Seen>,
    format: PreparedFormat,
    names: &mut BTreeSet<String>,
) -> PreparedPicture {
    let stem = photo.path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let file = |more: usize| match more {
        0 => format!("{stem}.{}", format.name()),
        more => format!("{stem}-{}.{}", more + 1, format.name()),
    };
    // Two photos may differ in folder or ending only; systems that do not tell A from a exist.
    let free = (0..).map(file).find(|name| names.insert(name.to_lowercase()));
    PreparedPicture {
        source: photo.path.clone(),
        sha256: photo.sha256.clone(),
        size: photo.size,
        file: free.unwrap_or_default(),
        choice: Choice { turn: photo.turn, crop: None, keep: true },
        proposed: Choice::default(),
        framing: None,
        face: face.map(|seen| seen.face),
        quality: face.map_or(photo.quality, |seen| seen.quality),
        faces: photo.faces.len(),
        reasons: photo.notes.clone(),
    }
}

fn leave_out(picture: &mut PreparedPicture, reason: impl Into<String>) {
    picture.choice.keep = false;
    picture.reasons.push(reason.into());
}

/// The framing of each photo; any where it has no face.
fn framings(
    options: &Options,
    photos: &[Photo],
    mains: &[Option<usize>],
    size: (usize, usize),
) -> Vec<Framing> {
    if let Some(framing) = fixed(options) {
        return vec![framing; photos.len()];
    }
    let with_face: Vec<usize> = (0..photos.len()).filter(|i| mains[*i].is_some()).collect();
    let framable = |i: &usize| framable(&photos[*i], mains[*i].unwrap_or_default());
    let framable: Vec<Framable> = with_face.iter().map(framable).collect();
    let mut out = vec![Framing::Portrait; photos.len()];
    for (i, framing) in with_face.iter().zip(assign(&framable, size, options.max_upscale)) {
        out[*i] = framing;
    }
    out
}

/// The framing that is asked for; `None` for `auto`.
const fn fixed(options: &Options) -> Option<Framing> {
    match options.framing {
        request::Framing::Auto => None,
        request::Framing::Face => Some(Framing::Face),
        request::Framing::Portrait => Some(Framing::Portrait),
        request::Framing::Upper => Some(Framing::Upper),
        request::Framing::Whole => Some(Framing::Whole),
    }
}

/// What decides how a photo can be framed around one of its faces.
fn framable(photo: &Photo, face: usize) -> Framable {
    let inside = photo.faces[face].face.area.inside(photo.turned());
    Framable { photo: photo.turned(), top: inside.top, face: inside.height.max(inside.width) }
}

/// A crop around a face.
fn around(
    main: &Seen,
    photo: &Photo,
    framing: Framing,
    size: (usize, usize),
    options: &Options,
    picture: &mut PreparedPicture,
) {
    let others: Vec<Area> = photo
        .faces
        .iter()
        .filter(|seen| !std::ptr::eq(*seen, main))
        .map(|seen| seen.face.area)
        .collect();
    match frame(photo.turned(), main.face.area, &others, framing, size) {
        Ok(framed) => {
            picture.choice.crop = Some(framed.crop);
            picture.framing = Some(framed.framing);
            match framed.others {
                0 => {}
                1 => leave_out(picture, "the crop would show another person"),
                n => leave_out(picture, format!("the crop would show {n} other people")),
            }
            enlarged(framed.crop, size, options, picture);
        }
        Err(reason) => {
            leave_out(picture, reason.reason());
            picture.choice.crop = Some(Crop::middle(photo.turned(), size));
        }
    }
    if main.face.area.height < TINY {
        leave_out(picture, format!("the face is {:.0} pixels high", main.face.area.height));
    }
}

/// Leaves out what would be enlarged too much.
fn enlarged(crop: Crop, size: (usize, usize), options: &Options, picture: &mut PreparedPicture) {
    let by = size.1 as f64 / crop.height.max(1) as f64;
    if by > options.max_upscale {
        let reason = format!("the crop of {}x{} is enlarged by {by:.1}", crop.width, crop.height);
        if options.keep_small {
            picture.reasons.push(reason);
        } else {
            leave_out(picture, reason);
        }
    }
}

/// Leaves out what is blurred, dark or washed out.
fn judged(picture: &mut PreparedPicture, subject: Subject) {
    let Quality { sharpness, brightness, contrast } = picture.quality;
    let what = if picture.face.is_some() { "the face" } else { "the photo" };
    // A photo without faces has large plain parts, which are not blurred.
    let is_face = picture.face.is_some() && subject == Subject::Person;
    if is_face && sharpness < BLURRED {
        leave_out(picture, format!("{what} is blurred (sharpness {sharpness:.0})"));
    }
    if brightness < DARK && contrast < DARK {
        leave_out(picture, format!("{what} is dark (brightness {brightness:.0})"));
    } else if brightness > BRIGHT {
        leave_out(picture, format!("{what} is washed out (brightness {brightness:.0})"));
    }
}

/// Of photos that are nearly the same, the sharpest of those that are kept stays.
fn doubles(photos: &[Photo], out: &mut [PreparedPicture]) {
    let mut group: Vec<usize> = (0..photos.len()).collect();
    for i in 0..photos.len() {
        let near = (0..i).find(|j| {
            photos[i].sha256 == photos[*j].sha256 || photos[i].look.is_near(&photos[*j].look)
        });
        group[i] = near.map_or(i, |j| group[j]);
    }
    for first in 0..photos.len() {
        let members: Vec<usize> = (0..photos.len()).filter(|i| group[*i] == first).collect();
        // Sharp copies that were left out for another reason do not count.
        let rank = |i: usize| (out[i].choice.keep, out[i].quality.sharpness);
        let best = members.iter().copied().max_by(|a, b| {
            let (a, b, first) = (rank(*a), rank(*b), b.cmp(a));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(first)
        });
        let Some(best) = best.filter(|_| members.len() > 1) else { continue };
        let name = out[best].name();
        for other in members.into_iter().filter(|i| *i != best) {
            leave_out(&mut out[other], format!("nearly the same as {name}, which is sharper"));
        }
    }
}
