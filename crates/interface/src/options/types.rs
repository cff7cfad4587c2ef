//! Types of options that the standard library lacks.
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A width and a height in pixels, written `W,H`, `WxH` or one number for both; `[W, H]` in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// A width and a height in pixels, one of which may be 0 and follow from the shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub struct Sides {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

macro_rules! pairs {
    ($($type:ident),+) => {$(
        impl From<(u32, u32)> for $type {
            fn from((width, height): (u32, u32)) -> Self {
                Self { width, height }
            }
        }

        impl From<$type> for (u32, u32) {
            fn from(size: $type) -> Self {
                (size.width, size.height)
            }
        }
    )+};
}

pairs!(Size, Sides);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = super::OptionKind::Size.fit(&text.into(), f64::NEG_INFINITY, f64::INFINITY);
        let value = value.map_err(|unfit| unfit.to_string())?;
        serde_json::from_value(value).map_err(|error| error.to_string())
    }
}

/// A seed; -1 is a random one, as in A1111.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// One that the program chooses.
    Random,
    /// This one.
    Fixed(u64),
}

impl Seed {
    /// The number, `random` where none was chosen.
    pub fn or_else(self, random: impl FnOnce() -> u64) -> u64 {
        match self {
            Self::Random => random(),
            Self::Fixed(seed) => seed,
        }
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Random => serializer.serialize_i64(-1),
            Self::Fixed(seed) => serializer.serialize_u64(*seed),
        }
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        match (number.as_u64(), number.as_i64()) {
            (Some(seed), _) => Ok(Self::Fixed(seed)),
            (None, Some(-1)) => Ok(Self::Random),
            _ => Err(D::Error::custom("expected a whole number from 0, or -1")),
        }
    }
}
