//! The shell of the audio core: one thread that owns the media sockets, one that writes recordings.
//!
//! It decides nothing. Datagrams and commands go into [`cordboard_media::MediaCore`], its datagrams go out, its events go
//! to the channel that [`start`] returns. It is apart from the async runtime, so that a busy server does not make calls stutter.

mod ports;
mod recordings;
mod thread;
mod wav;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use cordboard_media::dtls::Fingerprint;
use cordboard_media::{BrowserCodecs, Command, Event};
use cordboard_shared::id::{LegId, RecordingId};
use mio::Waker;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub use self::thread::MediaCounters;
pub use self::wav::repair_wav;

/// Addresses and folders of the media thread.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// Where the one UDP socket of all browser legs is bound; port 0 picks a free one.
    pub webrtc: SocketAddr,
    /// Where the sockets of phone legs are bound.
    pub rtp_ip: IpAddr,
    /// Their ports: RTP takes the even ones, RTCP the odd one after each.
    pub rtp_ports: RangeInclusive<u16>,
    /// The address others see, when it is not the one bound: it is then the one told to browsers and phones.
    pub external_ip: Option<IpAddr>,
    /// Recordings go to `YYYY/MM/DD/<id>.wav` below this folder.
    pub recordings_dir: PathBuf,
    /// What browsers are answered with.
    pub browser_codecs: BrowserCodecs,
}

/// What the media thread can be told.
#[derive(Debug, Clone, PartialEq)]
pub enum ToMedia {
    /// Open the sockets of a phone leg; [`FromMedia::RtpOpened`] or [`FromMedia::RtpFailed`] follows. The leg must then be
    /// made with [`Command::AddRtp`]; [`Command::Remove`] closes the sockets.
    OpenRtp {
        /// The leg they are for.
        leg: LegId,
    },
    /// A command for the core.
    Command(Command),
    /// End all legs and recordings, write what is to be written, and end the threads.
    Shutdown,
}

/// What the media thread says.
#[derive(Debug, Clone, PartialEq)]
pub enum FromMedia {
    /// The sockets of a phone leg are open.
    RtpOpened {
        /// The leg.
        leg: LegId,
        /// The address to tell the far side in SDP.
        local: SocketAddr,
    },
    /// The sockets of a phone leg could not be opened.
    RtpFailed {
        /// The leg.
        leg: LegId,
        /// Why, in words for a log.
        error: String,
    },
    /// An event of the core; all but [`Event::RecordedFrames`], which goes to the writer.
    Event(Event),
    /// A recording is complete and on disk.
    Recorded {
        /// The recording.
        recording: RecordingId,
        /// Its path below the folder of the recordings.
        path: PathBuf,
        /// Its length in milliseconds.
        ms: u32,
        /// Size of the file in bytes.
        bytes: u64,
        /// SHA-256 of the file in lower-case hexadecimal.
        sha256: String,
    },
    /// A recording could not be written, or there was nothing to write: its leg was gone before it began.
    RecordingFailed {
        /// The recording.
        recording: RecordingId,
        /// Why, in words for a log.
        error: String,
    },
}

/// Speaks to the media thread. All clones speak to the same one.
#[derive(Debug, Clone)]
pub struct MediaHandle {
    commands: mpsc::Sender<ToMedia>,
    waker: Arc<Waker>,
    webrtc: SocketAddr,
    fingerprint: Fingerprint,
    counters: Arc<MediaCounters>,
}

impl MediaHandle {
    /// Passes this on to the media thread and wakes it. Does nothing once that has ended.
    pub fn send(&self, message: ToMedia) {
        if self.commands.send(message).is_err() {
            return;
        }
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the media thread cannot be woken");
        }
    }

    /// The address the socket of the browser legs is bound to.
    pub fn webrtc_addr(&self) -> SocketAddr {
        self.webrtc
    }

    /// The certificate that phones are to expect of us.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What the media thread counts, for the metrics.
    pub fn counters(&self) -> &Arc<MediaCounters> {
        &self.counters
    }
}

/// Binds the `WebRTC` socket and starts the threads.
///
/// The receiver ends when [`ToMedia::Shutdown`] is carried out: all that was recorded is on disk then.
pub fn start(config: MediaConfig) -> io::Result<(MediaHandle, UnboundedReceiver<FromMedia>)> {
    let (commands, receiver) = mpsc::channel();
    let (events, from_media) = unbounded_channel();
    let counters = Arc::new(MediaCounters::default());
    let started = thread::start(config, receiver, events, Arc::clone(&counters))?;
    let thread::Started { waker, webrtc, fingerprint } = started;
    let handle = MediaHandle { commands, waker, webrtc, fingerprint, counters };
    Ok((handle, from_media))
}

#[cfg(test)]
mod tests;
