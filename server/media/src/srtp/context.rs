//! Packets in and out of SRTP: keys, packet indices, replay.

use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

use super::{MasterKey, SrtpParams, SrtpSuite};

/// Bytes of the HMAC-SHA1 tag.
const SHA1_TAG: usize = 10;

/// Bytes of the short one.
const SHORT_TAG: usize = 4;

/// Bytes of the GCM tag.
const GCM_TAG: usize = 16;

/// How far behind the newest a packet may come and still be told from a repeat (RFC 3711 §3.3.2).
const WINDOW: u64 = 64;

/// Streams of the far side that are kept apart; more would only be an attack.
const MAX_STREAMS: usize = 4;

/// After so long a silence the sender may have counted past a rollover that nobody saw.
const LONG_SILENCE: Duration = Duration::from_secs(30);

/// Both directions of one leg.
pub(crate) struct SrtpSession {
    /// Those of an SDP; none when the keys come from elsewhere.
    params: Option<SrtpParams>,
    out: Keys,
    /// The rollover that our first packet under this key counts as zero.
    first_rollover: Option<u64>,
    rtcp_out: u32,
    keys: Keys,
    streams: Vec<Stream>,
    rtcp_in: Option<Window>,
}

/// What is known of one stream of the far side.
struct Stream {
    ssrc: u32,
    window: Window,
    last: Instant,
}

/// The newest index, and which of those before it were seen.
#[derive(Debug, Clone, Copy)]
struct Window {
    highest: u64,
    seen: u64,
}

/// The session keys of one direction (RFC 3711 §4.3).
struct Keys {
    rtp: Cipher,
    rtcp: Cipher,
}

enum Cipher {
    /// The tag has so many of the 20 bytes of HMAC-SHA1.
    Counter {
        key: Box<EncryptingKey>,
        salt: [u8; 14],
        auth: Box<hmac::Key>,
        tag: usize,
    },
    Gcm {
        key: LessSafeKey,
        salt: [u8; 12],
    },
}

impl SrtpSession {
    /// A session with these keys. `None` when the cryptography refuses them, which it does not.
    pub(crate) fn new(params: SrtpParams) -> Option<Self> {
        let out = Keys::derive(params.suite, params.local).ok()?;
        let keys = Keys::derive(params.suite, params.remote).ok()?;
        Some(Self { params: Some(params), ..Self::with(out, keys) })
    }

    /// A session in AES-GCM with keys of 256 bits (RFC 7714 §14.2), which only a DTLS handshake agrees on. Each key stands
    /// with its salt; ours comes first.
    pub(crate) fn gcm_256(local: (&[u8; 32], &[u8; 12]), remote: (&[u8; 32], &[u8; 12])) -> Option<Self> {
        Some(Self::with(Keys::gcm_256(local).ok()?, Keys::gcm_256(remote).ok()?))
    }

    fn with(out: Keys, keys: Keys) -> Self {
        Self { params: None, out, first_rollover: None, rtcp_out: 0, keys, streams: Vec::new(), rtcp_in: None }
    }

    /// New parameters. Keys that stay keep their counters: using an index twice would break the encryption.
    pub(crate) fn update(&mut self, params: SrtpParams) {
        let before = self.params;
        let same = |of: fn(&SrtpParams) -> MasterKey| {
            before.is_some_and(|before| before.suite == params.suite && of(&before) == of(&params))
        };
        if !same(|params| params.local) {
            let Ok(keys) = Keys::derive(params.suite, params.local) else { return };
            (self.out, self.first_rollover, self.rtcp_out) = (keys, None, 0);
        }
        if !same(|params| params.remote) {
            let Ok(keys) = Keys::derive(params.suite, params.remote) else { return };
            (self.keys, self.rtcp_in) = (keys, None);
            self.streams.clear();
        }
        self.params = Some(params);
    }

    /// Encrypts a whole RTP packet in place. `sequence` is its sequence number without wrapping.
    pub(crate) fn protect(&mut self, packet: &mut Vec<u8>, sequence: u64) -> Option<()> {
        let first = *self.first_rollover.get_or_insert(sequence >> 16);
        let rollover = u32::try_from((sequence >> 16).checked_sub(first)?).ok()?;
        let header = header_length(packet)?;
        let ssrc = be32(packet, 8)?;
        match &self.out.rtp {
            Cipher::Counter { key, salt, auth, tag } => {
                crypt(key, counter(salt, ssrc, u64::from(rollover) << 16 | sequence & 0xffff), &mut packet[header..])
                    .ok()?;
                let proof = proof(auth, packet, &rollover.to_be_bytes());
                packet.extend(proof.get(..*tag)?);
            }
            Cipher::Gcm { key, salt } => {
                let nonce = rtp_nonce(salt, ssrc, rollover, packet.get(2..4)?);
                let (aad, payload) = packet.split_at_mut(header);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), payload).ok()?;
                packet.extend(tag.as_ref());
            }
        }
        Some(())
    }

    /// Decrypts a packet into `room`. `None` when it is not authentic, or a repeat.
    pub(crate) fn unprotect<'a>(&mut self, now: Instant, packet: &[u8], room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let header = header_length(packet)?;
        let ssrc = be32(packet, 8)?;
        let sequence = u64::from(u16::from_be_bytes([packet[2], packet[3]]));
        let at = self.streams.iter().position(|stream| stream.ssrc == ssrc);
        let known = at.and_then(|at| self.streams.get(at));
        let guess = known.map_or(sequence, |stream| stream.window.guess(sequence));
        // RFC 3711 §3.3.1 guesses from what was received last. After a long hold the sender may be a rollover or two further.
        let long = known.is_some_and(|stream| now.saturating_duration_since(stream.last) >= LONG_SILENCE);
        let further = if long { 2 } else { 0 };
        let index = (0..=further).map(|rollovers| guess + (rollovers << 16)).find(|index| {
            !known.is_some_and(|stream| stream.window.is_repeat(*index))
                && self.keys.rtp.open_rtp(packet, header, ssrc, *index, room).is_some()
        })?;
        if let Some(stream) = at.and_then(|at| self.streams.get_mut(at)) {
            stream.window.take(index);
            stream.last = now;
        } else {
            if self.streams.len() == MAX_STREAMS {
                self.streams.remove(0);
            }
            self.streams.push(Stream { ssrc, window: Window { highest: index, seen: 1 }, last: now });
        }
        Some(room)
    }

    /// Encrypts a compound RTCP packet in place.
    pub(crate) fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> Option<()> {
        let index = self.rtcp_out & 0x7fff_ffff;
        self.rtcp_out += 1;
        let ssrc = be32(packet, 4)?;
        let word = (0x8000_0000 | index).to_be_bytes();
        match &self.out.rtcp {
            Cipher::Counter { key, salt, auth, tag } => {
                crypt(key, counter(salt, ssrc, u64::from(index)), packet.get_mut(8..)?).ok()?;
                packet.extend(word);
                let proof = proof(auth, packet, &[]);
                packet.extend(proof.get(..*tag)?);
            }
            Cipher::Gcm { key, salt } => {
                let nonce = rtcp_nonce(salt, ssrc, index);
                let (header, payload) = packet.split_at_mut_checked(8)?;
                let aad = [&header[..8], &word[..]].concat();
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), payload).ok()?;
                packet.extend(tag.as_ref());
                packet.extend(word);
            }
        }
        Some(())
    }

    /// Decrypts a compound RTCP packet. `None` when it is not authentic, or a repeat.
    pub(crate) fn unprotect_rtcp(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let ssrc = be32(packet, 4)?;
        let (plain, index) = match &self.keys.rtcp {
            Cipher::Counter { key, salt, auth, tag } => {
                let (signed, found) = packet.split_at_checked(packet.len().checked_sub(*tag)?)?;
                verify_slices_are_equal(proof(auth, signed, &[]).get(..*tag)?, found).ok()?;
                let (body, word) = signed.split_last_chunk::<4>()?;
                let word = u32::from_be_bytes(*word);
                let index = word & 0x7fff_ffff;
                let mut plain = body.to_vec();
                if word & 0x8000_0000 != 0 {
                    crypt(key, counter(salt, ssrc, u64::from(index)), plain.get_mut(8..)?).ok()?;
                }
                (plain, index)
            }
            Cipher::Gcm { key, salt } => {
                let (body, word) = packet.split_last_chunk::<4>()?;
                let index = u32::from_be_bytes(*word) & 0x7fff_ffff;
                let (header, sealed) = body.split_at_checked(8)?;
                let aad = [header, &word[..]].concat();
                let mut sealed = sealed.to_vec();
                let open = key.open_in_place(rtcp_nonce(salt, ssrc, index), Aad::from(aad), &mut sealed).ok()?;
                ([header, open].concat(), index)
            }
        };
        let index = u64::from(index);
        match &mut self.rtcp_in {
            Some(window) if window.is_repeat(index) => return None,
            Some(window) => window.take(index),
            None => self.rtcp_in = Some(Window { highest: index, seen: 1 }),
        }
        Some(plain)
    }
}

impl Window {
    /// The index that a sequence number most likely stands for (RFC 3711 §3.3.1).
    fn guess(&self, sequence: u64) -> u64 {
        let rollover = self.highest >> 16;
        let last = self.highest & 0xffff;
        let rollover = if last < 0x8000 && sequence > last + 0x8000 {
            rollover.saturating_sub(1)
        } else if last >= 0x8000 && sequence < last - 0x8000 {
            rollover + 1
        } else {
            rollover
        };
        rollover << 16 | sequence
    }

    fn is_repeat(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            Some(behind) => behind >= WINDOW || self.seen & 1 << behind != 0,
            None => false,
        }
    }

    fn take(&mut self, index: u64) {
        if let Some(behind) = self.highest.checked_sub(index) {
            self.seen |= 1_u64.checked_shl(u32::try_from(behind).unwrap_or(u32::MAX)).unwrap_or(0);
        } else {
            let ahead = u32::try_from(index - self.highest).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = index;
        }
    }
}

impl Keys {
    fn derive(suite: SrtpSuite, master: MasterKey) -> Result<Self, Unspecified> {
        // RFC 3711 §4.3.2: labels 0 to 2 for RTP, 3 to 5 for RTCP.
        Ok(Self { rtp: Cipher::derive(suite, master, 0)?, rtcp: Cipher::derive(suite, master, 3)? })
    }

    fn gcm_256((key, salt): (&[u8; 32], &[u8; 12])) -> Result<Self, Unspecified> {
        // RFC 7714 §11: the salt is as long as that of the other suites, with two zeros behind it.
        let mut long = [0; 14];
        long[..12].copy_from_slice(salt);
        let cipher = |first_label| -> Result<Cipher, Unspecified> {
            let derived_key: [u8; 32] = derived(key, long, first_label)?;
            let derived_salt = derived(key, long, first_label + 2)?;
            Ok(Cipher::Gcm { key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &derived_key)?), salt: derived_salt })
        };
        Ok(Self { rtp: cipher(0)?, rtcp: cipher(3)? })
    }
}

impl Cipher {
    fn derive(suite: SrtpSuite, master: MasterKey, first_label: u8) -> Result<Self, Unspecified> {
        let key: [u8; 16] = derived(&master.key, master.salt, first_label)?;
        Ok(match suite {
            SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32 => {
                let auth: [u8; 20] = derived(&master.key, master.salt, first_label + 1)?;
                Self::Counter {
                    key: Box::new(EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, &key)?)?),
                    salt: derived(&master.key, master.salt, first_label + 2)?,
                    auth: Box::new(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth)),
                    // RFC 4568 §6.2.2: the short tag is that of RTP alone.
                    tag: if suite == SrtpSuite::AesCm128HmacSha1_32 && first_label == 0 { SHORT_TAG } else { SHA1_TAG },
                }
            }
            SrtpSuite::AeadAes128Gcm => Self::Gcm {
                key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key)?),
                salt: derived(&master.key, master.salt, first_label + 2)?,
            },
        })
    }

    /// Checks and decrypts an RTP packet, if this is its index.
    fn open_rtp(&self, packet: &[u8], header: usize, ssrc: u32, index: u64, room: &mut Vec<u8>) -> Option<()> {
        let rollover = u32::try_from(index >> 16).ok()?;
        room.clear();
        match self {
            Self::Counter { key, salt, auth, tag } => {
                let (signed, found) = packet.split_at_checked(packet.len().checked_sub(*tag)?)?;
                verify_slices_are_equal(proof(auth, signed, &rollover.to_be_bytes()).get(..*tag)?, found).ok()?;
                room.extend(signed);
                crypt(key, counter(salt, ssrc, index), room.get_mut(header..)?).ok()
            }
            Self::Gcm { key, salt } => {
                let nonce = rtp_nonce(salt, ssrc, rollover, packet.get(2..4)?);
                room.extend(packet);
                let (aad, sealed) = room.split_at_mut_checked(header)?;
                key.open_in_place(nonce, Aad::from(aad), sealed).ok()?;
                room.truncate(packet.len().checked_sub(GCM_TAG)?);
                Some(())
            }
        }
    }
}

/// A session key (RFC 3711 §4.3.1 and §4.3.3): the key stream of the master key at the label.
fn derived<const N: usize>(key: &[u8], mut salt: [u8; 14], label: u8) -> Result<[u8; N], Unspecified> {
    salt[7] ^= label;
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(&salt);
    let cipher = if key.len() == 32 { &AES_256 } else { &AES_128 };
    let key = EncryptingKey::ctr(UnboundCipherKey::new(cipher, key)?)?;
    let mut stream = [0; N];
    crypt(&key, iv, &mut stream)?;
    Ok(stream)
}

fn crypt(key: &EncryptingKey, iv: [u8; 16], bytes: &mut [u8]) -> Result<(), Unspecified> {
    key.less_safe_encrypt(bytes, EncryptionContext::Iv128(FixedLength::from(iv))).map(drop)
}

/// RFC 3711 §4.1.1: `IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16)`
fn counter(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    for (byte, part) in iv[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
        *byte ^= part;
    }
    for (byte, part) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
        *byte ^= part;
    }
    iv
}

/// RFC 7714 §8.1
fn rtp_nonce(salt: &[u8; 12], ssrc: u32, rollover: u32, sequence: &[u8]) -> Nonce {
    let mut nonce = *salt;
    let parts = ssrc.to_be_bytes().into_iter().chain(rollover.to_be_bytes()).chain(sequence.iter().copied());
    for (byte, part) in nonce[2..].iter_mut().zip(parts) {
        *byte ^= part;
    }
    Nonce::assume_unique_for_key(nonce)
}

/// RFC 7714 §9.1
fn rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> Nonce {
    let mut nonce = *salt;
    let parts = ssrc.to_be_bytes().into_iter().chain([0, 0]).chain(index.to_be_bytes());
    for (byte, part) in nonce[2..].iter_mut().zip(parts) {
        *byte ^= part;
    }
    Nonce::assume_unique_for_key(nonce)
}

/// What a tag begins with.
fn proof(auth: &hmac::Key, packet: &[u8], rollover: &[u8]) -> [u8; SHA1_TAG] {
    let mut context = hmac::Context::with_key(auth);
    context.update(packet);
    context.update(rollover);
    let mut proof = [0; SHA1_TAG];
    proof.copy_from_slice(&context.sign().as_ref()[..SHA1_TAG]);
    proof
}

/// Bytes before the payload: fixed header, contributors, extension.
fn header_length(packet: &[u8]) -> Option<usize> {
    let mut length = 12 + usize::from(packet.first()? & 0x0f) * 4;
    if packet[0] & 0x10 != 0 {
        let words = u16::from_be_bytes([*packet.get(length + 2)?, *packet.get(length + 3)?]);
        length += 4 + usize::from(words) * 4;
    }
    (length <= packet.len()).then_some(length)
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

impl std::fmt::Debug for SrtpSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SrtpSession").field("suite", &self.params.map(|params| params.suite)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MasterKey = MasterKey {
        // RFC 3711 §B.3
        key: [0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde, 0x41, 0x39],
        salt: [0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6],
    };
    const OTHER: MasterKey = MasterKey { key: [9; 16], salt: [7; 14] };

    fn pair(suite: SrtpSuite) -> (SrtpSession, SrtpSession) {
        let salted = |key: MasterKey| {
            let mut key = key;
            key.salt[suite.salt_length()..].fill(0);
            key
        };
        let (one, other) = (salted(ONE), salted(OTHER));
        let ours = SrtpSession::new(SrtpParams { suite, local: one, remote: other }).unwrap();
        (ours, SrtpSession::new(SrtpParams { suite, local: other, remote: one }).unwrap())
    }

    fn packet(sequence: u64) -> Vec<u8> {
        let mut packet = vec![0x80, 0];
        packet.extend(&sequence.to_be_bytes()[6..]);
        packet.extend([0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef]);
        packet.extend([0x55; 160]);
        packet
    }

    fn sent(session: &mut SrtpSession, sequence: u64) -> Vec<u8> {
        let mut bytes = packet(sequence);
        session.protect(&mut bytes, sequence).unwrap();
        bytes
    }

    #[test]
    fn session_keys_are_those_of_the_rfc() {
        // RFC 3711 §B.3
        let key: [u8; 16] = derived(&ONE.key, ONE.salt, 0).unwrap();
        assert_eq!(
            key,
            [0xc6, 0x1e, 0x7a, 0x93, 0x74, 0x4f, 0x39, 0xee, 0x10, 0x73, 0x4a, 0xfe, 0x3f, 0xf7, 0xa0, 0x87]
        );
        let salt: [u8; 14] = derived(&ONE.key, ONE.salt, 2).unwrap();
        assert_eq!(salt, [0x30, 0xcb, 0xbc, 0x08, 0x86, 0x3d, 0x8c, 0x85, 0xd4, 0x9d, 0xb3, 0x4a, 0x9a, 0xe1]);
        let auth: [u8; 20] = derived(&ONE.key, ONE.salt, 1).unwrap();
        assert_eq!(auth[..8], [0xce, 0xbe, 0x32, 0x1f, 0x6f, 0xf7, 0x71, 0x6b]);
    }

    #[test]
    fn what_one_side_encrypts_the_other_reads_once_and_nobody_else() {
        for suite in SrtpSuite::ALL {
            let (mut ours, mut theirs) = pair(suite);
            let now = Instant::now();
            let mut room = Vec::new();
            let bytes = sent(&mut ours, 7);
            assert!(!bytes.windows(8).any(|eight| eight == [0x55; 8]), "encrypted");
            for index in 0..bytes.len() {
                let mut forged = bytes.clone();
                forged[index] ^= 1;
                assert!(theirs.unprotect(now, &forged, &mut room).is_none(), "{suite:?} byte {index}");
            }
            assert!(ours.unprotect(now, &bytes, &mut room).is_none(), "our own key is not theirs");
            assert_eq!(theirs.unprotect(now, &bytes, &mut room), Some(&packet(7)[..]));
            assert!(theirs.unprotect(now, &bytes, &mut room).is_none(), "a repeat");
            for length in 0..bytes.len() {
                assert!(theirs.unprotect(now, &bytes[..length], &mut room).is_none());
            }
        }
    }

    #[test]
    fn the_index_goes_on_over_a_rollover_and_past_those_nobody_saw() {
        for suite in SrtpSuite::ALL {
            let (mut ours, mut theirs) = pair(suite);
            let mut now = Instant::now();
            let mut room = Vec::new();
            for sequence in [65_530, 65_535, 65_533, 65_536, 65_534, 65_540] {
                let bytes = sent(&mut ours, sequence);
                assert_eq!(theirs.unprotect(now, &bytes, &mut room), Some(&packet(sequence)[..]), "{sequence}");
            }
            // Half an hour on hold, during which the sender counted on.
            now += Duration::from_mins(30);
            for sequence in [65_540 + 60_000, 65_541 + 60_000, 65_539 + 60_000] {
                let bytes = sent(&mut ours, sequence);
                assert!(theirs.unprotect(now, &bytes, &mut room).is_some(), "{suite:?} {sequence}");
            }
            let late = sent(&mut ours, 65_541);
            assert!(theirs.unprotect(now, &late, &mut room).is_none(), "far behind");
        }
    }

    #[test]
    fn new_keys_begin_anew_and_the_same_keys_do_not() {
        let (mut ours, mut theirs) = pair(SrtpSuite::AesCm128HmacSha1_80);
        let (now, mut room) = (Instant::now(), Vec::new());
        let first = sent(&mut ours, 65_536 + 5);
        assert!(theirs.unprotect(now, &first, &mut room).is_some());
        theirs.update(theirs.params.unwrap());
        assert!(theirs.unprotect(now, &first, &mut room).is_none(), "still a repeat");

        let fresh = MasterKey { key: [1; 16], salt: [2; 14] };
        ours.update(SrtpParams { local: fresh, ..ours.params.unwrap() });
        theirs.update(SrtpParams { remote: fresh, ..theirs.params.unwrap() });
        let bytes = sent(&mut ours, 3 * 65_536 + 9);
        assert!(theirs.unprotect(now, &bytes, &mut room).is_some(), "the far side counts rollovers from zero again");
        assert!(theirs.unprotect(now, &first, &mut room).is_none());
    }

    #[test]
    fn the_short_tag_is_that_of_sound_alone() {
        let (mut ours, _) = pair(SrtpSuite::AesCm128HmacSha1_32);
        assert_eq!(sent(&mut ours, 1).len(), packet(1).len() + 4);
        let mut report = [0x80, 201, 0, 1, 1, 2, 3, 4].to_vec();
        ours.protect_rtcp(&mut report).unwrap();
        assert_eq!(report.len(), 8 + 4 + 10);
    }

    #[test]
    fn control_packets_are_protected_too() {
        for suite in SrtpSuite::ALL {
            let (mut ours, mut theirs) = pair(suite);
            let plain = [0x80, 201, 0, 1, 1, 2, 3, 4, 0x81, 203, 0, 1, 5, 6, 7, 8];
            let mut bytes = plain.to_vec();
            ours.protect_rtcp(&mut bytes).unwrap();
            assert_ne!(bytes[8..16], plain[8..]);
            for index in 0..bytes.len() {
                let mut forged = bytes.clone();
                forged[index] ^= 1;
                assert!(theirs.unprotect_rtcp(&forged).is_none(), "{suite:?} byte {index}");
            }
            assert_eq!(theirs.unprotect_rtcp(&bytes).as_deref(), Some(&plain[..]));
            assert!(theirs.unprotect_rtcp(&bytes).is_none());
        }
    }
}
