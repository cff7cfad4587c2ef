//! ADetailer's names: its API's keys, and what stands in a picture's settings.
use super::DetailSettings;
use super::masks::{Merge, Order, TopBy};
use crate::sigmas::{Schedule, resolve};
use crate::{Error, Result};
use std::fmt::Display;
use std::str::FromStr;
use wayword_formats::infotext::python_float;
use wayword_interface::options::nearest;
use wayword_interface::{Diagnostic, Warning};

/// The detector, as settings name it.
pub const DETECTOR: &str = "face_yunet";

/// What stands there where masks were given.
pub const GIVEN_MASK: &str = "mask";

/// What settings begin with.
const PREFIX: &str = "ADetailer ";

/// What came of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// It is set.
    Done,
    /// It is set as near as possible.
    Otherwise(Warning),
    /// There is to be no detailer (`ad_model: None`, or its tab is off).
    Off,
}

/// Each key with its name in settings.
const NAMES: [(&str, &str); 30] = [
    ("ad_model", "model"),
    ("ad_prompt", "prompt"),
    ("ad_negative_prompt", "negative prompt"),
    ("ad_confidence", "confidence"),
    ("ad_mask_filter_method", "method to decide top k masks"),
    ("ad_mask_k", "mask only top k"),
    ("ad_mask_min_ratio", "mask min ratio"),
    ("ad_mask_max_ratio", "mask max ratio"),
    ("ad_x_offset", "x offset"),
    ("ad_y_offset", "y offset"),
    ("ad_dilate_erode", "dilate erode"),
    ("ad_mask_merge_invert", "mask merge invert"),
    ("ad_mask_blur", "mask blur"),
    ("ad_denoising_strength", "denoising strength"),
    ("ad_inpaint_only_masked", "inpaint only masked"),
    ("ad_inpaint_only_masked_padding", "inpaint padding"),
    ("ad_use_inpaint_width_height", "use inpaint width height"),
    ("ad_inpaint_width", "inpaint width"),
    ("ad_inpaint_height", "inpaint height"),
    ("ad_use_steps", "use separate steps"),
    ("ad_steps", "steps"),
    ("ad_use_cfg_scale", "use separate CFG scale"),
    ("ad_cfg_scale", "CFG scale"),
    ("ad_use_sampler", "use separate sampler"),
    ("ad_sampler", "sampler"),
    ("ad_scheduler", "scheduler"),
    ("ad_use_clip_skip", "use separate CLIP skip"),
    ("ad_clip_skip", "CLIP skip"),
    ("ad_bbox_sortby", "bbox sort by"),
    ("ad_tab_enable", "tab enable"),
];

/// Names of other versions.
const ALIASES: [(&str, &str); 4] = [
    ("ad_mask_k_largest", "ad_mask_k"),
    ("ad_tap_enable", "ad_tab_enable"),
    ("mask only top k largest", "ad_mask_k"),
    ("tap enable", "ad_tab_enable"),
];

/// Keys of what is not done, with the values that ask for nothing.
const REFUSED: [(&str, &str, &[&str]); 10] = [
    ("ad_use_checkpoint", "another checkpoint for faces", &["false"]),
    ("ad_use_vae", "another VAE for faces", &["false"]),
    ("ad_use_noise_multiplier", "a noise multiplier", &["false"]),
    ("ad_restore_face", "face restoration", &["false"]),
    ("ad_model_classes", "classes of a detector", &[""]),
    ("ad_controlnet_model", "ControlNet", &["none", ""]),
    ("use separate checkpoint", "another checkpoint for faces", &["false"]),
    ("use separate VAE", "another VAE for faces", &["false"]),
    ("restore face", "face restoration", &["false"]),
    ("ControlNet model", "ControlNet", &["none", ""]),
];

/// Keys that say nothing where what they belong to is off.
const SILENT: [&str; 9] = [
    "ad_checkpoint",
    "ad_vae",
    "ad_noise_multiplier",
    "ad_controlnet_module",
    "ad_controlnet_weight",
    "ad_controlnet_guidance_start",
    "ad_controlnet_guidance_end",
    "is_api",
    "version",
];

impl DetailSettings {
    /// Sets a key of ADetailer's API, `ad_mask_blur`, or of its settings, `ADetailer mask blur`. Values
    /// are written as there: `0.4`, `true`, `Merge and Invert`.
    ///
    /// # Errors
    /// If the key is unknown, its value does not fit, or it asks for what is not done.
    pub fn set(&mut self, key: &str, value: &str) -> Result<Applied> {
        let key = key.trim();
        let name = key.strip_prefix(PREFIX).unwrap_or(key);
        let value = value.trim();
        if let Some((_, what, nothing)) = REFUSED.iter().find(|refused| refused.0 == name) {
            return if nothing.contains(&value.to_lowercase().as_str()) {
                Ok(Applied::Done)
            } else {
                let text = format!("`{key}: {value}`: {what} is not supported");
                Err(Diagnostic::new(text).into())
            };
        }
        if SILENT.contains(&name) {
            return Ok(Applied::Done);
        }
        let name = ALIASES.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new);
        let known = NAMES.iter().find(|(api, text)| *api == name || *text == name);
        let Some((api, _)) = known else {
            let keys: Vec<&str> = NAMES.iter().map(|(api, _)| *api).collect();
            let near = nearest(name, &keys).map(|near| format!("did you mean `{near}`?"));
            let hint = near.unwrap_or_else(|| format!("known keys are {}", keys.join(", ")));
            let text = format!("`{key}` is not a key of the detailer");
            return Err(Diagnostic::new(text).with_hint(hint).into());
        };
        self.one(api, value).map_err(|reason| match reason {
            Unfit::Value(expected) => {
                let text = format!("`{key}`: expected {expected}, found {value}");
                Error::from(Diagnostic::new(text))
            }
            Unfit::Other(error) => error,
        })
    }

    fn one(&mut self, api: &str, value: &str) -> std::result::Result<Applied, Unfit> {
        match api {
            "ad_model" => return model(value),
            "ad_tab_enable" if !switch(value)? => return Ok(Applied::Off),
            "ad_prompt" => self.prompts = text(value),
            "ad_negative_prompt" => self.negatives = text(value),
            "ad_confidence" => self.confidence = share(value)?,
            "ad_mask_filter_method" => self.top_by = named(value, &TopBy::ALL)?,
            "ad_mask_k" => self.top = number(value, 0, 10_000)?,
            "ad_mask_min_ratio" => self.ratio.0 = share(value)?,
            "ad_mask_max_ratio" => self.ratio.1 = share(value)?,
            "ad_x_offset" => self.offset.0 = number(value, -8192, 8192)?,
            "ad_y_offset" => self.offset.1 = number(value, -8192, 8192)?,
            "ad_dilate_erode" => self.dilate = number(value, -512, 512)?,
            "ad_mask_merge_invert" => self.merge = named(value, &Merge::ALL)?,
            "ad_bbox_sortby" => self.order = named(value, &Order::ALL)?,
            "ad_mask_blur" => self.blur = number(value, 0.0, 1000.0)?,
            "ad_denoising_strength" => self.denoise = share(value)?,
            "ad_inpaint_only_masked" => self.only_masked = switch(value)?,
            "ad_inpaint_only_masked_padding" => self.padding = number(value, 0, 8192)?,
            "ad_use_inpaint_width_height" => self.size.used = switch(value)?,
            "ad_inpaint_width" => self.size.value.0 = number(value, 8, 8192)?,
            "ad_inpaint_height" => self.size.value.1 = number(value, 8, 8192)?,
            "ad_use_steps" => self.steps.used = switch(value)?,
            "ad_steps" => self.steps.value = number(value, 1, 1000)?,
            "ad_use_cfg_scale" => self.cfg.used = switch(value)?,
            "ad_cfg_scale" => self.cfg.value = number(value, 0.0, 1000.0)?,
            "ad_use_sampler" => self.sampler.used = switch(value)?,
            "ad_sampler" => {
                let (info, schedule) = resolve(value, None, false)
                    .map_err(|e| Unfit::Other(Diagnostic::from(e).into()))?;
                let named = (schedule != Schedule::Automatic).then_some(schedule);
                self.sampler.value = (info.kind, named);
            }
            "ad_scheduler" if value == SAME_SCHEDULE => {}
            "ad_scheduler" => {
                let found = Schedule::from_name(value);
                self.sampler.value.1 = Some(found.ok_or(Unfit::Value("a schedule".into()))?);
            }
            "ad_use_clip_skip" => self.clip_skip.used = switch(value)?,
            "ad_clip_skip" => self.clip_skip.value = number(value, 1, 12)?,
            _ => {}
        }
        Ok(Applied::Done)
    }

    /// What stands in the settings of the picture at a place: keys as ADetailer writes them for its tab
    /// at `tab`, without those that are as usual.
    #[must_use]
    pub fn to_pairs(&self, picture: usize, tab: usize) -> Vec<(String, String)> {
        let usual = Self::default();
        let (prompt, negative) = self.texts(picture);
        let mut out = Vec::new();
        let mut say = |api: &str, value: String| {
            let name = NAMES.iter().find(|(key, _)| *key == api).map_or(api, |(_, name)| name);
            out.push((format!("{PREFIX}{name}{}", tab_ending(tab)), value));
        };
        say("ad_model", if self.masks.is_empty() { DETECTOR } else { GIVEN_MASK }.into());
        for (key, text) in [("ad_prompt", prompt), ("ad_negative_prompt", negative)] {
            if !text.is_empty() {
                say(key, text.to_owned());
            }
        }
        if self.masks.is_empty() {
            say("ad_confidence", python_float(self.confidence));
        }
        if self.top > 0 {
            say("ad_mask_filter_method", name_of(self.top_by, &TopBy::ALL));
            say("ad_mask_k", self.top.to_string());
        }
        if self.ratio.0 != usual.ratio.0 {
            say("ad_mask_min_ratio", python_float(self.ratio.0));
        }
        if self.ratio.1 != usual.ratio.1 {
            say("ad_mask_max_ratio", python_float(self.ratio.1));
        }
        for (key, by) in [("ad_x_offset", self.offset.0), ("ad_y_offset", self.offset.1)] {
            if by != 0 {
                say(key, by.to_string());
            }
        }
        say("ad_dilate_erode", self.dilate.to_string());
        if self.merge != Merge::None {
            say("ad_mask_merge_invert", name_of(self.merge, &Merge::ALL));
        }
        let whole = self.blur.fract() == 0.0;
        say("ad_mask_blur", if whole { self.blur.to_string() } else { python_float(self.blur) });
        say("ad_denoising_strength", python_float(self.denoise));
        say("ad_inpaint_only_masked", if self.only_masked { "True" } else { "False" }.into());
        if self.only_masked {
            say("ad_inpaint_only_masked_padding", self.padding.to_string());
        }
        if let Some((width, height)) = self.size.get() {
            say("ad_use_inpaint_width_height", "True".into());
            say("ad_inpaint_width", width.to_string());
            say("ad_inpaint_height", height.to_string());
        }
        if let Some(steps) = self.steps.get() {
            say("ad_use_steps", "True".into());
            say("ad_steps", steps.to_string());
        }
        if let Some(cfg) = self.cfg.get() {
            say("ad_use_cfg_scale", "True".into());
            say("ad_cfg_scale", python_float(cfg));
        }
        if let Some((sampler, schedule)) = self.sampler.get() {
            say("ad_use_sampler", "True".into());
            say("ad_sampler", sampler.info().name.into());
            if let Some(schedule) = schedule {
                say("ad_scheduler", schedule.label().into());
            }
        }
        if let Some(clip_skip) = self.clip_skip.get() {
            say("ad_use_clip_skip", "True".into());
            say("ad_clip_skip", clip_skip.to_string());
        }
        if self.order != Order::None {
            say("ad_bbox_sortby", name_of(self.order, &Order::ALL));
        }
        out
    }

    /// A key without the ending of its tab, and the tab's place: `ad_mask_blur 2nd` is of the second.
    #[must_use]
    pub fn tab(key: &str) -> (&str, usize) {
        let of = |tab: usize| Some((key.trim_end().strip_suffix(&tab_ending(tab))?, tab));
        (1..MOST_TABS).find_map(of).unwrap_or((key, 0))
    }

    /// Whether a key of a picture's settings belongs here.
    #[must_use]
    pub fn is_key(key: &str) -> bool {
        key.starts_with(PREFIX)
    }
}

/// Tabs at most, as ADetailer has them.
pub const MOST_TABS: usize = 15;

/// What keys of the tab at a place end with: ` 2nd` for 1.
#[must_use]
pub fn tab_ending(tab: usize) -> String {
    match tab + 1 {
        1 => String::new(),
        2 => " 2nd".into(),
        3 => " 3rd".into(),
        n => format!(" {n}th"),
    }
}

/// One text for all pictures; none where it is empty.
fn text(value: &str) -> Vec<String> {
    (!value.is_empty()).then(|| value.to_owned()).into_iter().collect()
}

/// What ADetailer says for the schedule of the first pass.
const SAME_SCHEDULE: &str = "Use same scheduler";

enum Unfit {
    /// What was expected.
    Value(String),
    /// Something that has its own text.
    Other(Error),
}

/// Detectors of faces are replaced by ours, others are refused.
fn model(value: &str) -> std::result::Result<Applied, Unfit> {
    let faces = ["face_yolov8n", "face_yolov8s", "face_yolov8m", "face_yolov9c", "mediapipe_face"];
    let name = value.to_lowercase();
    if name == "none" {
        return Ok(Applied::Off);
    }
    if name == DETECTOR || name == GIVEN_MASK {
        return Ok(Applied::Done);
    }
    let part = name.contains("mesh");
    if !part && faces.iter().any(|face| name.starts_with(face)) {
        let text =
            format!("faces are detected by YuNet instead of {value}; the boxes differ slightly");
        return Ok(Applied::Otherwise(Warning::new(text)));
    }
    let text = format!("the detector {value} is not supported");
    let hint = format!("use {DETECTOR}, or pass masks with {{draw.detail_mask}}");
    Err(Unfit::Other(Diagnostic::new(text).with_hint(hint).into()))
}

fn switch(value: &str) -> std::result::Result<bool, Unfit> {
    match value.to_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err(Unfit::Value("true or false".into())),
    }
}

fn share(value: &str) -> std::result::Result<f64, Unfit> {
    number(value, 0.0, 1.0)
}

fn number<T>(value: &str, least: T, most: T) -> std::result::Result<T, Unfit>
where
    T: FromStr + PartialOrd + Display + Copy,
{
    // JSON's whole numbers may come as 4.0.
    let plain = value.strip_suffix(".0").unwrap_or(value);
    match plain.parse::<T>() {
        Ok(found) if (least..=most).contains(&found) => Ok(found),
        _ => Err(Unfit::Value(format!("a number from {least} to {most}"))),
    }
}

fn named<T: Copy>(value: &str, all: &[(T, &str)]) -> std::result::Result<T, Unfit> {
    let found = all.iter().find(|(_, name)| name.eq_ignore_ascii_case(value));
    let names = || all.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
    found.map(|(kind, _)| *kind).ok_or_else(|| Unfit::Value(format!("one of {}", names())))
}

fn name_of<T: Copy + PartialEq>(kind: T, all: &[(T, &str)]) -> String {
    all.iter()
        .find(|(one, _)| *one == kind)
        .map_or_else(String::new, |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigmas::SamplerKind;

    #[test]
    fn what_is_written_is_read_back() {
        let said = [
            ("ad_model", "face_yunet"),
            ("ad_prompt", "a face, [PROMPT]"),
            ("ad_negative_prompt", "blurry"),
            ("ad_confidence", "0.5"),
            ("ad_mask_filter_method", "Confidence"),
            ("ad_mask_k", "2"),
            ("ad_mask_min_ratio", "0.01"),
            ("ad_mask_max_ratio", "0.5"),
            ("ad_x_offset", "-3"),
            ("ad_y_offset", "5"),
            ("ad_dilate_erode", "-4"),
            ("ad_mask_merge_invert", "Merge and Invert"),
            ("ad_mask_blur", "7"),
            ("ad_denoising_strength", "0.35"),
            ("ad_inpaint_only_masked_padding", "16"),
            ("ad_use_inpaint_width_height", "true"),
            ("ad_inpaint_width", "640"),
            ("ad_inpaint_height", "768"),
            ("ad_use_steps", "True"),
            ("ad_steps", "30"),
            ("ad_use_cfg_scale", "true"),
            ("ad_cfg_scale", "5.5"),
            ("ad_use_sampler", "true"),
            ("ad_sampler", "Euler a"),
            ("ad_scheduler", "Karras"),
            ("ad_use_clip_skip", "true"),
            ("ad_clip_skip", "2"),
            ("ad_bbox_sortby", "Position (left to right)"),
        ];
        let mut first = DetailSettings::default();
        for (key, value) in said {
            assert_eq!(first.set(key, value).unwrap(), Applied::Done, "{key}");
        }
        assert_eq!(first.sampler.get(), Some((SamplerKind::EulerA, Some(Schedule::Karras))));
        let mut again = DetailSettings::default();
        for (key, value) in first.to_pairs(0, 2) {
            let (name, tab) = DetailSettings::tab(&key);
            assert_eq!((again.set(name, &value).unwrap(), tab), (Applied::Done, 2), "{key}");
        }
        assert_eq!(first, again);
        let usual = DetailSettings::default().to_pairs(0, 0);
        assert_eq!(usual[0], ("ADetailer model".into(), DETECTOR.into()));
        assert_eq!(usual.len(), 7, "{usual:?}");
    }

    #[test]
    fn other_detectors_are_told_or_refused() {
        let mut detail = DetailSettings::default();
        let said = detail.set("ad_model", "face_yolov8n.pt").unwrap();
        assert!(matches!(said, Applied::Otherwise(_)));
        assert_eq!(detail.set("ad_model", "None").unwrap(), Applied::Off);
        assert_eq!(detail.set("ad_tab_enable", "false").unwrap(), Applied::Off);
        for (key, value) in [
            ("ad_model", "hand_yolov8n.pt"),
            ("ad_model", "mediapipe_face_mesh_eyes_only"),
            ("ad_restore_face", "true"),
            ("ad_controlnet_model", "control_v11p"),
            ("ad_use_checkpoint", "True"),
            ("ad_confidence", "1.5"),
            ("ad_nonsense", "1"),
        ] {
            let error = detail.set(key, value).unwrap_err().to_string();
            assert!(error.contains(value) || error.contains(key), "{error}");
        }
        for (key, value) in
            [("ad_restore_face", "false"), ("ad_controlnet_model", "None"), ("ad_vae", "x")]
        {
            assert_eq!(detail.set(key, value).unwrap(), Applied::Done);
        }
    }
}
