//! Word to every handle on the database, in this process and in others, that a token was withdrawn.
//!
//! A small file beside the database holds a mark that nobody has used before. Who withdraws tokens writes another one
//! after the commit and before the answer; who has read a token believes it while the mark is the same. A look costs one
//! read of 16 bytes, and no way to a connection's thread.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::clock;

/// What the file held at one moment.
pub(super) type Mark = [u8; 16];

/// The file.
#[derive(Debug)]
pub(super) struct Signal(File);

/// Raises the signal when it goes, also when what it stands for was cut short: nobody knows then what came of it.
pub(super) struct AtEnd<'a>(&'a Signal);

impl Signal {
    /// Opens or creates the file that belongs to this database.
    pub(super) fn open(database: &Path) -> io::Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push("-signal");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(Path::new(&path))?;
        let signal = Self(file);
        if signal.mark().is_none() {
            signal.raise()?;
        }
        Ok(signal)
    }

    /// The mark now; none when the file cannot be read, and then nothing is believed.
    pub(super) fn mark(&self) -> Option<Mark> {
        let mut mark = Mark::default();
        self.0.read_exact_at(&mut mark, 0).ok().map(|()| mark)
    }

    pub(super) fn raise_at_end(&self) -> AtEnd<'_> {
        AtEnd(self)
    }

    fn raise(&self) -> io::Result<()> {
        self.0.write_all_at(&clock::random::<16>(), 0)
    }
}

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.raise() {
            tracing::error!(%error, "other handles cannot be told of a withdrawn token; they find out within a second");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_handle_sees_that_something_was_withdrawn() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("x.sqlite");
        let (one, other) = (Signal::open(&database).unwrap(), Signal::open(&database).unwrap());
        let before = one.mark();
        assert!(before.is_some());
        assert_eq!(before, other.mark());

        drop(other.raise_at_end());

        assert_ne!(one.mark(), before);
        assert_eq!(one.mark(), other.mark());
    }
}
