//! What a session knows of the machine's environment: home, caches, folders.
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use wayword_formats::atomic;

/// Folders that the environment names. Empty fields are places that are not known; nothing is
/// looked for there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// The user's folder.
    pub home: Option<PathBuf>,
    /// Where the Hugging Face hub keeps downloaded files.
    pub hub: Option<PathBuf>,
    /// The user's cache folder; ours is `wayword` in it.
    pub cache: Option<PathBuf>,
    /// The folder that relative paths begin at; `.` where it is empty.
    pub folder: PathBuf,
    /// Where files go that are needed for a moment.
    pub temporary: PathBuf,
}

impl Environment {
    /// Reads the pairs of an environment, as `std::env::vars_os` gives them. Empty values count
    /// as missing.
    #[must_use]
    pub fn from_pairs(pairs: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let pairs: BTreeMap<OsString, OsString> =
            pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let folder = |name: &str| pairs.get(&OsString::from(name)).map(PathBuf::from);
        let home = folder("HOME").or_else(|| folder("USERPROFILE"));
        // The order of huggingface_hub: its own variables, the XDG folder, the folder in the home.
        let hub = folder("HF_HUB_CACHE")
            .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| folder("HF_HOME").map(|p| p.join("hub")))
            .or_else(|| folder("XDG_CACHE_HOME").map(|p| p.join("huggingface/hub")))
            .or_else(|| home.as_ref().map(|p| p.join(".cache/huggingface/hub")));
        let cache = folder("XDG_CACHE_HOME")
            .or_else(|| folder("LOCALAPPDATA"))
            .or_else(|| folder("HOME").map(|home| home.join(".cache")));
        let temporary = ["TMPDIR", "TEMP", "TMP"].iter().find_map(|name| folder(name));
        Self {
            home,
            hub,
            cache,
            folder: PathBuf::new(),
            temporary: temporary.unwrap_or_else(|| Path::new("/tmp").into()),
        }
    }

    /// Where hashes of files are remembered between runs. `None` where no cache folder is known or
    /// it cannot be made; then hashes are computed each time.
    #[must_use]
    pub fn hash_cache(&self) -> Option<PathBuf> {
        let folder = self.cache.as_ref()?.join("wayword");
        std::fs::create_dir_all(&folder).ok()?;
        Some(folder.join("hashes.json"))
    }

    /// The user's folder of image encoders, for `auto`.
    pub(crate) fn judges(&self) -> Option<PathBuf> {
        Some(self.cache.as_ref()?.join("wayword").join("judges"))
    }

    /// Where the folder of the last training's output is remembered.
    fn last_out_file(&self) -> Option<PathBuf> {
        Some(self.hash_cache()?.with_file_name("last-out"))
    }

    /// Remembers the folder that a training wrote its embedding to, for the drawings after it.
    pub(crate) fn remember_out(&self, folder: &Path) {
        if let Some((file, text)) = self.last_out_file().zip(folder.to_str()) {
            // What is remembered is a comfort; a full disk has other troubles.
            let _ = atomic::write_bytes(&file, text.as_bytes());
        }
    }

    /// The folder that the last training wrote its embedding to, if it is still there.
    #[must_use]
    pub fn last_out(&self) -> Option<PathBuf> {
        let text = std::fs::read_to_string(self.last_out_file()?).ok()?;
        Some(PathBuf::from(text)).filter(|folder| folder.is_dir())
    }

    /// Folders that may hold checkpoints, whether they exist or not.
    #[must_use]
    pub fn checkpoint_folders(&self) -> Vec<PathBuf> {
        let places = self.programs().into_iter().map(|(root, checkpoints)| root.join(checkpoints));
        self.hub.iter().cloned().chain(places).collect()
    }

    /// Where A1111, Forge and ComfyUI may be installed, whether they are there or not.
    #[must_use]
    pub fn program_folders(&self) -> Vec<PathBuf> {
        self.programs().into_iter().map(|(root, _)| root).collect()
    }

    /// The same, each with the folder of its checkpoints.
    fn programs(&self) -> Vec<(PathBuf, &'static str)> {
        let mut found = Vec::new();
        let mut parents = vec![self.folder.join("."), self.folder.join("..")];
        if let Some(home) = &self.home {
            parents.push(home.clone());
            parents.extend(["Desktop", "Documents", "Downloads", "AI", "ai"].map(|d| home.join(d)));
        }
        for parent in parents {
            for program in
                ["stable-diffusion-webui", "stable-diffusion-webui-forge", "sd.webui/webui"]
            {
                found.push((parent.join(program), "models/Stable-diffusion"));
            }
            for program in ["ComfyUI", "ComfyUI_windows_portable/ComfyUI", "comfyui"] {
                found.push((parent.join(program), "models/checkpoints"));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_pairs(pairs.iter().map(|(k, v)| (k.into(), v.into())))
    }

    #[test]
    fn folders_follow_the_variables_of_other_programs() {
        let plain = environment(&[("HOME", "h"), ("XDG_CACHE_HOME", "")]);
        assert_eq!(plain.hub.as_deref(), Some(Path::new("h/.cache/huggingface/hub")));
        assert_eq!(plain.cache.as_deref(), Some(Path::new("h/.cache")));
        let named = environment(&[("HOME", "h"), ("HF_HOME", "f"), ("XDG_CACHE_HOME", "c")]);
        assert_eq!(named.hub.as_deref(), Some(Path::new("f/hub")));
        assert_eq!(named.cache.as_deref(), Some(Path::new("c")));
        let windows = environment(&[("USERPROFILE", "u"), ("LOCALAPPDATA", "l")]);
        assert_eq!(windows.cache.as_deref(), Some(Path::new("l")));
        assert!(windows.checkpoint_folders().contains(&PathBuf::from(
            "u/Downloads/stable-diffusion-webui/models/Stable-diffusion"
        )));
    }

    #[test]
    fn nothing_is_known_without_an_environment() {
        assert_eq!(environment(&[]).hash_cache(), None);
    }
}
