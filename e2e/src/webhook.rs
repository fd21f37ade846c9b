//! A web server on loopback that call flows ask: it keeps what it was sent and answers what it is told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// A request must be here within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest request.
const LARGEST: usize = 65_536;

/// A web server. It ends with this value.
#[derive(Debug)]
pub struct Webhook {
    /// Its port.
    pub port: u16,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    answer: Value,
    late: Duration,
    asked: Vec<Value>,
}

impl Webhook {
    /// Starts one that answers this.
    pub async fn start(answer: Value) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Mutex::new(Shared { answer, ..Shared::default() }));
        let kept = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let shared = Arc::clone(&kept);
                tokio::spawn(async move {
                    // Who asks wrongly gets no answer, and the journey sees that.
                    let _ = timeout(PATIENCE, serve(socket, &shared)).await;
                });
            }
        });
        Ok(Self { port, shared, task })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/digits", self.port)
    }

    /// Answers this from now on, after so long.
    pub fn set(&self, answer: Value, late: Duration) {
        let mut shared = lock(&self.shared);
        (shared.answer, shared.late) = (answer, late);
    }

    /// What it was asked, in order.
    pub fn asked(&self) -> Vec<Value> {
        lock(&self.shared).asked.clone()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut socket: TcpStream, shared: &Mutex<Shared>) -> Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    let body = loop {
        let length = socket.read(&mut buffer).await?;
        request.extend(&buffer[..length]);
        anyhow::ensure!(length > 0 && request.len() <= LARGEST, "no whole request");
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        let wanted = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let wanted: usize = wanted.map_or(Ok(0), |(_, value)| value.trim().parse()).context("no length")?;
        if body.len() >= wanted {
            break body.to_owned();
        }
    };
    let (answer, late) = {
        let mut shared = lock(shared);
        shared.asked.push(serde_json::from_str(&body).unwrap_or(Value::String(body)));
        (shared.answer.to_string(), shared.late)
    };
    sleep(late).await;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await?;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
