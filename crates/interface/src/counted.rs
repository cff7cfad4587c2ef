//! Numbers of things in texts.

/// `1 step`, `2 steps`.
#[must_use]
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_thing_has_no_s() {
        let counted = |n| super::counted(n, "step");
        assert_eq!([counted(0), counted(1), counted(2)], ["0 steps", "1 step", "2 steps"]);
    }
}
