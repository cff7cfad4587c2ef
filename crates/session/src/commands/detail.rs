//! Flags of the face detailer to settings, for pictures as for cells. Flags other than
//! `{any.detail_set}` are those of its first tab.
use super::draw::mask;
use crate::Failure;
use crate::request::Detail;
use std::sync::Arc;
use wayword_diffusion::DrawSettings;
use wayword_diffusion::detail::{Applied, DetailSettings, MOST_TABS};
use wayword_interface::{Diagnostic, Warning};

/// Sets what was given; gives what is done otherwise.
///
/// # Errors
/// If an option is given without a detailer, a key or value does not fit, or a mask cannot be read.
pub(crate) fn apply(o: &Detail, s: &mut DrawSettings) -> Result<Vec<Warning>, Failure> {
    if s.detail.is_empty() && (o.detail || !o.detail_mask.is_empty()) {
        s.detail.push(DetailSettings::default());
    }
    if s.detail.is_empty() {
        let given = [
            ("{any.detail_prompt}", o.detail_prompt.is_some()),
            ("{any.detail_negative}", o.detail_negative.is_some()),
            ("{any.detail_denoise}", o.detail_denoise.is_some()),
            ("{any.detail_confidence}", o.detail_confidence.is_some()),
            ("{any.detail_padding}", o.detail_padding.is_some()),
            ("{any.detail_set}", !o.detail_set.is_empty()),
        ];
        return match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Failure::user(format!("{name} without {{any.detail}}"))
                .hint("{any.detail} draws faces again")),
            None => Ok(Vec::new()),
        };
    }
    let (mut warnings, mut off) = (Vec::new(), vec![false; MOST_TABS]);
    for text in &o.detail_set {
        let Some((key, value)) = text.split_once('=') else {
            let text = format!("expected KEY=VALUE, found {text}");
            return Err(Diagnostic::new(text).with_field("any.detail_set").into());
        };
        let (name, tab) = DetailSettings::tab(key);
        if tab > s.detail.len() {
            let text = format!("`{key}`: there are settings of {} tabs before it", s.detail.len());
            return Err(Diagnostic::new(text).with_field("any.detail_set").into());
        }
        if tab == s.detail.len() {
            s.detail.push(DetailSettings::default());
        }
        match s.detail[tab].set(name, value)? {
            Applied::Done => {}
            Applied::Otherwise(warning) => warnings.push(warning),
            Applied::Off => off[tab] = true,
        }
    }
    let detail = &mut s.detail[0];
    let text = |text: &String| vec![text.clone()];
    if let Some(prompt) = &o.detail_prompt {
        detail.prompts = text(prompt);
    }
    if let Some(negative) = &o.detail_negative {
        detail.negatives = text(negative);
    }
    detail.denoise = o.detail_denoise.unwrap_or(detail.denoise);
    detail.confidence = o.detail_confidence.unwrap_or(detail.confidence);
    detail.padding = o.detail_padding.unwrap_or(detail.padding);
    if !o.detail_mask.is_empty() {
        let read = |path: &std::path::PathBuf| Ok(Arc::new(mask(path)?));
        detail.masks = o.detail_mask.iter().map(read).collect::<Result<_, Failure>>()?;
    }
    let mut off = off.into_iter();
    s.detail.retain(|_| off.next() != Some(true));
    Ok(warnings)
}

/// What a drawing does with faces, a sentence for each tab.
pub(crate) fn told(s: &DrawSettings) -> Vec<String> {
    let one = |detail: &DetailSettings| {
        let what = match detail.masks.len() {
            0 => format!("faces found with a confidence of {} or more are", detail.confidence),
            1 => "the given mask is".to_owned(),
            n => format!("{n} given masks are"),
        };
        let size = match detail.size.get() {
            None if !detail.only_masked => "the image's own size".to_owned(),
            own => {
                let (width, height) = own.unwrap_or((s.width, s.height));
                format!("{width}x{height}")
            }
        };
        format!("face detailer: {what} drawn again at {size}, denoise {}", detail.denoise)
    };
    s.detail.iter().map(one).collect()
}
