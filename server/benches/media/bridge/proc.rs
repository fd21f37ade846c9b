//! A program that carries the calls: what the system says of it, and its end with its value.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// A running program that is killed with this value.
pub(super) struct Program(pub(super) Child);

impl Program {
    /// Starts it with pipes to speak through; nobody reads what it complains of.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("cannot start {}", command.get_program().display()))?))
    }

    /// How long all its threads have run on a processor, by the scheduler's own count.
    pub(super) fn cpu(&self) -> Result<Duration> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            // Some end while the list is read.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            sum +=
                text.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok()).context("no schedstat")?;
        }
        Ok(Duration::from_nanos(sum))
    }

    /// Bytes of memory in use that hold no file: what it made itself.
    pub(super) fn memory(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).context("no Pss_Anon")?;
        let kilobytes: u64 = line.split_whitespace().next().unwrap_or_default().parse()?;
        Ok(kilobytes * 1_024)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
