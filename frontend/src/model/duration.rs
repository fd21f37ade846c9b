//! Spans of time in words and figures.

/// `00:14:32`, as timers show it.
pub fn timer(millis: u64) -> String {
    let seconds = millis / 1_000;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// `0:32` or `1:02:07`, as tables show it.
pub fn short(millis: u64) -> String {
    let seconds = millis / 1_000;
    if seconds < 3_600 {
        format!("{}:{:02}", seconds / 60, seconds % 60)
    } else {
        format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }
}

/// `12 seconds` or `1 minute 20 seconds`, as people say it.
pub fn spoken(millis: u64) -> String {
    let seconds = millis / 1_000;
    let minutes = seconds / 60;
    match (minutes, seconds % 60) {
        (0, rest) => count(rest, "second"),
        (minutes, 0) => count(minutes, "minute"),
        (minutes, rest) => format!("{} {}", count(minutes, "minute"), count(rest, "second")),
    }
}

/// `1 call`, `2 calls`.
pub fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        assert_eq!(timer(872_900), "00:14:32");
        assert_eq!(short(32_000), "0:32");
        assert_eq!(short(3_727_000), "1:02:07");
        assert_eq!(spoken(1_000), "1 second");
        assert_eq!(spoken(80_000), "1 minute 20 seconds");
        assert_eq!(spoken(120_000), "2 minutes");
    }
}
