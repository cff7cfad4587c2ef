//! What a preparation did, for people and programs.
use super::balance::Balance;
use super::record::PreparedPicture;
use serde::Serialize;
use std::path::PathBuf;

/// What became of photos.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrepareReport {
    /// The output folder; nothing was written there in a dry run.
    pub out: PathBuf,
    /// Whether files were written.
    pub written: bool,
    /// Each photo that could be read.
    pub pictures: Vec<PreparedPicture>,
    /// Photos that could not be read, and why.
    pub unread: Vec<(PathBuf, String)>,
    /// Changes made by hand that were kept.
    pub changes: usize,
    /// How balanced the images are.
    pub balance: Balance,
    /// Pages that show it all.
    pub sheets: Vec<PathBuf>,
}

impl PrepareReport {
    /// The report as lines for people.
    #[must_use]
    pub fn to_lines(&self) -> Vec<String> {
        let mut out = Vec::new();
        for picture in &self.pictures {
            let what = match (picture.choice.keep, picture.framing) {
                (true, Some(framing)) => framing.name(),
                (true, None) => "kept",
                (false, _) => "left out",
            };
            let reasons = picture.reasons.join("; ");
            let colon = if reasons.is_empty() { "" } else { ": " };
            out.push(format!("{}  {what}{colon}{reasons}", picture.name()));
        }
        for (path, reason) in &self.unread {
            out.push(format!("{}  not read: {reason}", path.display()));
        }
        out.push(format!(
            "{} of {} photos kept",
            self.balance.kept,
            self.pictures.len() + self.unread.len()
        ));
        out.extend(lines(&self.balance));
        if self.changes > 0 {
            out.push(format!("{} changed by hand", self.changes));
        }
        if self.written {
            out.extend(self.sheets.iter().map(|sheet| format!("see {}", sheet.display())));
        } else {
            out.push("nothing was written".into());
        }
        out
    }
}

/// The balance in a few lines.
pub(super) fn lines(balance: &Balance) -> Vec<String> {
    let counts = |list: &[(&str, usize)]| {
        let some = list.iter().filter(|(_, count)| *count > 0);
        some.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    };
    let mut out = Vec::new();
    for (title, list) in
        [("framing", &balance.framings), ("faces", &balance.poses), ("light", &balance.light)]
    {
        let text = counts(list);
        if !text.is_empty() {
            out.push(format!("{title}: {text}"));
        }
    }
    if balance.kept > 0 {
        out.push(format!("different backgrounds: {}", balance.backgrounds));
    }
    if !balance.missing.is_empty() {
        out.push(format!("missing: {}", balance.missing.join(", ")));
    }
    out
}
