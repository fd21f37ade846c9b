//! `cargo xtask bench`: measures on this machine and says with what, against which goals, and what it did not measure.

#![expect(clippy::format_push_string, reason = "a table of a few lines is not worth a second way of writing")]

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::panel::Flavor;
use crate::{panel, say, tools, workspace};

/// What no figure of this routine tells.
const NOT_MEASURED: [&str; 5] = [
    "PostgreSQL: the store is SQLite",
    "a network: everything is loopback on one machine, and the load shares its cores",
    "the edge, and browsers: the panel's own time to show a change",
    "other disks: every durable latency scales with the time one sync takes",
    "other products side by side in the same minutes",
];

/// And no figure of the media bench.
const MEDIA_NOT_MEASURED: [&str; 4] = [
    "a network: everything is loopback on one machine, and the far ends share its cores",
    "Chromium: browsers are played by the library the server uses",
    "products other than rtpengine, and that only where it is installed",
    "recording, mixing and encrypted phones",
];

/// And no figure of the bench of whole calls.
const CALLS_NOT_MEASURED: [&str; 4] = [
    "a network: everything is loopback on one machine, and the far ends share its cores",
    "sound: ports are opened and closed, nothing is sent to them",
    "browsers, menus, voicemail, transfers, recordings: the calls are answered by desk phones and end",
    "TCP and TLS, and trunks that ask for a password",
];

/// What was measured, on what.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    commit: String,
    date: String,
    sections: Vec<Section>,
    not_measured: &'static [&'static str],
}

#[derive(Debug, Serialize)]
struct Machine {
    processor: String,
    cores: usize,
    memory_gb: u64,
    system: String,
    /// The load average of the last minute, at the begin: what else this machine was doing.
    load_before: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Section {
    name: String,
    figures: Vec<Figure>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Figure {
    what: String,
    rate: Option<f64>,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    p999_us: Option<f64>,
    max_us: Option<f64>,
    samples: usize,
    goal: Option<String>,
    reached: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Measured {
    sections: Vec<Section>,
}

/// Measures the engine and what stands around it. Words in `only` name the parts: engine, toggle, http, ring, restart.
pub(crate) fn engine(only: &[String], json: bool) -> Result<()> {
    measure("figures", only, &NOT_MEASURED, json)
}

/// Measures the media thread on the loopback. Words in `only` pick the runs whose names have them all.
pub(crate) fn media(only: &[String], json: bool) -> Result<()> {
    measure("media", only, &MEDIA_NOT_MEASURED, json)
}

/// Measures whole calls through the server: so many a second, for so many seconds.
pub(crate) fn calls(rate: u32, seconds: u32, json: bool) -> Result<()> {
    measure("calls", &[rate.to_string(), seconds.to_string()], &CALLS_NOT_MEASURED, json)
}

/// Builds and runs a measuring program of the server, and prints what it found.
fn measure(program: &str, only: &[String], not_measured: &'static [&'static str], json: bool) -> Result<()> {
    tools::ensure_debian(&tools::BUILD)?;
    // The server embeds the panel; any build of it will do here.
    if !panel::folder().join("index.html").is_file() {
        panel::build(Flavor::Release)?;
    }
    let mut build = workspace::cargo();
    build.args(["bench", "--quiet", "--package", "cordboard-server", "--bench", program]);
    say::step("compile the server and the measuring program (release)", || {
        let mut command = workspace::cargo();
        workspace::run(command.args(["bench", "--package", "cordboard-server", "--bench", program, "--no-run"]))
    })?;
    let machine = Machine::look();
    let output = workspace::read(build.arg("--").args(only))?;
    let line = output.lines().rev().find(|line| line.starts_with('{')).context("nothing was measured")?;
    let measured: Measured = serde_json::from_str(line).context("the figures are not as expected")?;
    let report = Report {
        machine,
        commit: commit(),
        date: workspace::read(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?.trim().to_owned(),
        sections: measured.sections,
        not_measured,
    };
    if json {
        say::line(serde_json::to_string_pretty(&report)?);
    } else {
        say::line(report.table());
    }
    Ok(())
}

impl Machine {
    fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let kilobytes = value(&read("/proc/meminfo"), "MemTotal");
        let kilobytes: u64 = kilobytes.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
        Self {
            processor: value(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gb: kilobytes.div_ceil(1_048_576),
            system: workspace::read(Command::new("uname").arg("-sr")).unwrap_or_default().trim().to_owned(),
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

fn commit() -> String {
    let read = |arguments: &[&str]| {
        let mut git = Command::new("git");
        workspace::read(git.current_dir(workspace::root()).args(arguments)).unwrap_or_default().trim().to_owned()
    };
    let changed = !read(&["status", "--porcelain", "--untracked-files=no"]).is_empty();
    format!("{}{}", read(&["rev-parse", "--short=12", "HEAD"]), if changed { " and changes on top" } else { "" })
}

impl Report {
    /// Markdown, which also reads well on a terminal.
    fn table(&self) -> String {
        let Machine { processor, cores, memory_gb, system, load_before } = &self.machine;
        let mut text = format!(
            "{processor}, {cores} cores, {memory_gb} GB, {system}; load before: {load_before}\n\
             commit {}, {}\n",
            self.commit, self.date
        );
        for section in &self.sections {
            text.push_str(&format!("\n### {}\n\n", section.name));
            let head = ["", "per second", "p50", "p99", "p99.9", "max", "samples", "goal"].map(str::to_owned);
            let rows: Vec<[String; 8]> = std::iter::once(head).chain(section.figures.iter().map(Figure::row)).collect();
            let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            let widths: Vec<usize> = (0..8).map(width).collect();
            for (number, row) in rows.iter().enumerate() {
                let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                    0 | 7 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                });
                text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
                if number == 0 {
                    let lines = widths.iter().enumerate().map(|(column, width)| match column {
                        0 | 7 => "-".repeat((*width).max(3)),
                        _ => format!("{}:", "-".repeat((*width).max(3) - 1)),
                    });
                    text.push_str(&format!("| {} |\n", lines.collect::<Vec<_>>().join(" | ")));
                }
            }
            text.push('\n');
            for note in &section.notes {
                text.push_str(&format!("- {note}\n"));
            }
        }
        text.push_str("\n### Not measured\n\n");
        for line in self.not_measured {
            text.push_str(&format!("- {line}\n"));
        }
        text
    }
}

impl Figure {
    fn row(&self) -> [String; 8] {
        let goal = match (&self.goal, self.reached) {
            (Some(goal), Some(true)) => format!("{goal}: reached"),
            (Some(goal), _) => format!("{goal}: MISSED"),
            (None, _) => String::new(),
        };
        [
            self.what.clone(),
            self.rate.map(grouped).unwrap_or_default(),
            self.p50_us.map(time).unwrap_or_default(),
            self.p99_us.map(time).unwrap_or_default(),
            self.p999_us.map(time).unwrap_or_default(),
            self.max_us.map(time).unwrap_or_default(),
            if self.samples == 0 { String::new() } else { self.samples.to_string() },
            goal,
        ]
    }
}

/// Microseconds in the unit people read.
fn time(micros: f64) -> String {
    match micros {
        less if less < 100.0 => format!("{less:.1} µs"),
        less if less < 1_000.0 => format!("{less:.0} µs"),
        less if less < 100_000.0 => format!("{:.2} ms", less / 1_000.0),
        more => format!("{:.2} s", more / 1_000_000.0),
    }
}

/// Thousands apart.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_read_well() {
        assert_eq!(time(8.26), "8.3 µs");
        assert_eq!(time(512.4), "512 µs");
        assert_eq!(time(1_234.0), "1.23 ms");
        assert_eq!(time(2_500_000.0), "2.50 s");
        assert_eq!(grouped(999.4), "999");
        assert_eq!(grouped(38_000.0), "38,000");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
    }

    #[test]
    fn a_goal_that_was_missed_is_said() {
        let figure = |reached| Figure {
            what: "a thing".to_owned(),
            rate: None,
            p50_us: Some(1.0),
            p99_us: Some(2.0),
            p999_us: None,
            max_us: None,
            samples: 3,
            goal: Some("p99 ≤ 1 µs".to_owned()),
            reached: Some(reached),
        };

        assert_eq!(figure(true).row()[7], "p99 ≤ 1 µs: reached");
        assert_eq!(figure(false).row()[7], "p99 ≤ 1 µs: MISSED");
    }
}
