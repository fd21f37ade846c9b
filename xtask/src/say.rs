//! What a person sees while a routine runs: one line per step with its seconds. The only place that prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to its terminal")]

use std::time::Instant;

use anyhow::{Context, Result};

/// Prints one line.
pub(crate) fn line(text: impl AsRef<str>) {
    println!("{}", text.as_ref());
}

/// Prints why a routine failed, the nearest reason last.
pub(crate) fn failure(error: &anyhow::Error) {
    let reasons: Vec<String> = error.chain().map(ToString::to_string).collect();
    eprintln!("error: {}", reasons.join("\n  because: "));
}

/// Announces a step, runs it, and says how long it took. A failure carries the step's name.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    line(format!("==> {name}"));
    let begun = Instant::now();
    let outcome = work();
    let seconds = begun.elapsed().as_secs_f64();
    match &outcome {
        Ok(_) => line(format!("    {name}: done in {seconds:.1} s")),
        Err(_) => line(format!("    {name}: FAILED after {seconds:.1} s")),
    }
    outcome.with_context(|| format!("step failed: {name}"))
}

/// A count of bytes with thousands separated, for sizes that are compared by eye.
pub(crate) fn bytes(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_counts_are_grouped_by_thousands() {
        assert_eq!(bytes(7), "7");
        assert_eq!(bytes(1_000), "1,000");
        assert_eq!(bytes(250_000), "250,000");
        assert_eq!(bytes(1_234_567), "1,234,567");
    }
}
