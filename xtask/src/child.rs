//! Programs the routines start and end: asked to stop first, killed when they do not.

use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::say;

/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(40);
/// How often a program is looked after.
const LOOK: Duration = Duration::from_millis(100);

/// A started program. It ends with this value.
#[derive(Debug)]
pub(crate) struct Running {
    name: &'static str,
    child: Child,
}

impl Running {
    /// Starts a program.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child })
    }

    /// An error when the program has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended by itself with {status}", self.name),
            None => Ok(()),
        }
    }

    /// Asks the program to end, waits, and kills it when it does not.
    pub(crate) fn stop(&mut self) {
        if let Ok(None) = self.child.try_wait()
            && let Ok(raw) = i32::try_from(self.child.id())
            && let Some(pid) = Pid::from_raw(raw)
        {
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while let Ok(None) = self.child.try_wait() {
            if asked.elapsed() > GRACE {
                say::line(format!("{} did not end within {} s and is killed", self.name, GRACE.as_secs()));
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A flag that Ctrl-C and SIGTERM set. Ask for it before the first program starts.
pub(crate) fn interrupt() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, Arc::clone(&flag))?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&flag))?;
    Ok(flag)
}

/// Waits until somebody interrupts, or until a program ends by itself.
pub(crate) fn attend(programs: &mut [Running], interrupted: &AtomicBool) -> Result<()> {
    while !interrupted.load(Ordering::Relaxed) {
        for program in programs.iter_mut() {
            program.check()?;
        }
        thread::sleep(LOOK);
    }
    say::line("stopping …");
    for program in programs.iter_mut() {
        program.stop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_asked_before_it_is_killed() {
        let mut running = Running::start("sleep", Command::new("sleep").arg("60")).unwrap();
        running.check().unwrap();

        let begun = Instant::now();
        running.stop();

        assert!(begun.elapsed() < GRACE, "SIGTERM was enough");
        assert!(running.check().is_err(), "it has ended");
    }
}
