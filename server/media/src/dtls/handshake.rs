//! One handshake, and what its end tells. A panic inside the library ends this handshake alone.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::default_provider;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;

use super::{DtlsRole, Fingerprint};
use crate::srtp::{MasterKey, SrtpParams, SrtpSuite};

/// RFC 5764 §4.2: the label of the keys.
const LABEL: &str = "EXTRACTOR-dtls_srtp";

/// After so long a flight is sent again. RFC 6347 §4.2.4.1 has a second, and less for what people wait for.
const RESEND: Duration = Duration::from_millis(400);

/// From the first flight on, a handshake may take so long, however often it has to begin anew.
const PATIENCE: Duration = Duration::from_secs(12);

/// Datagrams that one handshake takes in, from its first to the end of the leg; more would only fill memory.
const MAX_DATAGRAMS: u32 = 400;

/// Longer than any datagram of a handshake.
const MAX_DATAGRAM: usize = 4_096;

/// The library keeps associations by address; here each has its own keeper, whatever the far side's address is.
const FAR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// ECDSA and RSA: a phone's certificate is either.
const CIPHERS: [CipherSuiteId; 4] = [
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
    CipherSuiteId::Tls_Ecdhe_Rsa_With_ChaCha20_Poly1305_Sha256,
];

/// The one every phone knows first (RFC 5764 §4.1.2). Tags of 32 bits are not taken: what is lost is not worth it.
const PROFILES: [SrtpProtectionProfile; 2] =
    [SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80, SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm];

/// Our certificate: one for all phone legs of a run, made anew at each start.
#[derive(Clone)]
pub(crate) struct Identity {
    client: Arc<HandshakeConfig>,
    server: Arc<HandshakeConfig>,
    fingerprint: Fingerprint,
}

/// How a handshake came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The keys, and whose certificate the far side has proven to have.
    Keys { certificate: Fingerprint, keys: SrtpParams },
    /// It took too long, or what was agreed on cannot be used.
    Failed,
}

/// One handshake. Its end is told once.
pub(crate) struct Handshake {
    identity: Identity,
    role: DtlsRole,
    /// `None` before it begins, after a panic, and when it failed.
    endpoint: Option<Endpoint>,
    over: bool,
    /// What was sent last, and when it is sent again as it was, should the library wait without a timer: it disarms
    /// its own with every datagram of a flight, also of one that says that ours was lost.
    flight: Vec<Vec<u8>>,
    resend: Option<Instant>,
    datagrams: u32,
    /// When it has failed, once it began.
    until: Option<Instant>,
}

impl Identity {
    /// A fresh certificate. `None` when the cryptography refuses, which it does not.
    pub(crate) fn generate() -> Option<Self> {
        let provider = default_provider().ok()?;
        let certificate = Certificate::generate_self_signed(["cordboard".to_owned()], provider.crypto()).ok()?;
        Self::of(&certificate)
    }

    pub(crate) fn of(certificate: &Certificate) -> Option<Self> {
        let provider = default_provider().ok()?;
        let fingerprint = Fingerprint::of(certificate.certificate.first()?);
        let config = |is_client| {
            // Who the far side is, its fingerprint tells: chains and names are not looked at.
            let builder = ConfigBuilder::default()
                .with_crypto_provider(Arc::clone(&provider))
                .with_certificates(vec![certificate.clone()])
                .with_cipher_suites(CIPHERS.to_vec())
                .with_srtp_protection_profiles(PROFILES.to_vec())
                .with_extended_master_secret(ExtendedMasterSecretType::Request)
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                .with_insecure_skip_verify(true)
                .with_flight_interval(RESEND);
            builder.build(is_client, Some(FAR)).ok().map(Arc::new)
        };
        Some(Self { client: config(true)?, server: config(false)?, fingerprint })
    }

    /// What our descriptions name.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl Handshake {
    /// A handshake that has not begun.
    pub(crate) fn new(identity: &Identity, role: DtlsRole) -> Self {
        Self {
            identity: identity.clone(),
            role,
            endpoint: None,
            over: false,
            flight: Vec::new(),
            resend: None,
            datagrams: 0,
            until: None,
        }
    }

    /// Sends the first flight, if that is for us to do.
    pub(crate) fn start(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        if self.role == DtlsRole::Client && self.endpoint.is_none() && !self.over {
            self.until.get_or_insert(now + PATIENCE);
            self.begin(now, out);
        }
    }

    /// Takes a datagram of the far side.
    pub(crate) fn receive(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<Vec<u8>>) -> Option<Outcome> {
        if bytes.len() > MAX_DATAGRAM || self.datagrams == MAX_DATAGRAMS || (self.endpoint.is_none() && self.over) {
            return None;
        }
        self.datagrams += 1;
        if self.role == DtlsRole::Server && self.endpoint.is_none() {
            self.begin(now, out);
        }
        self.until.get_or_insert(now + PATIENCE);
        self.step(now, out, |endpoint| {
            // A datagram that is refused changes nothing: the far side sends its flight again, or time runs out.
            let events = endpoint.read(now, FAR, None, bytes.into()).unwrap_or_default();
            events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete))
        })
    }

    /// Sends a flight again when that is due, and gives up when it has taken too long.
    pub(crate) fn timeout(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) -> Option<Outcome> {
        if self.over {
            return None;
        }
        if self.until.is_some_and(|until| until <= now) {
            return Some(self.fail());
        }
        if self.resend.is_some_and(|at| at <= now) {
            out.extend(self.flight.iter().cloned());
            self.resend = Some(now + RESEND);
            return None;
        }
        if self.resend_of_endpoint().is_none_or(|due| due > now) {
            return None;
        }
        let mut given_up = false;
        let outcome = self.step(now, out, |endpoint| {
            given_up = endpoint.handle_timeout(FAR, now).is_err();
            false
        });
        if given_up && !self.over {
            // What was sent so often without an answer may have gone to a far side that was not there yet.
            (self.endpoint, self.resend) = (None, None);
            self.start(now, out);
        }
        outcome
    }

    /// When [`Self::timeout`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        self.resend_of_endpoint().into_iter().chain(self.resend).chain(self.until).min()
    }

    /// When the library sends a flight again.
    fn resend_of_endpoint(&self) -> Option<Instant> {
        self.endpoint.as_ref().and_then(|endpoint| endpoint.poll_timeout(&FAR))
    }

    fn begin(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        let Identity { client, server, .. } = &self.identity;
        let (connects, listens) = match self.role {
            DtlsRole::Client => (Some(Arc::clone(client)), None),
            DtlsRole::Server => (None, Some(Arc::clone(server))),
        };
        #[expect(clippy::default_trait_access, reason = "the library gives its type no name")]
        let protocol = Default::default();
        self.endpoint = Some(Endpoint::new(FAR, protocol, listens));
        if let Some(config) = connects {
            self.step(now, out, |endpoint| {
                // It can only fail by an address that is none.
                let _ = endpoint.connect(now, FAR, config, None);
                false
            });
        }
    }

    fn fail(&mut self) -> Outcome {
        (self.over, self.endpoint) = (true, None);
        Outcome::Failed
    }

    /// Does something with the association, and takes what it wants to send. `act` tells whether it is complete.
    fn step(
        &mut self,
        now: Instant,
        out: &mut Vec<Vec<u8>>,
        act: impl FnOnce(&mut Endpoint) -> bool,
    ) -> Option<Outcome> {
        let endpoint = self.endpoint.as_mut()?;
        let over = self.over;
        let mut sent = Vec::new();
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            let complete = act(endpoint) && !over;
            while let Some(transmit) = endpoint.poll_transmit() {
                sent.push(transmit.message.to_vec());
            }
            complete.then(|| agreed(endpoint))
        }));
        let outcome = match stepped {
            Ok(None) => None,
            Ok(Some(Some(outcome))) => {
                self.over = true;
                Some(outcome)
            }
            Err(_) if over => {
                self.endpoint = None;
                None
            }
            Ok(Some(None)) | Err(_) => Some(self.fail()),
        };
        if !sent.is_empty() {
            self.flight.clone_from(&sent);
            self.resend = None;
            out.append(&mut sent);
        }
        if self.over {
            (self.flight, self.resend) = (Vec::new(), None);
        } else if self.resend_of_endpoint().is_some() {
            self.resend = None;
        } else if !self.flight.is_empty() {
            self.resend.get_or_insert(now + RESEND);
        }
        outcome
    }
}

/// What a complete association came to.
fn agreed(endpoint: &Endpoint) -> Option<Outcome> {
    let state = endpoint.get_connection_state(FAR)?;
    let certificate = Fingerprint::of(state.peer_certificates.first()?);
    let suite = match state.srtp_protection_profile() {
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => SrtpSuite::AesCm128HmacSha1_80,
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => SrtpSuite::AeadAes128Gcm,
        _ => return None,
    };
    let salt_length = suite.salt_length();
    let bytes = state.export_keying_material(LABEL, &[], 2 * (16 + salt_length)).ok()?;
    // RFC 5764 §4.2: client key, server key, client salt, server salt.
    let (keys, salts) = bytes.as_ref().split_at_checked(32)?;
    let (client_salt, server_salt) = salts.split_at_checked(salt_length)?;
    let client = master(&keys[..16], client_salt)?;
    let server = master(&keys[16..], server_salt)?;
    let (local, remote) = if state.is_client() { (client, server) } else { (server, client) };
    Some(Outcome::Keys { certificate, keys: SrtpParams { suite, local, remote } })
}

fn master(key: &[u8], salt: &[u8]) -> Option<MasterKey> {
    let mut master = MasterKey { key: key.try_into().ok()?, salt: [0; 14] };
    master.salt.get_mut(..salt.len())?.copy_from_slice(salt);
    Some(master)
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("role", &self.role).field("over", &self.over).finish_non_exhaustive()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}
