//! RTP packets on the wire (RFC 3550 §5.1).

/// What SRTP puts behind a packet fits into the same piece of memory.
const TAG: usize = 16;

/// The longest audio payload that is taken: 120 ms of G.711.
const MAX_PAYLOAD: usize = 960;

/// One RTP packet, its payload borrowed from the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// Set on the first packet after a pause.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// Counts packets, modulo 2^16.
    pub sequence: u16,
    /// Counts samples, modulo 2^32.
    pub timestamp: u32,
    /// Names the stream.
    pub ssrc: u32,
    /// What is carried, without padding.
    pub payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Reads a datagram; `None` when it is not a whole RTP packet of version 2 with a payload of 1 to 960 bytes.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(12)?;
        if header[0] >> 6 != 2 {
            return None;
        }
        // RTCP on the RTP port (RFC 5761 §4): packet types 192 to 223 look like these payload types.
        let payload_type = header[1] & 0x7f;
        if (64..96).contains(&payload_type) {
            return None;
        }
        let mut payload = rest.get(usize::from(header[0] & 0x0f) * 4..)?;
        if header[0] & 0x10 != 0 {
            let words = u16::from_be_bytes([*payload.get(2)?, *payload.get(3)?]);
            payload = payload.get(4 + usize::from(words) * 4..)?;
        }
        if header[0] & 0x20 != 0 {
            let padding = usize::from(*payload.last()?);
            if padding == 0 {
                return None;
            }
            payload = payload.get(..payload.len().checked_sub(padding)?)?;
        }
        if payload.is_empty() || payload.len() > MAX_PAYLOAD {
            return None;
        }
        Some(Self {
            marker: header[1] & 0x80 != 0,
            payload_type,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            ssrc: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            payload,
        })
    }

    /// The packet as a datagram.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(12 + self.payload.len() + TAG);
        bytes.push(0x80);
        bytes.push(u8::from(self.marker) << 7 | self.payload_type & 0x7f);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(self.payload);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: RtpPacket<'_> = RtpPacket {
        marker: true,
        payload_type: 101,
        sequence: 65_535,
        timestamp: 0xdead_beef,
        ssrc: 7,
        payload: &[5, 0x8a, 0, 160],
    };

    #[test]
    fn a_written_packet_reads_back() {
        assert_eq!(RtpPacket::parse(&PACKET.to_bytes()), Some(PACKET));
    }

    #[test]
    fn contributors_extension_and_padding_are_passed_over() {
        let mut bytes = PACKET.to_bytes();
        let payload = bytes.split_off(12);
        bytes[0] = 0x80 | 0x20 | 0x10 | 2;
        bytes.extend([0; 8]); // two contributors
        bytes.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]); // an extension of one word
        bytes.extend(payload);
        bytes.extend([0, 0, 3]); // padding

        assert_eq!(RtpPacket::parse(&bytes), Some(PACKET));
    }

    #[test]
    fn what_is_not_whole_rtp_is_refused() {
        let whole = PACKET.to_bytes();
        for length in 0..=12 {
            assert_eq!(RtpPacket::parse(&whole[..length]), None, "{length} bytes");
        }
        for (index, byte) in [(0, 0x40), (0, 0x8f), (0, 0x90), (0, 0xa0), (1, 200)] {
            let mut bytes = whole.clone();
            bytes[index] = byte;
            assert_eq!(RtpPacket::parse(&bytes), None, "byte {index} = {byte:#x}");
        }
        assert_eq!(RtpPacket::parse(&[0x80; 2_000]), None);
    }
}
