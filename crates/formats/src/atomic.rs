//! Files that appear whole or not at all: written beside, synced, renamed.

use crate::os;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// Writes a file through `fill`; readers see the old file or the complete new one.
///
/// # Errors
/// What `fill` returns, and failures to create, sync or rename. The half-written file is removed.
pub fn write(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    // Two threads or programs may write the same file at once; the last rename wins.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let beside = folder.join(beside(path, count));
    let done = (|| {
        let mut out = BufWriter::with_capacity(1 << 16, File::create_new(&beside)?);
        fill(&mut out)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&beside, path)?;
        os::sync_folder(folder)
    })();
    if done.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    done
}

/// The name of the half-written file of `path`: `.wayword-NAME-PROCESS-COUNT.tmp`.
fn beside(path: &Path, count: u32) -> String {
    // Most systems end a name at 255 bytes.
    let name = path.file_name().and_then(|name| name.to_str()).filter(|name| name.len() <= 225);
    format!("{BEFORE}{}-{}-{count}{BEHIND}", name.unwrap_or_default(), std::process::id())
}

const BEFORE: &str = ".wayword-";
const BEHIND: &str = ".tmp";

/// Which file a half-written one was to become, by its name; `None` where it is none. The name is
/// empty where it was too long to be kept.
#[must_use]
pub fn half_written(name: &str) -> Option<&str> {
    let mut parts = name.strip_prefix(BEFORE)?.strip_suffix(BEHIND)?.rsplitn(3, '-');
    let numbers = [parts.next()?, parts.next()?];
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    numbers.into_iter().all(digits).then(|| parts.next())?
}

/// Writes `bytes` as a whole file; see [`write()`].
///
/// # Errors
/// As [`write()`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, |out| out.write_all(bytes))
}

/// Whether files can be made in a folder: one is made and removed.
///
/// # Errors
/// Why none can be made.
pub fn probe(folder: &Path) -> io::Result<()> {
    let file = folder.join(beside(Path::new("probe"), 0));
    File::create(&file)?.write_all(&[0])?;
    fs::remove_file(file)
}

/// A file name that every system accepts: characters that Windows refuses become `_`, trailing
/// dots and blanks go, device names get an underscore, and length is cut at 200 bytes.
#[must_use]
pub fn portable_name(name: &str) -> String {
    let mut out: String = name.chars().map(|c| if forbidden(c) { '_' } else { c }).collect();
    while out.len() > 200 {
        out.pop();
    }
    out.truncate(out.trim_end_matches(['.', ' ']).len());
    if out.is_empty() {
        return "_".into();
    }
    if is_device(&out) {
        out.insert(0, '_');
    }
    out
}

/// Why `name` cannot be a file name on every system; `None` where it can.
#[must_use]
pub fn name_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("the name is empty".into());
    }
    if let Some(c) = name.chars().find(|c| forbidden(*c)) {
        return Some(format!("{c:?} is not allowed in a file name on Windows"));
    }
    if name.ends_with(['.', ' ']) {
        return Some("a file name on Windows must not end in a dot or a space".into());
    }
    if is_device(name) {
        return Some(format!("`{name}` is a device name on Windows and cannot be a file name"));
    }
    (name.len() > 200).then(|| format!("the name has {} bytes, more than 200", name.len()))
}

fn forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    port.is_some_and(|n| n.len() == 1 && n != "0" && n.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{half_written, name_fault, portable_name, write};
    use std::io::{self, Write};

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        super::write_bytes(&path, b"old").unwrap();
        let failed = write(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn half_written_files_say_what_they_were_to_be() {
        let name = super::beside("a/b/my-word-step00000200.safetensors".as_ref(), 7);
        assert_eq!(half_written(&name), Some("my-word-step00000200.safetensors"));
        let long = "x".repeat(240);
        assert_eq!(half_written(&super::beside(long.as_ref(), 7)), Some(""));
        for other in ["my-word.safetensors", ".wayword-x.tmp", ".wayword-x-1-b.tmp", "x-1-2.tmp"] {
            assert_eq!(half_written(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_valid_on_windows() {
        for (name, want) in [
            ("evagreen-ti", "evagreen-ti"),
            ("a:b/c", "a_b_c"),
            ("dot.", "dot"),
            ("con", "_con"),
            ("Com1.txt", "_Com1.txt"),
            ("com10", "com10"),
            ("", "_"),
            ("漢 字", "漢 字"),
        ] {
            assert_eq!(portable_name(name), want);
            assert_eq!(name_fault(name).is_none(), name == want, "{name}");
        }
    }
}
