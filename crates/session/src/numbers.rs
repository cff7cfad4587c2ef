//! Numbers for people: bytes, seconds, dates.
pub use wayword_train::checkpoint::date;

/// Bytes in the unit that leaves one to three digits before the point: `4.27 GB`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
#[must_use]
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["bytes", "kB", "MB", "GB"] {
        if value < 999.5 {
            return match unit {
                "bytes" => format!("{count} bytes"),
                _ if value < 99.5 => format!("{value:.1} {unit}"),
                _ => format!("{value:.0} {unit}"),
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// Seconds as `8.4 s`, `2 min 05 s` or `3 h 07 min`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "durations are positive and below centuries"
)]
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".into();
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        return format!("{} min {:02} s", whole / 60, whole % 60);
    }
    format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
}

/// Seconds of a forecast, which says nothing of fractions: `under a second`, then as [`duration`].
#[must_use]
pub fn estimated(seconds: f64) -> String {
    if (0.0..0.95).contains(&seconds) { "under a second".into() } else { duration(seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(bytes(12), "12 bytes");
        assert_eq!(bytes(3_217), "3.2 kB");
        assert_eq!(bytes(4_265_146_304), "4.3 GB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(duration(0.31), "0.3 s");
        assert_eq!(duration(125.2), "2 min 05 s");
        assert_eq!(duration(11_240.0), "3 h 07 min");
        assert_eq!(duration(f64::NAN), "?");
        assert_eq!(estimated(0.02), "under a second");
        assert_eq!((estimated(1.04), estimated(f64::NAN)), ("1.0 s".into(), "?".into()));
    }
}
