//! Whose certificates a phone leg's handshake expects, who begins it, and when it is another one (RFC 5763, RFC 8842).

use std::net::SocketAddr;
use std::sync::Arc;

use cordboard_media::dtls::{DtlsParams, DtlsRole, Fingerprint};
use cordboard_sip::sdp::{DtlsDescription, Setup};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::RngCore;

/// What is agreed on of one leg's handshakes.
pub(super) struct Handshake {
    /// Our certificate; without one, no handshake is offered nor taken.
    fingerprint: Option<Fingerprint>,
    /// Our name for the association (RFC 8842 §4).
    tls_id: String,
    /// How many associations there were.
    count: u64,
    agreed: Option<Agreed>,
}

/// What their description said, and what follows from it.
struct Agreed {
    params: DtlsParams,
    tls_id: Option<String>,
    remote: SocketAddr,
}

impl Handshake {
    pub(super) fn new(fingerprint: Option<Fingerprint>, random: &mut ChaCha12Rng) -> Self {
        Self { fingerprint, tls_id: tls_id(random), count: 0, agreed: None }
    }

    /// What an offer of ours says. RFC 5763 §5: "The endpoint that is the offerer MUST use the setup attribute value of
    /// setup:actpass"; RFC 8842 §5.5 has the same of later ones.
    pub(super) fn offer(&self) -> Option<DtlsDescription> {
        self.describe(Setup::Actpass, true)
    }

    /// Takes what the answer to an offer of ours says.
    pub(super) fn accept(
        &mut self,
        theirs: &DtlsDescription,
        remote: SocketAddr,
        random: &mut ChaCha12Rng,
    ) -> Option<()> {
        let role = match theirs.setup {
            // Who says "either" in an answer, which is none, is waited for.
            Setup::Active | Setup::Actpass => DtlsRole::Server,
            Setup::Passive => DtlsRole::Client,
            Setup::Holdconn => return None,
        };
        self.agree(theirs, role, remote, random)
    }

    /// Answers an offer of theirs. Where it is for us to say, they begin: what they send finds its way out of a NAT, and
    /// what we send does not find its way in. (RFC 5763 §5 would rather have us begin, to save half a round trip.)
    pub(super) fn answer(
        &mut self,
        theirs: &DtlsDescription,
        remote: SocketAddr,
        random: &mut ChaCha12Rng,
    ) -> Option<DtlsDescription> {
        let before = self.agreed.as_ref().filter(|before| before.is_of(theirs, before.params.role, remote));
        let role = match theirs.setup {
            // RFC 8842 §5.3: while the association stays, so do the roles.
            Setup::Actpass => before.map_or(DtlsRole::Server, |before| before.params.role),
            Setup::Active => DtlsRole::Server,
            Setup::Passive => DtlsRole::Client,
            Setup::Holdconn => return None,
        };
        self.agree(theirs, role, remote, random)?;
        let setup = match role {
            DtlsRole::Client => Setup::Active,
            DtlsRole::Server => Setup::Passive,
        };
        // RFC 8842 §5.3: who does not know the attribute is not given it.
        self.describe(setup, theirs.tls_id.is_some())
    }

    /// What the media leg has to know.
    pub(super) fn agreed(&self) -> Option<DtlsParams> {
        self.agreed.as_ref().map(|agreed| agreed.params.clone())
    }

    pub(super) fn forget(&mut self) {
        self.agreed = None;
    }

    fn describe(&self, setup: Setup, named: bool) -> Option<DtlsDescription> {
        let fingerprints = vec![self.fingerprint?.to_string()];
        Some(DtlsDescription { fingerprints, setup, tls_id: named.then(|| self.tls_id.clone()) })
    }

    fn agree(
        &mut self,
        theirs: &DtlsDescription,
        role: DtlsRole,
        remote: SocketAddr,
        random: &mut ChaCha12Rng,
    ) -> Option<()> {
        self.fingerprint?;
        let fingerprints = fingerprints(theirs)?;
        match &mut self.agreed {
            // On hold by an address that is none, it has not moved.
            Some(before) if before.is_of(theirs, role, remote) && is_nowhere(remote) => {}
            Some(before) if before.is_of(theirs, role, remote) => before.remote = remote,
            before => {
                if before.is_some() {
                    self.tls_id = tls_id(random);
                }
                self.count += 1;
                let params = DtlsParams { fingerprints, role, association: self.count };
                *before = Some(Agreed { params, tls_id: theirs.tls_id.clone(), remote });
            }
        }
        Some(())
    }
}

impl Agreed {
    /// Whether a later description means this association still. RFC 8842 §5.1: `tls-id` tells, and where there is
    /// none, another certificate, role or address makes another one.
    fn is_of(&self, theirs: &DtlsDescription, role: DtlsRole, remote: SocketAddr) -> bool {
        let same = fingerprints(theirs).is_some_and(|it| it == self.params.fingerprints) && role == self.params.role;
        match (&self.tls_id, &theirs.tls_id) {
            (Some(before), Some(now)) => same && before == now,
            (None, None) => same && (remote == self.remote || is_nowhere(remote)),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

fn is_nowhere(remote: SocketAddr) -> bool {
    remote.ip().is_unspecified() || remote.port() == 0
}

/// Those that can be compared with; `None` when there is none.
fn fingerprints(theirs: &DtlsDescription) -> Option<Arc<[Fingerprint]>> {
    let known: Arc<_> = theirs.fingerprints.iter().filter_map(|value| value.parse().ok()).collect();
    (!known.is_empty()).then_some(known)
}

/// RFC 8842 §4: at least 20 characters, 120 bits of chance.
fn tls_id(random: &mut ChaCha12Rng) -> String {
    format!("{:016x}{:016x}", random.next_u64(), random.next_u64())
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const HERE: &str = "192.0.2.5:4000";

    fn certificate(name: &str) -> Fingerprint {
        Fingerprint::of(name.as_bytes())
    }

    fn theirs(name: &str, setup: Setup, tls_id: Option<&str>) -> DtlsDescription {
        let fingerprints = vec!["sha-1 00".to_owned(), certificate(name).to_string()];
        DtlsDescription { fingerprints, setup, tls_id: tls_id.map(str::to_owned) }
    }

    fn answered(side: &mut Handshake, theirs: &DtlsDescription, remote: &str) -> Option<(Setup, Option<String>, u64)> {
        let mut random = ChaCha12Rng::from_seed([7; 32]);
        let ours = side.answer(theirs, remote.parse().unwrap(), &mut random)?;
        assert_eq!(ours.fingerprints, [certificate("ours").to_string()]);
        Some((ours.setup, ours.tls_id, side.agreed().unwrap().association))
    }

    fn side() -> Handshake {
        Handshake::new(Some(certificate("ours")), &mut ChaCha12Rng::from_seed([1; 32]))
    }

    #[test]
    fn the_answer_takes_the_other_part_and_leaves_the_beginning_to_them() {
        for (setup, ours, role) in [
            (Setup::Actpass, Setup::Passive, DtlsRole::Server),
            (Setup::Active, Setup::Passive, DtlsRole::Server),
            (Setup::Passive, Setup::Active, DtlsRole::Client),
        ] {
            let mut side = side();
            let (said, tls_id, count) = answered(&mut side, &theirs("phone", setup, None), HERE).unwrap();
            assert_eq!((said, tls_id, count), (ours, None, 1));
            let params = side.agreed().unwrap();
            assert_eq!((params.role, &params.fingerprints[..]), (role, &[certificate("phone")][..]));
        }
        assert!(answered(&mut side(), &theirs("phone", Setup::Holdconn, None), HERE).is_none());
        let unknown = DtlsDescription { fingerprints: vec!["sha-1 00".to_owned()], ..theirs("", Setup::Actpass, None) };
        assert!(answered(&mut side(), &unknown, HERE).is_none(), "no certificate to compare with");
        let mut without = Handshake::new(None, &mut ChaCha12Rng::from_seed([1; 32]));
        assert!(without.offer().is_none());
        assert!(
            without
                .answer(&theirs("x", Setup::Actpass, None), HERE.parse().unwrap(), &mut ChaCha12Rng::from_seed([1; 32]))
                .is_none()
        );
    }

    #[test]
    fn an_association_stays_until_their_description_means_another_one() {
        let mut side = side();
        let first = answered(&mut side, &theirs("phone", Setup::Actpass, Some("a")), HERE).unwrap();
        assert_eq!(first.1.as_deref().map(str::len), Some(32));
        // Held, and somewhere else: the name tells that it is the same.
        assert_eq!(answered(&mut side, &theirs("phone", Setup::Actpass, Some("a")), "192.0.2.6:1").unwrap(), first);
        let renamed = answered(&mut side, &theirs("phone", Setup::Actpass, Some("b")), HERE).unwrap();
        assert!(renamed.2 == 2 && renamed.1 != first.1, "a new association has a new name on both sides");
        assert_eq!(answered(&mut side, &theirs("other", Setup::Actpass, Some("b")), HERE).unwrap().2, 3);

        let mut side = self::side();
        let first = answered(&mut side, &theirs("phone", Setup::Passive, None), HERE).unwrap();
        assert_eq!(first.0, Setup::Active);
        for remote in [HERE, "0.0.0.0:4000"] {
            let again = answered(&mut side, &theirs("phone", Setup::Actpass, None), remote).unwrap();
            assert_eq!(again, first, "the roles stay with the association");
        }
        assert_eq!(answered(&mut side, &theirs("phone", Setup::Actpass, None), "192.0.2.6:1").unwrap().2, 2);
        assert_eq!(answered(&mut side, &theirs("other", Setup::Actpass, None), "192.0.2.6:1").unwrap().2, 3);
    }

    #[test]
    fn an_offer_leaves_the_beginning_open_and_its_answer_says() {
        for (setup, role) in [(Setup::Active, DtlsRole::Server), (Setup::Passive, DtlsRole::Client)] {
            let (mut side, mut random) = (side(), ChaCha12Rng::from_seed([7; 32]));
            let offer = side.offer().unwrap();
            assert_eq!(offer.setup, Setup::Actpass);
            let remote = HERE.parse().unwrap();
            side.accept(&theirs("phone", setup, Some("x")), remote, &mut random).unwrap();
            // Early, and again with the 200.
            side.accept(&theirs("phone", setup, Some("x")), remote, &mut random).unwrap();
            let params = side.agreed().unwrap();
            assert_eq!((params.role, params.association), (role, 1));
            assert_eq!(side.offer().unwrap(), offer, "a hold means the same association");
        }
    }
}
