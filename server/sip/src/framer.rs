//! Cuts a byte stream into SIP messages (RFC 3261 §18.3), within hard limits.
//!
//! It reads the head of a message with the parser itself, so that the two can never disagree about where a message
//! ends: that disagreement is what smuggling is made of.

use crate::message::{Defect, Head, MAX_MESSAGE_BYTES, Parsed};

/// The longest head, in bytes. The parser refuses longer lines and more header fields long before.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;

/// What a stream holds next.
#[derive(Debug)]
pub enum Frame {
    /// A message.
    Message(Box<Parsed>),
    /// CRLF CRLF between messages: the far side asks whether we are there (RFC 5626 §3.5.1).
    Ping,
    /// A last message, to be answered if it can be; where the next one would begin is unknown.
    Last(Box<Parsed>),
}

/// The stream is no SIP stream, or none that could be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A start line that is none.
    #[error("no sip start line")]
    StartLine,
    /// More than [`MAX_HEAD_BYTES`] without an empty line.
    #[error("message head too long")]
    HeadTooLong,
}

/// The reading side of one connection.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// How far line ends have been looked for.
    scanned: usize,
    /// Where the line begins that is looked at.
    line_start: usize,
    /// The head that has been read, and the length of its body.
    head: Option<(Head, usize)>,
    ended: bool,
}

impl Framer {
    /// Takes the next bytes. Call [`Self::next`] until it gives `None` before the next ones.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.ended {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether a message has begun and not ended.
    pub fn is_midway(&self) -> bool {
        self.head.is_some() || !b"\r\n\r".starts_with(&self.buffer)
    }

    /// The next frame, if it is complete.
    #[expect(clippy::should_implement_trait, reason = "a None here is not the end: more bytes may follow")]
    pub fn next(&mut self) -> Option<Result<Frame, FramingError>> {
        if self.ended {
            return None;
        }
        if self.head.is_none() {
            if self.skip_line_ends() {
                return Some(Ok(Frame::Ping));
            }
            // Nothing, or the beginning of a ping: the next byte will say.
            if !self.is_midway() {
                return None;
            }
            match self.read_head() {
                Ok(Some(frame)) => return Some(Ok(frame)),
                Ok(None) => {}
                Err(error) => {
                    self.end();
                    return Some(Err(error));
                }
            }
        }
        let (head, length) = self.head.take_if(|(_, length)| self.buffer.len() >= *length)?;
        let rest = self.buffer.split_off(length);
        let body = std::mem::replace(&mut self.buffer, rest);
        self.rewind();
        Some(Ok(Frame::Message(Box::new(head.into_message(body)))))
    }

    /// Takes line ends from the front; says whether they were a ping. What they are never hangs on how they were cut.
    fn skip_line_ends(&mut self) -> bool {
        let mut at = 0;
        let ping = loop {
            match self.buffer.get(at..).unwrap_or_default() {
                [b'\r', b'\n', b'\r', b'\n', ..] => break true,
                rest if b"\r\n\r".starts_with(rest) => break false,
                [b'\r' | b'\n', ..] => at += 1,
                _ => break false,
            }
        };
        let taken = at + if ping { 4 } else { 0 };
        if taken > 0 {
            self.buffer.drain(..taken);
            self.rewind();
        }
        ping
    }

    fn read_head(&mut self) -> Result<Option<Frame>, FramingError> {
        let Some(end) = self.find_head_end() else {
            return if self.buffer.len() > MAX_HEAD_BYTES { Err(FramingError::HeadTooLong) } else { Ok(None) };
        };
        if end > MAX_HEAD_BYTES {
            return Err(FramingError::HeadTooLong);
        }
        let rest = self.buffer.split_off(end);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        self.rewind();
        let (mut head, _) = Head::parse(&bytes).map_err(|_| FramingError::StartLine)?;
        let defect = match head.content_length() {
            Ok(Some(length)) if length <= MAX_MESSAGE_BYTES => {
                self.head = Some((head, length));
                return Ok(None);
            }
            // RFC 3261 §18.3: on a stream "the Content-Length header field MUST be used"; without it nobody knows where
            // the next message begins.
            Ok(None) => Defect::Missing("Content-Length"),
            Ok(Some(_)) | Err(_) => Defect::ContentLength,
        };
        head.blame(defect);
        self.end();
        Ok(Some(Frame::Last(Box::new(head.into_message(Vec::new())))))
    }

    /// The length of the head, its empty line included. Each byte is looked at once, however it dribbles in.
    fn find_head_end(&mut self) -> Option<usize> {
        while let Some(length) = self.buffer.get(self.scanned..)?.iter().position(|&byte| byte == b'\n') {
            self.scanned += length + 1;
            let line = self.buffer.get(self.line_start..self.scanned)?;
            self.line_start = self.scanned;
            if matches!(line, b"\n" | b"\r\n") {
                return Some(self.scanned);
            }
        }
        self.scanned = self.buffer.len();
        None
    }

    fn rewind(&mut self) {
        self.scanned = 0;
        self.line_start = 0;
    }

    fn end(&mut self) {
        self.ended = true;
        self.buffer = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    const INVITE: &str = "INVITE sip:a@b SIP/2.0\r\nl: 4\r\n\r\nbody";
    const BYE: &str = "BYE sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n";

    /// What comes out, in short, when the bytes come in pieces of this size.
    fn frames(bytes: &[u8], piece: usize) -> Vec<String> {
        let mut framer = Framer::default();
        let mut seen = Vec::new();
        for piece in bytes.chunks(piece) {
            framer.push(piece);
            while let Some(frame) = framer.next() {
                seen.push(match frame {
                    Ok(Frame::Message(parsed)) => format!("{} {:?}", text(&parsed), parsed.defect),
                    Ok(Frame::Last(parsed)) => format!("last {} {:?}", text(&parsed), parsed.defect),
                    Ok(Frame::Ping) => "ping".to_owned(),
                    Err(error) => error.to_string(),
                });
            }
        }
        seen
    }

    fn text(parsed: &Parsed) -> String {
        match &parsed.message {
            Message::Request(it) => format!("{}:{}", it.method.as_str(), String::from_utf8_lossy(&it.body)),
            Message::Response(it) => it.status.to_string(),
        }
    }

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let both = [INVITE, "\r\n\r\n", BYE, "\r\n", INVITE].concat();
        for piece in [1, 2, 3, 17, 1_000] {
            let wanted = ["INVITE:body None", "ping", "BYE: None", "INVITE:body None"];
            assert_eq!(frames(both.as_bytes(), piece), wanted, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_body_that_looks_like_a_message_is_a_body() {
        let smuggled = format!("MESSAGE sip:a@b SIP/2.0\r\nContent-Length: {}\r\n\r\n{BYE}", BYE.len());
        assert_eq!(frames(smuggled.as_bytes(), 7).len(), 1);
    }

    #[test]
    fn a_length_that_nobody_can_be_sure_of_ends_the_stream() {
        for lengths in ["", "Content-Length: x\r\n", "Content-Length: 4\r\nl: 5\r\n", "l: -1\r\n", "l: 99999999\r\n"] {
            let text = format!("INVITE sip:a@b SIP/2.0\r\n{lengths}\r\nbody{BYE}");
            let seen = frames(text.as_bytes(), 5);
            assert_eq!(seen.len(), 1, "{lengths}: {seen:?}");
            assert!(seen[0].starts_with("last INVITE"), "{seen:?}");
        }
    }

    #[test]
    fn what_is_no_sip_ends_the_stream() {
        assert_eq!(frames(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 9), ["no sip start line"]);
        assert_eq!(frames("x".repeat(100_000).as_bytes(), 1_000), ["message head too long"]);
        let endless = "INVITE sip:a@b SIP/2.0\r\n".to_owned() + &"X: y\r\n".repeat(10_000);
        assert_eq!(frames(endless.as_bytes(), 100), ["message head too long"]);
    }

    #[test]
    fn a_dribble_costs_as_much_as_a_gush() {
        let mut framer = Framer::default();
        for _ in 0..MAX_HEAD_BYTES {
            framer.push(b"x");
            assert!(framer.next().is_none());
        }
        assert_eq!((framer.scanned, framer.is_midway()), (MAX_HEAD_BYTES, true));
    }
}
