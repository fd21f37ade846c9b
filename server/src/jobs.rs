//! Work that goes on beside requests: text messages through the gateway, and clearing away what is old.

mod gateway;
mod messages;
mod sweep;
mod webhook;

use std::sync::Arc;

use cordboard_shared::id::AccountId;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::SmsGateway;
use crate::store::Store;

pub use messages::Messages;
pub use webhook::ask as ask_webhook;

/// The running jobs.
pub struct Jobs {
    messages: Messages,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Jobs {
    /// Starts them for one account. Without a gateway messages are held.
    pub fn start(
        store: &Store,
        account: AccountId,
        gateway: Option<SmsGateway>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let (stop, stopping) = watch::channel(false);
        let mut tasks = vec![tokio::spawn(sweep::run(store.clone(), clock.clone(), stopping.clone()))];
        let messages = Messages::new(store.clone(), account, gateway.is_some());
        if let Some(gateway) = gateway {
            let gateway = gateway::Gateway::new(gateway)?;
            tasks.push(tokio::spawn(messages.clone().deliver(gateway, clock, stopping)));
        }
        Ok(Self { messages, stop, tasks })
    }

    /// The way to send a message.
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Ends them; a message on its way stays so and is tried at the next start.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if task.await.is_err() {
                tracing::error!("a job had failed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cordboard_shared::api::outbox::OutboxState;
    use cordboard_shared::id::AgentId;

    use super::*;
    use crate::clock::SystemClock;
    use crate::keys::Keys;

    #[tokio::test]
    async fn a_gateway_that_never_answers_keeps_nothing_from_stopping() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let keys = Arc::new(Keys::open(dir.path()).unwrap());
        let now = SystemClock.now();
        let nowhere = ([127, 0, 0, 1], 0).into();
        crate::demo::fill(&store, &keys, dir.path(), (nowhere, nowhere), now, 0).await.unwrap();
        let (account, agent) = (AccountId::demo(1), AgentId::demo(0x21));
        let mobile = "+447700900100".parse().unwrap();
        store.set_mobile(account, agent, Some(&mobile)).await.unwrap();
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = SmsGateway {
            url: format!("http://{}/", silent.local_addr().unwrap()),
            from: "Lantern".to_owned(),
            token: "hush".to_owned(),
            allow_local: true,
        };
        let jobs = Jobs::start(&store, account, Some(gateway), Arc::new(SystemClock)).unwrap();
        let message = jobs.messages().send(agent, "hello".to_owned(), now).await.unwrap();
        let _connection = silent.accept().await.unwrap();

        tokio::time::timeout(Duration::from_secs(5), jobs.stop()).await.unwrap();

        let kept = store.messages(account, Some(agent), 9).await.unwrap();
        assert_eq!((kept.len(), kept[0].id, kept[0].state), (1, message.id, OutboxState::Sending));
        assert_eq!(store.due_messages(now, 9).await.unwrap().len(), 1, "it is tried at the next start");
    }
}
