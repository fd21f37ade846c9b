//! Clears away what is old, once an hour.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// Time between two rounds.
const EVERY: Duration = Duration::from_hours(1);
/// How long the answer to a request with a key is kept, in milliseconds.
const KEYS_MS: u64 = 24 * 3_600_000;
/// How long a text message is shown, in milliseconds.
const MESSAGES_MS: u64 = 90 * 24 * 3_600_000;

pub(super) async fn run(store: Store, clock: Arc<dyn Clock>, mut stopping: watch::Receiver<bool>) {
    loop {
        if let Err(error) = sweep(&store, clock.as_ref()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what is old could not be cleared away");
        }
        tokio::select! {
            // A sender that is gone means the same as a request to stop.
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn sweep(store: &Store, clock: &dyn Clock) -> Result<(), StoreError> {
    let now = clock.now();
    store.forget_keys_until(now - KEYS_MS).await?;
    store.forget_messages_until(now - MESSAGES_MS).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use cordboard_shared::Millis;
    use uuid::Uuid;

    use super::*;
    use crate::clock::MockClock;
    use crate::store::KeyRow;

    #[tokio::test]
    async fn a_key_is_forgotten_after_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let start = Millis(1_000_000);
        let key = KeyRow { principal: Uuid::nil(), key: "k".to_owned(), fingerprint: [0; 32], at: start, answer: None };
        store.save_keys(&[key]).await.unwrap();
        let clock = MockClock::at(start + KEYS_MS - 1);

        sweep(&store, &clock).await.unwrap();
        assert_eq!(store.keys_since(Millis(0), 9).await.unwrap().len(), 1);

        clock.advance(1);
        sweep(&store, &clock).await.unwrap();
        assert!(store.keys_since(Millis(0), 9).await.unwrap().is_empty());
    }
}
