//! Encrypted sound (RFC 3711) by keys in SDP (RFC 4568), written from the standards anew: what the server makes of them is
//! proven by another's reading. One suite, `AES_CM_128_HMAC_SHA1_80`, and one stream each way.

use anyhow::{Context, Result, ensure};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The one suite spoken here.
pub(super) const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
/// Bytes of a tag.
const TAG: usize = 10;
/// RTP's header without extensions.
const HEADER: usize = 12;

/// A master key of 16 bytes and its salt of 14.
pub(super) type Key = [u8; 30];

/// A fresh key.
pub(super) fn fresh() -> Result<Key> {
    let mut key = [0; 30];
    getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(key)
}

/// The value of our `a=crypto`.
pub(super) fn line(tag: &str, key: &Key) -> String {
    format!("{tag} {SUITE} inline:{}", STANDARD.encode(key))
}

/// Tag and key of the first line of our suite.
pub(super) fn read(sdp: &str) -> Option<(String, Key)> {
    sdp.lines().find_map(|line| {
        let mut words = line.strip_prefix("a=crypto:")?.split_ascii_whitespace();
        let (tag, suite, key) = (words.next()?, words.next()?, words.next()?.strip_prefix("inline:")?);
        let key = STANDARD.decode(key.split('|').next()?).ok()?;
        Some((tag.to_owned(), key.try_into().ok()?)).filter(|_| suite == SUITE)
    })
}

/// One direction.
pub(super) struct Stream {
    cipher: EncryptingKey,
    salt: [u8; 14],
    auth: hmac::Key,
    rollover: u32,
    last: Option<u16>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("rollover", &self.rollover).finish_non_exhaustive()
    }
}

impl Stream {
    /// RFC 3711 section 4.3: labels 0, 1 and 2.
    pub(super) fn new(key: &Key) -> Result<Self> {
        let auth: [u8; 20] = derive(key, 1)?;
        Ok(Self {
            cipher: cipher(&derive::<16>(key, 0)?)?,
            salt: derive(key, 2)?,
            auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth),
            rollover: 0,
            last: None,
        })
    }

    /// Encrypts a packet of ours.
    pub(super) fn seal(&mut self, packet: &mut Vec<u8>) -> Result<()> {
        let sequence = sequence(packet)?;
        if self.last.is_some_and(|last| last > sequence && last - sequence > 0x8000) {
            self.rollover += 1;
        }
        self.last = Some(sequence);
        let iv = self.iv(packet, self.rollover, sequence)?;
        crypt(&self.cipher, iv, &mut packet[HEADER..])?;
        let tag = self.tag(packet, self.rollover);
        packet.extend(tag);
        Ok(())
    }

    /// Decrypts a packet of theirs.
    pub(super) fn open(&mut self, packet: &[u8]) -> Result<Vec<u8>> {
        let (signed, found) = packet.split_at(packet.len().checked_sub(TAG).context("too short")?);
        let sequence = sequence(signed)?;
        // RFC 3711 section 3.3.1, without packets that come late over a rollover; after a pause one more may have passed.
        let wrapped = self.last.is_some_and(|last| last > sequence && last - sequence > 0x8000);
        let first = self.rollover + u32::from(wrapped);
        let rollover = (first..first + 2).find(|rollover| self.tag(signed, *rollover) == *found);
        let rollover = rollover.context("not authentic")?;
        let mut plain = signed.to_vec();
        crypt(&self.cipher, self.iv(signed, rollover, sequence)?, &mut plain[HEADER..])?;
        (self.rollover, self.last) = (rollover, Some(sequence));
        Ok(plain)
    }

    /// RFC 3711 section 4.1.1.
    fn iv(&self, packet: &[u8], rollover: u32, sequence: u16) -> Result<[u8; 16]> {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        let ssrc = packet.get(8..12).context("no source")?;
        let index = [&rollover.to_be_bytes()[..], &sequence.to_be_bytes()].concat();
        for (byte, part) in iv[4..].iter_mut().zip(ssrc.iter().chain(&index)) {
            *byte ^= part;
        }
        Ok(iv)
    }

    fn tag(&self, packet: &[u8], rollover: u32) -> [u8; TAG] {
        let signed = [packet, &rollover.to_be_bytes()].concat();
        let mut tag = [0; TAG];
        tag.copy_from_slice(&hmac::sign(&self.auth, &signed).as_ref()[..TAG]);
        tag
    }
}

fn derive<const N: usize>(key: &Key, label: u8) -> Result<[u8; N]> {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(&key[16..]);
    iv[7] ^= label;
    let mut bytes = [0; N];
    crypt(&cipher(&key[..16])?, iv, &mut bytes)?;
    Ok(bytes)
}

fn cipher(key: &[u8]) -> Result<EncryptingKey> {
    let key = UnboundCipherKey::new(&AES_128, key).ok().context("no such key")?;
    EncryptingKey::ctr(key).ok().context("no such mode")
}

fn crypt(cipher: &EncryptingKey, iv: [u8; 16], bytes: &mut [u8]) -> Result<()> {
    let done = cipher.less_safe_encrypt(bytes, EncryptionContext::Iv128(FixedLength::from(iv)));
    ensure!(done.is_ok(), "the cipher refuses");
    Ok(())
}

fn sequence(packet: &[u8]) -> Result<u16> {
    let bytes = packet.get(2..4).filter(|_| packet.len() >= HEADER).context("no packet")?;
    Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_the_standard_are_derived() {
        // RFC 3711 section B.3
        let key = STANDARD.decode("4fl6DT4Bi+DWT6MsBt5BOQ7Gda1Jiv7rtpYLOqvm").unwrap();
        let key: Key = key.try_into().unwrap();
        assert_eq!(derive::<4>(&key, 0).unwrap(), [0xc6, 0x1e, 0x7a, 0x93]);
        assert_eq!(derive::<4>(&key, 1).unwrap(), [0xce, 0xbe, 0x32, 0x1f]);
        assert_eq!(derive::<4>(&key, 2).unwrap(), [0x30, 0xcb, 0xbc, 0x08]);
    }

    #[test]
    fn a_packet_is_read_again_over_a_rollover_and_no_forged_one() {
        let key = fresh().unwrap();
        let (mut here, mut there) = (Stream::new(&key).unwrap(), Stream::new(&key).unwrap());
        for sequence in [65_534_u16, 65_535, 0, 1] {
            let mut packet = vec![0x80, 0];
            packet.extend(sequence.to_be_bytes());
            packet.extend([7; 20]);
            let plain = packet.clone();
            here.seal(&mut packet).unwrap();
            assert_ne!(packet[HEADER..24], plain[HEADER..]);
            let mut forged = packet.clone();
            forged[20] ^= 1;
            assert!(there.open(&forged).is_err());
            assert_eq!(there.open(&packet).unwrap(), plain);
        }
        assert_eq!(here.rollover, 1);
    }
}
