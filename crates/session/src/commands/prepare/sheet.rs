//! The contact sheet and the page: each photo with its crop drawn, and the image beside it.
use super::balance::Balance;
use super::pixels;
use super::record::{PreparedPicture, PreparedSet};
use crate::Failure;
use crate::sheet::{Cell, Row, Sheet};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::{Rgb, RgbImage};
use wayword_train::report::escape;

/// Color of a crop's edge.
const EDGE: Rgb<u8> = Rgb([255, 64, 32]);

/// A photo and its image, small.
pub(super) struct Pair {
    /// The photo with its crop.
    pub(super) photo: RgbImage,
    /// The image, where one is made.
    pub(super) image: Option<RgbImage>,
}

/// The small photo with its crop drawn.
pub(super) fn marked(picture: &PreparedPicture, small: RgbImage) -> RgbImage {
    let mut out = small;
    let Some(crop) = picture.choice.crop else { return out };
    let (width, _) = picture.choice.turn.size(picture.size);
    let scale = out.width() as f32 / width as f32;
    let area = crop.area().scaled(scale);
    let inside = |v: f32, length: u32| (v.round().max(0.0) as u32).min(length.saturating_sub(1));
    let (left, right) = (inside(area.left, out.width()), inside(area.right(), out.width()));
    let (top, bottom) = (inside(area.top, out.height()), inside(area.bottom(), out.height()));
    for line in 0..2 {
        for x in left..=right {
            for y in [(top + line).min(bottom), bottom.saturating_sub(line).max(top)] {
                out.put_pixel(x, y, EDGE);
            }
        }
        for y in top..=bottom {
            for x in [(left + line).min(right), right.saturating_sub(line).max(left)] {
                out.put_pixel(x, y, EDGE);
            }
        }
    }
    out
}

/// What stands below a photo.
fn caption(picture: &PreparedPicture) -> String {
    let framing = picture.framing.filter(|_| picture.choice.keep).map(|f| f.name().to_owned());
    let remarks = framing.into_iter().chain(picture.reasons.iter().cloned());
    std::iter::once(picture.name()).chain(remarks).collect::<Vec<_>>().join("\n")
}

/// The sheet of a set.
pub(super) fn sheet(set: &PreparedSet, pairs: &[Pair], balance: &Balance) -> Sheet {
    let cells = |keep: bool| {
        let all = set.pictures.iter().zip(pairs).filter(|(p, _)| p.choice.keep == keep);
        let both = |(picture, pair): (&PreparedPicture, &Pair)| {
            let photo = Cell { picture: pair.photo.clone(), caption: caption(picture) };
            let image = pair.image.clone().map(|picture| Cell { picture, caption: String::new() });
            std::iter::once(photo).chain(image)
        };
        all.flat_map(both).collect::<Vec<_>>()
    };
    let mut rows = Vec::new();
    for (keep, label, note) in [
        (true, "Kept", "The photo with its crop, and the image that was made of it."),
        (false, "Left out", "Below each photo stands why."),
    ] {
        let cells = cells(keep);
        if !cells.is_empty() {
            rows.push(Row { label: label.into(), note: note.into(), cells, per_line: 6 });
        }
    }
    let (width, height) = set.resolution;
    Sheet {
        title: format!("{} of {} photos", balance.kept, set.pictures.len()),
        subtitle: super::report::lines(balance).join(". "),
        rows,
        footer: format!("images of {width} x {height} pixels"),
        columns: 6,
        side: 200,
    }
}

/// The page of a set; the images are shown from their files beside it.
pub(super) fn page(
    set: &PreparedSet,
    pairs: &[Pair],
    balance: &Balance,
) -> Result<String, Failure> {
    let mut out = String::from(HEAD);
    let (kept, all) = (balance.kept, set.pictures.len());
    out.push_str(&format!("<h1>{kept} of {all} photos</h1>\n<ul>\n"));
    for line in super::report::lines(balance) {
        out.push_str(&format!("<li>{}</li>\n", escape(&line)));
    }
    out.push_str("</ul>\n");
    for (keep, title) in [(true, "Kept"), (false, "Left out")] {
        let these: Vec<_> =
            set.pictures.iter().zip(pairs).filter(|(p, _)| p.choice.keep == keep).collect();
        if these.is_empty() {
            continue;
        }
        out.push_str(&format!("<h2>{title}</h2>\n<div class=all>\n"));
        for (picture, pair) in these {
            let photo = BASE64.encode(pixels::jpeg(&pair.photo, 85)?);
            out.push_str(&format!(
                "<figure><img alt=\"\" src=\"data:image/jpeg;base64,{photo}\">\n"
            ));
            if picture.choice.keep {
                let file = address(&picture.file);
                out.push_str(&format!("<img alt=\"\" src=\"{file}\">\n"));
            }
            let text = escape(&caption(picture)).replace('\n', "<br>");
            out.push_str(&format!("<figcaption>{text}</figcaption></figure>\n"));
        }
        out.push_str("</div>\n");
    }
    Ok(out)
}

const HEAD: &str = "<!doctype html>\n<meta charset=utf-8>\n<title>Prepared photos</title>\n\
    <style>body{font:16px/1.5 system-ui,sans-serif;margin:2em;color:#1c1e22}\
    .all{display:flex;flex-wrap:wrap;gap:1.2em}figure{margin:0}\
    img{height:240px;vertical-align:top}figcaption{color:#555;font-size:14px;max-width:36em}</style>\n";

/// A file's name as a relative address.
fn address(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let encoded = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    format!("./{}", name.bytes().map(encoded).collect::<String>())
}
