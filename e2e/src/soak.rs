//! What a soak looks at: samples of a server over time, whether anything grew, and how a clock drifts. Pure; the load is
//! in `benches/soak`.

use std::time::Duration;

/// Memory that comes and goes without being a leak, in bytes: allocators keep pages, and the database its cache.
const MEMORY_ROOM: u64 = 24 * 1_024 * 1_024;
/// A stream that is made here keeps the wall clock's time within so many parts of a million.
const DRIFT_PPM: f64 = 200.0;
/// And within this, whatever the length: a busy machine delivers a packet late.
const DRIFT_ROOM: Duration = Duration::from_millis(100);
/// Fewer samples than this tell nothing of growth.
const LEAST: usize = 6;

/// The server at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// Since the begin.
    pub at: Duration,
    /// Resident memory, in bytes.
    pub memory: u64,
    /// Calls that have not ended.
    pub calls: u64,
    /// Their legs.
    pub legs: u64,
    /// SIP transactions.
    pub transactions: u64,
    /// SIP dialogs.
    pub dialogs: u64,
    /// Armed timers of SIP.
    pub timers: u64,
    /// Legs of the media thread.
    pub media_legs: u64,
    /// People held by nothing and yet not idle.
    pub stuck: u64,
}

impl Sample {
    /// What must be nothing once the last call is over and its timers have run out.
    pub fn left_behind(&self) -> Vec<(&'static str, u64)> {
        let tables = [
            ("calls", self.calls),
            ("legs", self.legs),
            ("SIP transactions", self.transactions),
            ("SIP dialogs", self.dialogs),
            ("media legs", self.media_legs),
            ("stuck people", self.stuck),
        ];
        tables.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// A line for a person who watches.
    pub fn line(&self) -> String {
        let seconds = self.at.as_secs();
        format!(
            "{:02}:{:02}:{:02}  {:>6.1} MB  calls {:>2}  legs {:>2}  media legs {:>2}  transactions {:>3}  dialogs {:>2}  timers {:>3}",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60,
            megabytes(self.memory),
            self.calls,
            self.legs,
            self.media_legs,
            self.transactions,
            self.dialogs,
            self.timers
        )
    }
}

/// What is wrong in a row of samples under an even load; the first third is for warming up. Too few tell nothing.
pub fn grown(samples: &[Sample]) -> Vec<String> {
    let third = if samples.len() < LEAST { 0 } else { samples.len() / 3 };
    let (middle, last) = (&samples[third..third * 2], &samples[samples.len() - third..]);
    let mut found = Vec::new();
    let (before, after) = (mean(middle, |it| it.memory), mean(last, |it| it.memory));
    if after > before + MEMORY_ROOM {
        found.push(format!("memory grew from {:.1} to {:.1} MB", megabytes(before), megabytes(after)));
    }
    for (name, value) in [
        ("legs", (|it: &Sample| it.legs) as fn(&Sample) -> u64),
        ("media legs", |it| it.media_legs),
        ("SIP transactions", |it| it.transactions),
        ("SIP dialogs", |it| it.dialogs),
        ("SIP timers", |it| it.timers),
    ] {
        let (before, after) = (mean(middle, value), mean(last, value));
        // Under an even load a table is about as large as before; a few entries more or less are the moment of the look. One
        // that grows evenly has two thirds more.
        if after > before + before / 3 + 20 {
            found.push(format!("the table of {name} grew from {before} to {after} entries"));
        }
    }
    if let Some(sample) = samples.iter().find(|it| it.stuck > 0) {
        found.push(format!("{} people were stuck after {} s", sample.stuck, sample.at.as_secs()));
    }
    found
}

/// How far a stream's clock is from the wall's, in parts of a million: it went on by `samples` of `rate` in `elapsed`.
pub fn drift_ppm(samples: u32, rate: u32, elapsed: Duration) -> f64 {
    let sounded = f64::from(samples) / f64::from(rate);
    (sounded / elapsed.as_secs_f64() - 1.0) * 1e6
}

/// Whether that is no more than the looks' own inaccuracy.
pub fn keeps_time(ppm: f64, elapsed: Duration) -> bool {
    ppm.abs() <= DRIFT_PPM.max(DRIFT_ROOM.as_secs_f64() / elapsed.as_secs_f64() * 1e6)
}

/// Bytes in millions.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn mean(samples: &[Sample], value: impl Fn(&Sample) -> u64) -> u64 {
    let count = u64::try_from(samples.len()).unwrap_or(u64::MAX);
    samples.iter().map(value).sum::<u64>().checked_div(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(memory: impl Fn(u64) -> u64, transactions: impl Fn(u64) -> u64) -> Vec<Sample> {
        (0..30)
            .map(|at| Sample {
                at: Duration::from_secs(at * 10),
                memory: memory(at),
                transactions: transactions(at),
                ..Sample::default()
            })
            .collect()
    }

    #[test]
    fn a_server_that_warms_up_and_then_stays_has_not_grown() {
        let samples = row(|at| 40_000_000 + at.min(10) * 5_000_000, |at| 30 + at % 3);

        assert_eq!(grown(&samples), [""; 0]);
    }

    #[test]
    fn memory_and_tables_that_grow_on_are_named() {
        let samples = row(|at| 40_000_000 + at * 5_000_000, |at| 20 * at);

        let found = grown(&samples);

        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("memory grew") && found[1].starts_with("the table of SIP transactions grew"));
    }

    #[test]
    fn somebody_stuck_is_named_and_what_is_left_behind_too() {
        let mut samples = row(|_| 1, |_| 0);
        samples[4].stuck = 1;

        assert_eq!(grown(&samples), ["1 people were stuck after 40 s"]);
        assert_eq!(samples[4].left_behind(), [("stuck people", 1)]);
        assert_eq!(samples[5].left_behind(), []);
    }

    #[test]
    fn a_clock_is_judged_by_its_drift_and_a_short_look_more_mildly() {
        let minute = Duration::from_mins(1);
        assert!(drift_ppm(480_000, 8_000, minute).abs() < 1e-6);
        assert!((drift_ppm(480_480, 8_000, minute) - 1_000.0).abs() < 1e-6);
        assert!(keeps_time(1_600.0, minute) && !keeps_time(1_700.0, minute));
        assert!(keeps_time(150.0, minute * 30) && !keeps_time(-300.0, minute * 30));
    }
}
