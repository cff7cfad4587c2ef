//! Non-maximum suppression: of detections of one face, the surest stays.
use crate::Face;

/// Which detections stay, the surest first: OpenCV's `NMSBoxes` on boxes cut to whole pixels.
pub(crate) fn keep(faces: &[Face], threshold: f32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..faces.len()).collect();
    order.sort_by(|a, b| faces[*b].score.total_cmp(&faces[*a].score));
    let boxes: Vec<[i64; 4]> = faces.iter().map(whole).collect();
    let mut kept: Vec<usize> = Vec::new();
    for place in order {
        if kept.iter().all(|other| overlap(boxes[place], boxes[*other]) <= threshold) {
            kept.push(place);
        }
    }
    kept
}

/// Left, top, width and height without their fractions.
fn whole(face: &Face) -> [i64; 4] {
    let area = face.area;
    #[expect(clippy::cast_possible_truncation, reason = "as OpenCV does; far values saturate")]
    let whole = [area.left, area.top, area.width, area.height].map(|v| v as i64);
    whole
}

#[expect(clippy::cast_precision_loss, reason = "areas of pictures")]
fn overlap(a: [i64; 4], b: [i64; 4]) -> f32 {
    let side = |at: usize| -> i64 {
        let end = a[at].saturating_add(a[at + 2]).min(b[at].saturating_add(b[at + 2]));
        end.saturating_sub(a[at].max(b[at])).max(0)
    };
    let common = side(0).saturating_mul(side(1));
    let area = |r: [i64; 4]| r[2].saturating_mul(r[3]);
    let both = area(a).saturating_add(area(b));
    // Two boxes without area are one, as there.
    if both <= 0 { 1.0 } else { (common as f64 / (both - common) as f64) as f32 }
}
