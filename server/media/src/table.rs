//! Tables by ids that this server gave out: each packet looks some of them up.
//!
//! Nobody else chooses these keys, so mixing them is enough. It is the same in each run: so is the order of what is inside.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by an id.
pub(crate) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// Mixes the bytes of an id.
#[derive(Debug, Default)]
pub(crate) struct Mixer(u64);

/// An odd number with its bits well spread: 2^64 by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[8 - part.len()..].copy_from_slice(part);
            self.0 = (self.0.rotate_left(23) ^ u64::from_be_bytes(word)).wrapping_mul(SPREAD);
        }
    }

    fn finish(&self) -> u64 {
        // The upper bits are the best mixed, the lower ones choose the place.
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use cordboard_shared::id::LegId;

    use super::Mixer;

    #[test]
    fn ids_in_a_row_fall_into_different_places() {
        let mixer = BuildHasherDefault::<Mixer>::default();
        let hashes: Vec<u64> = (0..1_000).map(|last| mixer.hash_one(LegId::demo(last))).collect();
        let places = |shift: u32| hashes.iter().map(|hash| hash >> shift & 0x3ff).collect::<BTreeSet<_>>().len();

        // 1,000 balls in 1,024 places: by chance they take about 640.
        assert!(places(0) > 550 && places(54) > 550, "{} and {}", places(0), places(54));
        assert_eq!(hashes[7], mixer.hash_one(LegId::demo(7)));
    }
}
