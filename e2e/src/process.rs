//! Programs a journey starts. They end with the journey, and what they wrote stays readable.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};

use crate::wait::until;

/// A program of the journey's own, with its output in a file.
#[derive(Debug)]
pub struct Program {
    name: String,
    log: PathBuf,
    child: Mutex<Child>,
    input: tokio::sync::Mutex<Option<ChildStdin>>,
}

impl Program {
    /// Starts a program; both its outputs go to `log`.
    pub fn start(name: &str, command: Command, log: &Path) -> Result<Self> {
        Self::start_with(name, command, log, Stdio::null())
    }

    /// Starts a program that is told what to do on its standard input.
    pub fn start_listening(name: &str, command: Command, log: &Path) -> Result<Self> {
        Self::start_with(name, command, log, Stdio::piped())
    }

    fn start_with(name: &str, mut command: Command, log: &Path, input: Stdio) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        command.stdin(input).stdout(output.try_clone()?).stderr(output).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let input = tokio::sync::Mutex::new(child.stdin.take());
        Ok(Self { name: name.to_owned(), log: log.to_path_buf(), child: Mutex::new(child), input })
    }

    /// Says a line to a program that listens.
    pub async fn say(&self, line: &str) -> Result<()> {
        let mut input = self.input.lock().await;
        let input = input.as_mut().with_context(|| format!("{} does not listen", self.name))?;
        input.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(input.flush().await?)
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Its process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Result<Option<ExitStatus>> {
        Ok(self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait()?)
    }

    /// An error when it has ended.
    pub fn check(&self) -> Result<()> {
        match self.ended()? {
            Some(status) => {
                bail!("{} ended with {status}; its last words:\n{}", self.name, last_lines(&self.output(), 30))
            }
            None => Ok(()),
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.id().with_context(|| format!("{} runs no more", self.name))?;
        let pid = Pid::from_raw(i32::try_from(id)?).context("not a process id")?;
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits until it has ended.
    pub async fn wait(&self, limit: Duration) -> Result<ExitStatus> {
        until(&format!("the end of {}", self.name), limit, async || match self.ended() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err(format!("still running; its last words:\n{}", last_lines(&self.output(), 10))),
            Err(error) => Err(error.to_string()),
        })
        .await
    }

    /// Asks it to end and waits; when it does not within `limit`, it is killed and that is an error.
    pub async fn stop(&self, limit: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        let outcome = self.wait(limit).await;
        if outcome.is_err() {
            self.kill().await?;
        }
        outcome
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub async fn kill(&self) -> Result<()> {
        if self.ended()?.is_none() {
            self.signal(Signal::KILL)?;
            self.wait(Duration::from_secs(10)).await?;
        }
        Ok(())
    }
}

/// The last lines of a text.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_is_stopped_and_its_words_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo hello; exec sleep 60"]);
        let program = Program::start("a sleeper", command, &folder.path().join("log")).unwrap();

        until("its greeting", Duration::from_secs(5), async || match program.output().trim() {
            "hello" => Ok(()),
            other => Err(other.to_owned()),
        })
        .await
        .unwrap();
        program.check().unwrap();
        program.stop(Duration::from_secs(5)).await.unwrap();

        assert!(program.check().unwrap_err().to_string().contains("hello"));
    }
}
