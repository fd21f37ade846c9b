//! Work that goes on beside requests: text messages through the gateway, and clearing away what is old.

mod gateway;
mod messages;
mod sweep;

use std::sync::Arc;

use cordboard_shared::id::AccountId;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::SmsGateway;
use crate::store::Store;

pub use messages::Messages;

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
