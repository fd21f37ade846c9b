//! The header of the WAV files that recordings are: 8 kHz, 16 bit, one channel or two.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use cordboard_media::SAMPLE_RATE;

/// Bytes before the samples.
pub(super) const HEADER: u64 = HEADER_BYTES as u64;

const HEADER_BYTES: usize = 44;

/// Bytes of one millisecond of one channel.
const BYTES_PER_MS: u64 = SAMPLE_RATE as u64 / 1_000 * 2;

/// The header of a file with so many channels and bytes of samples.
pub(super) fn header(channels: u8, data_bytes: u32) -> [u8; HEADER_BYTES] {
    let channels = u16::from(channels);
    let mut header = [0; HEADER_BYTES];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        header[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(b"RIFF");
    put(&data_bytes.saturating_add(36).to_le_bytes());
    put(b"WAVEfmt ");
    put(&16_u32.to_le_bytes());
    put(&1_u16.to_le_bytes()); // PCM
    put(&channels.to_le_bytes());
    put(&SAMPLE_RATE.to_le_bytes());
    put(&(SAMPLE_RATE * 2 * u32::from(channels)).to_le_bytes()); // bytes per second
    put(&(2 * channels).to_le_bytes()); // bytes per sample of all channels
    put(&16_u16.to_le_bytes()); // bits per sample
    put(b"data");
    put(&data_bytes.to_le_bytes());
    header
}

/// Repairs the header of a recording left by a crash and returns its length in milliseconds.
///
/// The samples are on disk, only their number was not yet written in front of them. `None` when the file does not begin as
/// our recordings do; it is left as it is then. A file that needs no repair is not written to.
pub fn repair_wav(path: &Path) -> io::Result<Option<u32>> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let size = file.metadata()?.len();
    if size < HEADER {
        return Ok(None);
    }
    let mut found = [0; HEADER_BYTES];
    file.read_exact(&mut found)?;
    // All but the number of channels and the two sizes is always the same.
    let channels = if found[22] == 2 { 2 } else { 1 };
    let mut sizeless = found;
    let blank = header(channels, 0);
    sizeless[4..8].copy_from_slice(&blank[4..8]);
    sizeless[40..44].copy_from_slice(&blank[40..44]);
    if sizeless != blank {
        return Ok(None);
    }
    // A sample cut in half is left out, of both channels.
    let whole = 2 * u32::from(channels);
    let data = u32::try_from(size - HEADER).unwrap_or(u32::MAX) / whole * whole;
    let right = header(channels, data);
    if right != found || size != HEADER + u64::from(data) {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&right)?;
        file.set_len(HEADER + u64::from(data))?;
        file.sync_all()?;
    }
    Ok(Some(u32::try_from(u64::from(data) / (BYTES_PER_MS * u64::from(channels))).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wav");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn a_file_left_by_a_crash_plays_again_in_full() {
        for channels in [1, 2] {
            let mut bytes = header(channels, 0).to_vec();
            bytes.extend([1, 0].repeat(8_000 * usize::from(channels)));
            bytes.push(9); // half a sample
            let (_dir, path) = file(&bytes);

            assert_eq!(repair_wav(&path).unwrap(), Some(1_000));

            let reader = hound::WavReader::open(&path).unwrap();
            assert_eq!((reader.duration(), reader.spec().sample_rate), (8_000, 8_000));
            assert_eq!(reader.spec().channels, u16::from(channels));
            assert!(reader.into_samples::<i16>().all(|sample| sample.unwrap() == 1));
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 44 + 16_000 * u64::from(channels));
        }
    }

    #[test]
    fn a_whole_file_stays_as_it_is_and_others_are_not_touched() {
        let mut whole = header(1, 1_600).to_vec();
        whole.extend([0; 1_600]);
        for (bytes, ms) in [(&whole[..], Some(100)), (&whole[..43], None), (&[b'x'; 100][..], None), (&[], None)] {
            let (_dir, path) = file(bytes);
            assert_eq!(repair_wav(&path).unwrap(), ms);
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        assert!(repair_wav(Path::new("/nonexistent/a.wav")).is_err());
    }
}
