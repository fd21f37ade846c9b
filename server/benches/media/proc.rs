//! What the system says of this process.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A thread names itself when it first runs: it may take so long.
const NAMED: Duration = Duration::from_secs(5);

/// The thread of this name that is the newest.
pub(crate) fn thread_named(name: &str) -> Result<u32> {
    let begun = Instant::now();
    while begun.elapsed() < NAMED {
        if let Some(thread) = newest(name)? {
            return Ok(thread);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    bail!("no thread is named {name}")
}

fn newest(name: &str) -> Result<Option<u32>> {
    let mut found = None;
    for entry in fs::read_dir("/proc/self/task")? {
        let path = entry?.path();
        let id = path.file_name().and_then(|id| id.to_str()).and_then(|id| id.parse().ok());
        if fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name) {
            found = found.max(id);
        }
    }
    Ok(found)
}

/// How long a thread has run on a processor.
pub(crate) fn cpu(thread: u32) -> Result<Duration> {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat"))?;
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).context("no schedstat")?;
    Ok(Duration::from_nanos(nanos))
}

/// Memory of this process that is in use.
pub(crate) fn resident_bytes() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(kilobytes * 1_024)
}
