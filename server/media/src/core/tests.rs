//! The core with phones and browsers around it, joined by a network in memory on a clock of its own.

mod bench;
mod bridge;
mod codecs;
mod dtls;
mod hostile;
mod mix;
mod play;
mod record;
mod secure;
mod watch;
mod webrtc;
