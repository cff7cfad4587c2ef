//! The embedding's files: when one is written, what it is called, which old one goes, what is in it.
//!
//! Names and rules are kohya's: `NAME-step00000200.safetensors`, `NAME-000003.safetensors` (epoch),
//! `NAME.safetensors` at the end.
use crate::Result;
use crate::error::AtFile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wayword_formats::{Dtype, embedding};
use wayword_interface::choices;

choices! {
    /// The kind of file; its name is the ending.
    pub enum SaveFormat {
        /// With metadata
        Safetensors = "safetensors",
        /// A torch pickle
        Pt = "pt",
        /// The same under another ending
        Ckpt = "ckpt",
    }
}

choices! {
    /// The numbers in a file.
    pub enum SavePrecision {
        /// 32 bits, as trained
        Float = "float",
        /// Half precision
        Fp16 = "fp16",
        /// The upper halves of 32-bit floats
        Bf16 = "bf16",
    }
}

impl SavePrecision {
    /// As a tensor's data type.
    #[must_use]
    pub const fn dtype(self) -> Dtype {
        match self {
            Self::Float => Dtype::F32,
            Self::Fp16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
        }
    }
}

/// When files are written and how long they stay. 0 is never, and for `keep_*` it is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SaveRules {
    /// A file every so many steps.
    pub every_steps: usize,
    /// A file every so many epochs, but for the last.
    pub every_epochs: usize,
    /// Step files older than so many steps go.
    pub keep_steps: usize,
    /// So many epoch files stay.
    pub keep_epochs: usize,
}

/// What is to be done at one moment: names without ending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SaveActions {
    /// The file to write.
    pub write: Option<String>,
    /// The file to remove afterwards, if it is there.
    pub remove: Option<String>,
}

impl SaveRules {
    /// What follows step `step`, counted from 1.
    #[must_use]
    pub fn after_step(&self, name: &str, step: usize) -> SaveActions {
        if self.every_steps == 0 || !step.is_multiple_of(self.every_steps) {
            return SaveActions::default();
        }
        // `keep_steps` is a distance; the file at or below it goes.
        let old = (self.keep_steps > 0).then(|| step.checked_sub(self.keep_steps + 1)).flatten();
        let old = old.map(|edge| edge - edge % self.every_steps);
        let old = old.filter(|old| *old > 0);
        SaveActions {
            write: Some(step_name(name, step)),
            remove: old.map(|old| step_name(name, old)),
        }
    }

    /// What follows epoch `epoch` of `epochs`, counted from 1.
    #[must_use]
    pub fn after_epoch(&self, name: &str, epoch: usize, epochs: usize) -> SaveActions {
        let due = self.every_epochs > 0 && epoch.is_multiple_of(self.every_epochs);
        if !due || epoch >= epochs {
            return SaveActions::default();
        }
        let old = (self.keep_epochs > 0)
            .then(|| epoch.checked_sub(self.every_epochs * self.keep_epochs))
            .flatten()
            .filter(|old| *old > 0);
        SaveActions {
            write: Some(epoch_name(name, epoch)),
            remove: old.map(|old| epoch_name(name, old)),
        }
    }
}

/// What kohya's trainers call files where a run has no name: of a step, of an epoch, the last. A
/// embedding always has one, so none of ours is called so.
pub const UNNAMED: (&str, &str, &str) = ("at", "epoch", "last");

/// What is added to an embedding's name for the last step's file, where another step was picked.
pub const LAST: &str = "-last";

/// The name of a step's file, without ending.
#[must_use]
pub fn step_name(name: &str, step: usize) -> String {
    format!("{name}-step{step:08}")
}

/// The name of an epoch's file, without ending.
#[must_use]
pub fn epoch_name(name: &str, epoch: usize) -> String {
    format!("{name}-{epoch:06}")
}

/// Whether a file in the output folder is one of the embedding `name`: its final, step or epoch file,
/// or the last step's where another was picked.
#[must_use]
pub fn is_of(name: &str, file: &str) -> bool {
    let endings = [SaveFormat::Safetensors, SaveFormat::Pt, SaveFormat::Ckpt];
    let stem = endings.iter().find_map(|e| file.strip_suffix(e.name())?.strip_suffix('.'));
    let Some(rest) = stem.and_then(|s| s.strip_prefix(name)) else { return false };
    let digits = |t: &str, n: usize| t.len() >= n && t.bytes().all(|b| b.is_ascii_digit());
    rest.is_empty()
        || rest == LAST
        || rest.strip_prefix("-step").is_some_and(|d| digits(d, 8))
        || rest.strip_prefix('-').is_some_and(|d| digits(d, 6))
}

/// How the embedding's files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saver {
    /// Their folder.
    pub out: PathBuf,
    /// The kind of file; its name is the ending.
    pub format: SaveFormat,
    /// The numbers in it.
    pub precision: SavePrecision,
    /// What a safetensors header says, but for `title`.
    pub metadata: BTreeMap<String, String>,
}

impl Saver {
    /// The path of a file by its name without ending.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.out.join(format!("{name}.{}", self.format.name()))
    }

    /// Writes vectors `[vectors.len() / width, width]` and gives the file's path.
    ///
    /// # Errors
    /// If it cannot be written; a file of that name that was there before stays whole.
    pub fn write(&self, name: &str, vectors: &[f32], width: usize) -> Result<PathBuf> {
        let path = self.path(name);
        let dtype = self.precision.dtype();
        embedding::write_kohya(&path, vectors, width, dtype, &self.metadata)?;
        Ok(path)
    }

    /// Removes a file that is no longer kept, if it is there.
    ///
    /// # Errors
    /// If it is there and cannot be removed.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        if path.exists() { std::fs::remove_file(&path).at(&path) } else { Ok(()) }
    }

    /// The embedding's files that lie in the output folder, sorted.
    ///
    /// # Errors
    /// If the folder is there and cannot be listed.
    pub fn existing(out: &Path, name: &str) -> Result<Vec<PathBuf>> {
        if !out.exists() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in std::fs::read_dir(out).at(out)? {
            let entry = entry.at(out)?;
            if entry.file_name().to_str().is_some_and(|file| is_of(name, file)) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }
}

/// A moment as `YYYY-MM-DDTHH:MM:SSZ`, from seconds since 1970, in UTC.
#[must_use]
pub fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date by Howard Hinnant's `civil_from_days`: years begin in March there.
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (h, m, s) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_kohyas() {
        let rules = SaveRules { every_steps: 10, keep_steps: 30, ..SaveRules::default() };
        assert_eq!(rules.after_step("w", 5), SaveActions::default());
        assert_eq!(rules.after_step("w", 40).remove, None);
        assert_eq!(rules.after_step("w", 50).write.unwrap(), "w-step00000050");
        assert_eq!(rules.after_step("w", 50).remove.unwrap(), "w-step00000010");
        let rules = SaveRules { every_epochs: 2, keep_epochs: 2, ..SaveRules::default() };
        assert_eq!(rules.after_epoch("w", 6, 9).write.unwrap(), "w-000006");
        assert_eq!(rules.after_epoch("w", 6, 9).remove.unwrap(), "w-000002");
        assert_eq!(rules.after_epoch("w", 4, 9).remove, None);
        assert_eq!(rules.after_epoch("w", 8, 8), SaveActions::default());
    }

    #[test]
    fn files_of_a_word() {
        for file in
            ["w.safetensors", "w-step00000200.safetensors", "w-000003.pt", "w.ckpt", "w-last.pt"]
        {
            assert!(is_of("w", file), "{file}");
        }
        for file in ["w2.safetensors", "w-step.safetensors", "w-ti.safetensors", "w.png", "x-w.pt"]
        {
            assert!(!is_of("w", file), "{file}");
        }
    }

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
    }
}
