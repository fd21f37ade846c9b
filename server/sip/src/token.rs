//! Branches, tags and Call-IDs: random, from a seeded generator, so that a run can be repeated.

use std::hash::{DefaultHasher, Hasher};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The prefix that marks a branch as unique in the sense of RFC 3261 §8.1.1.7.
pub(crate) const MAGIC_COOKIE: &str = "z9hG4bK";

/// Makes the identifiers of one endpoint.
pub(crate) struct Tokens {
    rng: ChaCha12Rng,
    secret: u64,
    nonce_secret: [u8; 32],
}

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let secret = rng.next_u64();
        let mut nonce_secret = [0; 32];
        rng.fill_bytes(&mut nonce_secret);
        Self { rng, secret, nonce_secret }
    }

    /// What nonces are signed with.
    pub(crate) fn nonce_secret(&self) -> [u8; 32] {
        self.nonce_secret
    }

    /// A branch parameter, 96 random bits.
    pub(crate) fn branch(&mut self) -> String {
        format!("{MAGIC_COOKIE}{}", self.hex())
    }

    /// A From or To tag; RFC 3261 §19.3 asks for 32 random bits at least, this has 96.
    pub(crate) fn tag(&mut self) -> String {
        self.hex()
    }

    /// A Call-ID, 96 random bits; no host part, so that it tells nothing about the machine.
    pub(crate) fn call_id(&mut self) -> String {
        self.hex()
    }

    /// A To tag for an answer without a transaction: the same for each repeat of a request (RFC 3261 §8.2.7).
    pub(crate) fn stateless_tag(&self, branch: &str, call_id: &str) -> String {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.secret);
        hasher.write(branch.as_bytes());
        hasher.write_u8(0);
        hasher.write(call_id.as_bytes());
        format!("{:016x}", hasher.finish())
    }

    /// A number below `bound`, for Retry-After and the like; the bias of the remainder does not matter there.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.rng.next_u32() % bound.max(1)
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u32 {
        self.rng.next_u32()
    }

    fn hex(&mut self) -> String {
        format!("{:016x}{:08x}", self.rng.next_u64(), self.rng.next_u32())
    }
}
