//! Text messages: kept first, then sent, so that none is lost by a crash. A message may reach the gateway twice, always
//! with the same id.

use std::sync::Arc;
use std::time::Duration;

use cordboard_shared::Millis;
use cordboard_shared::api::outbox::{OutboxMessage, OutboxState};
use cordboard_shared::id::{AccountId, AgentId, MessageId};
use cordboard_shared::pii::Pii;
use tokio::sync::{Notify, watch};

use super::gateway::{Gateway, Said};
use crate::clock::{self, Clock};
use crate::store::{Sent, Store, StoreError};

/// Waits between tries, in milliseconds; after the last one the message has failed.
const AGAIN_MS: [u64; 4] = [5_000, 30_000, 120_000, 600_000];
/// Messages looked at in one round.
const ROUND: u32 = 20;
/// Wait before the outbox is read again when the database did not answer, and the longest wait at all.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The way to send text messages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Messages {
    store: Store,
    account: AccountId,
    has_gateway: bool,
    wake: Arc<Notify>,
}

impl Messages {
    pub(super) fn new(store: Store, account: AccountId, has_gateway: bool) -> Self {
        Self { store, account, has_gateway, wake: Arc::default() }
    }

    /// Puts a message to a person into the outbox; it is on disk when this answers. Without a gateway, or without a
    /// number to send it to, it is held there.
    pub async fn send(&self, agent: AgentId, text: String, now: Millis) -> Result<OutboxMessage, StoreError> {
        let to = self.store.mobile(self.account, agent).await?;
        let state = if self.has_gateway && to.is_some() { OutboxState::Sending } else { OutboxState::Held };
        let message = OutboxMessage {
            id: MessageId::new(now, clock::random()),
            agent,
            to: to.map(Pii),
            text: Pii(text),
            at: now,
            state,
            error: None,
        };
        self.store.insert_message(self.account, &message).await?;
        self.wake.notify_one();
        Ok(message)
    }

    /// Sends what is due until told to stop.
    pub(super) async fn deliver(self, gateway: Gateway, clock: Arc<dyn Clock>, mut stopping: watch::Receiver<bool>) {
        loop {
            // A try that the end cuts short is made again at the next start.
            let round = tokio::select! {
                // A sender that is gone means the same as a request to stop.
                _ = stopping.wait_for(|stop| *stop) => return,
                round = self.round(&gateway, clock.as_ref()) => round,
            };
            let next = round.unwrap_or_else(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "the outbox cannot be read or written");
                None
            });
            let now = clock.now();
            let wait = next.map_or(LOOK_AGAIN, |at| Duration::from_millis(at.since(now)).min(LOOK_AGAIN));
            tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Tries what is due; when the next one is.
    async fn round(&self, gateway: &Gateway, clock: &dyn Clock) -> Result<Option<Millis>, StoreError> {
        for due in self.store.due_messages(clock.now(), ROUND).await? {
            let said = gateway.post(&due.message).await;
            let sent = settle(said, due.tries, clock.now(), clock::random());
            if let Sent::Failed { error } = &sent {
                tracing::warn!(message.id = %due.message.id, error, "a text message was not sent");
            }
            self.store.settle_message(due.message.id, &sent).await?;
        }
        self.store.next_message_at().await
    }
}

/// What the gateway's word means after so many tries before.
fn settle(said: Said, tries: u32, now: Millis, [chance]: [u8; 1]) -> Sent {
    match said {
        Said::Taken => Sent::Taken,
        Said::Refused(error) => Sent::Failed { error },
        Said::NotNow(error) => match AGAIN_MS.get(tries as usize).copied() {
            // Up to a quarter longer, so that messages that failed together do not come together again.
            Some(wait) => Sent::Later { at: now + wait + wait * u64::from(chance) / 1_024, error },
            None => Sent::Failed { error },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_tried_five_times_at_growing_distances() {
        let now = Millis(1_000);
        let not_now = || Said::NotNow("the gateway answered 503".to_owned());
        for (tries, wait) in (0..).zip(AGAIN_MS) {
            for chance in [0, 255] {
                let Sent::Later { at, .. } = settle(not_now(), tries, now, [chance]) else { panic!("{tries}") };
                assert!(at >= now + wait && at < now + wait + wait / 4, "{tries} {chance}");
            }
        }
        assert!(matches!(settle(not_now(), 4, now, [0]), Sent::Failed { .. }));
        assert_eq!(settle(Said::Taken, 4, now, [0]), Sent::Taken);
        assert!(matches!(settle(Said::Refused(String::new()), 0, now, [0]), Sent::Failed { .. }));
    }
}
