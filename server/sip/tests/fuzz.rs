//! The fuzz targets on a stable compiler: over the kept corpus always, over mutations of it for as long as asked.
//!
//! `cargo xtask fuzz SECONDS` runs the same functions under cargo-fuzz where that is installed.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::path::Path;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

#[path = "../fuzz/targets.rs"]
mod targets;

/// Mutations of each target's corpus that every test run tries.
const USUAL: u32 = 3_000;
/// The environment variable that asks for seconds instead: so many for each target.
const SECONDS: &str = "CORDBOARD_FUZZ_SECONDS";

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 4] =
    [("message", targets::message), ("sdp", targets::sdp), ("header", targets::header), ("stream", targets::stream)];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn the_kept_corpus_holds() {
    for (target, run) in TARGETS {
        let corpus = corpus(target);
        assert!(corpus.len() >= 5, "{target} has a corpus");
        for data in &corpus {
            run(data);
        }
    }
}

#[test]
fn mutations_of_the_corpus_hold() {
    let asked = std::env::var(SECONDS).ok().map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
    // A run that was asked for is another one each time; the usual one is always the same.
    let seed = asked.map_or(1, |_| rand_seed());
    for (target, run) in TARGETS {
        let corpus = corpus(target);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let start = Instant::now();
        let mut runs: u32 = 0;
        while asked.map_or(runs < USUAL, |time| start.elapsed() < time) {
            let data = mutation(&mut rng, &corpus);
            assert!(std::panic::catch_unwind(|| run(&data)).is_ok(), "{target} fails on {}", data.escape_ascii());
            runs += 1;
        }
    }
}

/// Another one for each process.
fn rand_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

fn mutation(rng: &mut ChaCha8Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut pick = |bound: usize| rng.next_u32() as usize % bound.max(1);
    let mut bytes = corpus[pick(corpus.len())].clone();
    for _ in 0..=pick(5) {
        let at = pick(bytes.len());
        match pick(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << pick(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..(at + pick(40)).min(bytes.len()))),
            3 => {
                let other = &corpus[pick(corpus.len())];
                let from = pick(other.len());
                bytes.splice(at..at, other[from..(from + pick(200)).min(other.len())].iter().copied());
            }
            4 => drop(bytes.splice(at..at, "9".repeat(pick(30)).into_bytes())),
            5 => drop(bytes.splice(at..at, "é\u{202E}𝄞".bytes())),
            6 => bytes.insert(at, b"\r\n<>\";,:@=%[] \0\\?"[pick(17)]),
            _ => {
                let line: Vec<u8> = bytes[at..].iter().copied().take_while(|&byte| byte != b'\n').collect();
                let end = at + line.len();
                bytes.splice(end..end, [b"\n".as_slice(), &line].concat());
            }
        }
    }
    bytes
}
