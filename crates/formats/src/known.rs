//! The original checkpoints of Stable Diffusion 1.4 and 1.5, known by their content.

/// An original checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// SHA-256 of the file, hexadecimal.
    pub sha256: &'static str,
    /// What people call it.
    pub name: &'static str,
}

/// The original 1.4 and 1.5 checkpoints, as their publishers' pages give the hashes.
pub const ORIGINALS: &[Known] = &[
    Known {
        sha256: "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa",
        name: "Stable Diffusion 1.5 (v1-5-pruned-emaonly.safetensors)",
    },
    Known {
        sha256: "cc6cb27103417325ff94f52b7a5d2dde45a7515b25c255d8e396c90014281516",
        name: "Stable Diffusion 1.5 (v1-5-pruned-emaonly.ckpt)",
    },
    Known {
        sha256: "1a189f0be69d6106a48548e7626207dddd7042a418dbf372cefd05e0cdba61b6",
        name: "Stable Diffusion 1.5 (v1-5-pruned.safetensors)",
    },
    Known {
        sha256: "e1441589a6f3c5a53f5f54d0975a18a7feb7cdf0b0dee276dfc3331ae376a053",
        name: "Stable Diffusion 1.5 (v1-5-pruned.ckpt)",
    },
    Known {
        sha256: "fe4efff1e174c627256e44ec2991ba279b3816e364b49f9be2abc0b3ff3f8556",
        name: "Stable Diffusion 1.4 (sd-v1-4.ckpt)",
    },
];

/// The name of the original with this SHA-256.
#[must_use]
pub fn original(sha256: &str) -> Option<&'static str> {
    ORIGINALS.iter().find(|k| k.sha256.eq_ignore_ascii_case(sha256)).map(|k| k.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_well_formed() {
        assert!(ORIGINALS.iter().all(|k| k.sha256.len() == 64));
        assert_eq!(original(&ORIGINALS[2].sha256.to_uppercase()), Some(ORIGINALS[2].name));
        assert_eq!(original("00"), None);
    }
}
