//! A face brought to the pose that recognition networks learned from: 112 x 112, eyes and mouth at
//! fixed places.
use crate::{Face, Rgb, View};

/// Side of the result.
const SIDE: usize = 112;

/// Where the landmarks of [`Face`] go: the template of ArcFace (Deng and others 2019).
const PLACES: [[f64; 2]; 5] = [
    [38.2946, 51.6963],
    [73.5318, 51.5014],
    [56.0252, 71.7366],
    [41.5493, 92.3655],
    [70.7299, 92.2041],
];

/// The face at 112 x 112 pixels, moved, turned and scaled so that its landmarks come as near to the
/// template as they can; black beyond the picture. `None` where its landmarks are one point.
#[must_use]
pub fn aligned(picture: View<'_>, face: &Face) -> Option<Rgb> {
    // Least squares of a similarity x' = a x - b y + tx, y' = b x + a y + ty, from the template to
    // the picture, so that each result pixel knows its source.
    let mean = |points: &[[f64; 2]; 5]| {
        let sum = points.iter().fold([0.0; 2], |s, p| [s[0] + p[0], s[1] + p[1]]);
        sum.map(|v| v / 5.0)
    };
    let found = face.landmarks.map(|p| p.map(f64::from));
    let (to, from) = (mean(&found), mean(&PLACES));
    let (mut a, mut b, mut norm) = (0.0, 0.0, 0.0);
    for (p, q) in PLACES.iter().zip(&found) {
        let (px, py) = (p[0] - from[0], p[1] - from[1]);
        let (qx, qy) = (q[0] - to[0], q[1] - to[1]);
        a += px * qx + py * qy;
        b += px * qy - py * qx;
        norm += px * px + py * py;
    }
    let (a, b) = (a / norm, b / norm);
    let scale = a.hypot(b);
    if !scale.is_finite() || scale < 1e-6 {
        return None;
    }
    // Several samples a pixel where the face is larger than the result.
    let samples = (scale.ceil() as usize).clamp(1, 8);
    let mut rgb = Vec::with_capacity(SIDE * SIDE * 3);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let mut sums = [0.0; 3];
            for s in 0..samples * samples {
                let part = |i: usize| (i as f64 + 0.5) / samples as f64;
                let dx = x as f64 + part(s % samples) - 0.5 - from[0];
                let dy = y as f64 + part(s / samples) - 0.5 - from[1];
                let level = linear(picture, to[0] + a * dx - b * dy, to[1] + b * dx + a * dy);
                sums.iter_mut().zip(level).for_each(|(sum, v)| *sum += v);
            }
            let count = (samples * samples) as f64;
            rgb.extend(sums.map(|v| (v / count).round().clamp(0.0, 255.0) as u8));
        }
    }
    Some(Rgb { width: SIDE, height: SIDE, rgb })
}

/// The level between four pixels; black outside.
fn linear(picture: View<'_>, x: f64, y: f64) -> [f64; 3] {
    let (width, height) = picture.size();
    let inside = x > -1.0 && y > -1.0 && x < width as f64 && y < height as f64;
    if !inside {
        return [0.0; 3];
    }
    let (left, top) = (x.floor(), y.floor());
    let mut out = [0.0; 3];
    for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let (px, py) = (left + dx, top + dy);
        if px < 0.0 || py < 0.0 || px >= width as f64 || py >= height as f64 {
            continue;
        }
        let weight = (1.0 - (x - px).abs()) * (1.0 - (y - py).abs());
        let pixel = &picture.row(py as usize)[px as usize * 3..][..3];
        out.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += weight * f64::from(*v));
    }
    out
}
