//! The media thread with real sockets on the loopback.
