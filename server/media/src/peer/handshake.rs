//! The library's DTLS, listened to for the keys that a handshake ends with (RFC 5764 §4.2).
//!
//! The library has no other way to hand them out. All of it runs on the thread that polls it, so a place of that thread is
//! where the keys wait for the peer that was polled.

use std::cell::Cell;
use std::time::Instant;

use str0m::config::{CryptoProvider, DtlsCert};
use str0m::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion, SrtpProfile,
};
use str0m::crypto::{CryptoError, from_feature_flags};

use crate::srtp::{MasterKey, SrtpParams, SrtpSession, SrtpSuite};

thread_local! {
    static AGREED: Cell<Option<SrtpSession>> = const { Cell::new(None) };
}

/// The library's cryptography, listened to.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider { dtls_provider: &Listener, ..from_feature_flags() }
}

/// The session of the handshake that ended since this was asked last.
pub(super) fn agreed() -> Option<SrtpSession> {
    AGREED.take()
}

#[derive(Debug)]
struct Listener;

impl DtlsProvider for Listener {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = from_feature_flags().dtls_provider.new_dtls(certificate, now, version, mtu)?;
        Ok(Box::new(Connection(inner)))
    }
}

#[derive(Debug)]
struct Connection(Box<dyn DtlsInstance>);

impl DtlsInstance for Connection {
    fn poll_output<'a>(&mut self, room: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.0.poll_output(room);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            AGREED.set(session(*profile, material, self.0.is_active()));
        }
        output
    }

    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}

/// The session of what a handshake gave: the client's key, the server's key, the client's salt, the server's salt.
fn session(profile: SrtpProfile, material: &[u8], client: bool) -> Option<SrtpSession> {
    let suite = match profile {
        SrtpProfile::AEAD_AES_256_GCM => {
            let (keys, salts) = (halves::<32>(material, client)?, halves::<12>(material.get(64..)?, client)?);
            return SrtpSession::gcm_256((keys[0], salts[0]), (keys[1], salts[1]));
        }
        SrtpProfile::AEAD_AES_128_GCM => SrtpSuite::AeadAes128Gcm,
        SrtpProfile::AES128_CM_SHA1_80 => SrtpSuite::AesCm128HmacSha1_80,
        // The library does it alone then.
        _ => return None,
    };
    let keys = halves::<16>(material, client)?;
    let salts = material.get(32..)?;
    let [ours, theirs] = if suite.salt_length() == 14 {
        halves::<14>(salts, client)?.map(|salt| *salt)
    } else {
        halves::<12>(salts, client)?.map(|short| {
            let mut salt = [0; 14];
            salt[..12].copy_from_slice(short);
            salt
        })
    };
    SrtpSession::new(SrtpParams {
        suite,
        local: MasterKey { key: *keys[0], salt: ours },
        remote: MasterKey { key: *keys[1], salt: theirs },
    })
}

/// Two values side by side, ours first.
fn halves<const N: usize>(material: &[u8], client: bool) -> Option<[&[u8; N]; 2]> {
    let (of_client, rest) = material.split_first_chunk()?;
    let of_server = rest.first_chunk()?;
    Some(if client { [of_client, of_server] } else { [of_server, of_client] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_and_server_open_what_the_other_seals_in_every_profile() {
        let material: Vec<u8> = (0..88).collect();
        for profile in SrtpProfile::ALL {
            let material = &material[..profile.keying_material_len()];
            let [mut client, mut server] = [true, false].map(|client| session(*profile, material, client).unwrap());
            let packet = [&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7][..], &[5; 160]].concat();
            let now = Instant::now();
            let mut room = Vec::new();

            for _ in 0..2 {
                let mut sealed = packet.clone();
                client.protect(&mut sealed, 1).unwrap();
                assert_ne!(sealed[12..172], packet[12..]);
                assert_eq!(server.unprotect(now, &sealed, &mut room), Some(&packet[..]), "{profile}");
                std::mem::swap(&mut client, &mut server);
            }
            let mut one = packet.clone();
            client.protect(&mut one, 2).unwrap();
            assert_eq!(client.unprotect(now, &one, &mut room), None, "the ways have different keys");
        }
        assert!(session(SrtpProfile::AEAD_AES_256_GCM, &material[..80], true).is_none(), "too short");
    }
}
