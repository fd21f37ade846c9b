//! A desk without a browser: the live socket of a person whose device can ring, for journeys that need many people,
//! or instants, and no sound.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::stack::{SOON, Stack};
use crate::wait::until;

/// Time between two tries to reach a server that is gone.
const AGAIN: Duration = Duration::from_millis(50);
/// A socket that says nothing for so long is dead: pings come every 5 s.
const SILENCE: Duration = Duration::from_secs(20);

/// What the person does when it rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Lets it ring.
    Rings,
    /// Answers at once.
    Answers,
    /// Presses Decline.
    Declines,
    /// The browser does not even confirm the ring.
    Dead,
    /// The page is open without a microphone: it shows and commands, and cannot ring.
    Watches,
}

/// A frame of the server and when it came, in microseconds since 1970.
#[derive(Debug, Clone)]
pub struct Said {
    /// When.
    pub at: u64,
    /// Its type.
    pub kind: String,
    /// The frame it answers.
    pub re: Option<String>,
    /// Its data.
    pub data: Value,
}

/// A person at a desk. The socket is opened again whenever it breaks, until this value goes.
#[derive(Debug)]
pub struct Desk {
    /// First name.
    pub name: String,
    /// The person.
    pub agent: String,
    shared: Arc<Shared>,
    orders: mpsc::UnboundedSender<Value>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    said: Mutex<Vec<Said>>,
    habit: Mutex<Habit>,
}

/// The wall clock that server and journeys share, in microseconds since 1970.
pub fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Desk {
    /// Opens the desk of a person, found by their first name, and waits until the server knows that it can ring.
    pub async fn open(stack: &Stack, first_name: &str, habit: Habit) -> Result<Self> {
        let person = stack.person(first_name)?.clone();
        let shared = Arc::new(Shared { said: Mutex::default(), habit: Mutex::new(habit) });
        let (orders, inbox) = mpsc::unbounded_channel();
        let address = format!("ws://127.0.0.1:{}/core/ws", stack.http);
        let task = tokio::spawn(sit(address, person.api_token.clone(), Arc::clone(&shared), inbox));
        let desk = Self { name: first_name.to_owned(), agent: person.uuid.clone(), shared, orders, task };
        if habit == Habit::Watches {
            desk.expect(0, "snapshot", SOON, |_| true).await?;
        } else {
            desk.expect_ready(&stack.api_as(first_name)?).await?;
        }
        Ok(desk)
    }

    /// Waits until the server counts this desk among the devices that can ring.
    pub async fn expect_ready(&self, api: &crate::api::Api) -> Result<()> {
        let path = format!("/core/agents/{}/presence", self.agent);
        until(&format!("the device of {}", self.name), SOON, async || {
            let presence = api.read(&path).await?;
            ensure!(presence["effective"]["devices_ready"].as_u64() >= Some(1), "{}", presence["effective"]);
            Ok(())
        })
        .await
    }

    /// What the person does from now on.
    pub fn set(&self, habit: Habit) {
        *lock(&self.shared.habit) = habit;
    }

    /// Everything the server has said of this type.
    pub fn heard(&self, kind: &str) -> Vec<Said> {
        lock(&self.shared.said).iter().filter(|said| said.kind == kind).cloned().collect()
    }

    /// How many frames have come: a place to look from later.
    pub fn mark(&self) -> usize {
        lock(&self.shared.said).len()
    }

    /// Waits for a frame of this type that came after a mark and fits.
    pub async fn expect(
        &self,
        mark: usize,
        kind: &str,
        limit: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<Said> {
        until(&format!("{kind} at the desk of {}", self.name), limit, async || {
            let said = lock(&self.shared.said);
            let found = said.iter().skip(mark).find(|said| said.kind == kind && fits(&said.data)).cloned();
            found.with_context(|| {
                let ends: Vec<&Value> =
                    said.iter().filter(|said| said.kind == "closed").map(|said| &said.data).collect();
                let kinds: Vec<&str> = said.iter().skip(mark).map(|said| said.kind.as_str()).collect();
                format!("it heard {kinds:?}; its socket ended: {ends:?}")
            })
        })
        .await
    }

    /// Waits for a call from a number to ring, after a mark.
    pub async fn expect_ring(&self, mark: usize, from: &str) -> Result<Said> {
        let ring = self.expect(mark, "ring", SOON, |ring| ring["from"] == from).await;
        ring.with_context(|| format!("the call from {from}"))
    }

    /// Fails when a call from a number has rung here after a mark.
    pub fn expect_silent(&self, mark: usize, from: &str) -> Result<()> {
        let said = lock(&self.shared.said);
        let rang = said.iter().skip(mark).find(|said| said.kind == "ring" && said.data["from"] == from);
        ensure!(rang.is_none(), "it rang for {}: {rang:?}", self.name);
        Ok(())
    }

    /// Sends a frame and gives what the server answers: the data of `ok`, or its problem as the error.
    pub async fn ask(&self, kind: &str, data: &Value) -> Result<std::result::Result<Value, Value>> {
        let (id, mark) = (format!("q{}", micros()), self.mark());
        self.orders.send(json!({ "id": id, "type": kind, "data": data }))?;
        until(&format!("the answer to {kind} of {}", self.name), SOON, async || {
            let said = lock(&self.shared.said);
            let answer = said.iter().skip(mark).find(|said| said.re.as_deref() == Some(&id));
            let answer = answer.context("none has come")?;
            anyhow::Ok(if answer.kind == "ok" { Ok(answer.data.clone()) } else { Err(answer.data.clone()) })
        })
        .await
    }

    /// The same, and it must be done.
    pub async fn must(&self, kind: &str, data: &Value) -> Result<Value> {
        let answer = self.ask(kind, data).await?;
        answer.map_err(|problem| anyhow::anyhow!("{kind} of {} was refused: {problem:#}", self.name))
    }

    /// The same, and it must be refused with a problem of this code, in a sentence.
    pub async fn must_not(&self, kind: &str, data: &Value, code: &str) -> Result<String> {
        match self.ask(kind, data).await? {
            Ok(answer) => bail!("{kind} of {} was done: {answer:#}", self.name),
            Err(problem) => {
                ensure!(problem["type"] == format!("/problems/{code}"), "it is not {code}: {problem:#}");
                let detail = problem["detail"].as_str().unwrap_or_default();
                ensure!(detail.ends_with('.') && detail.contains(' '), "no sentence: {problem:#}");
                Ok(detail.to_owned())
            }
        }
    }

    /// The last that was said of a call of one's own.
    pub fn call_state(&self, call: &str) -> Option<Value> {
        let said = lock(&self.shared.said);
        let states = said.iter().rev().filter(|said| said.kind == "call.state");
        states.map(|said| &said.data).find(|data| data["uid"] == call).cloned()
    }

    /// Waits until the last that was said of a call fits.
    pub async fn expect_call(&self, call: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        until(&format!("a call of {} {what}", self.name), SOON, async || {
            let state = self.call_state(call).context("nothing was said of it")?;
            ensure!(fits(&state), "it is {state:#}");
            Ok(state)
        })
        .await
    }

    /// Sends a frame of the person's own.
    pub fn say(&self, kind: &str, data: &Value) -> Result<()> {
        self.orders.send(json!({ "id": format!("j{}", micros()), "type": kind, "data": data }))?;
        Ok(())
    }

    /// Answers a ring.
    pub fn answer(&self, ring: &Said) -> Result<()> {
        self.say("call.answer", &json!({ "offer": ring.data["offer"] }))
    }

    /// Hangs up the call of a ring.
    pub fn hang_up(&self, ring: &Said) -> Result<()> {
        self.say("call.hangup", &json!({ "call": ring.data["call"] }))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn sit(address: String, token: String, shared: Arc<Shared>, mut inbox: mpsc::UnboundedReceiver<Value>) {
    loop {
        // A server that is gone, or a socket that broke, is met by trying again; the journey sees the device missing.
        let habit = *lock(&shared.habit);
        if let Ok(socket) = connect(&address, &token, habit).await {
            let end = attend(socket, &shared, &mut inbox).await;
            let why = end.err().map(|error| format!("{error:#}"));
            lock(&shared.said).push(Said { at: micros(), kind: "closed".to_owned(), re: None, data: json!(why) });
        }
        if inbox.is_closed() {
            return;
        }
        sleep(AGAIN).await;
    }
}

async fn connect(address: &str, token: &str, habit: Habit) -> Result<Socket> {
    let mut request = address.into_client_request()?;
    let protocols = format!("cordboard.v1, token.{token}");
    request.headers_mut().insert("sec-websocket-protocol", protocols.parse()?);
    let (mut socket, _) = timeout(SOON, connect_async(request)).await??;
    let hello =
        json!({ "app": "journeys/1", "device": "desk", "tab": "one", "topics": ["presence", "calls", "queues"] });
    say(&mut socket, "hello", &hello).await?;
    say(&mut socket, "device", &device(habit)).await?;
    Ok(socket)
}

/// A device that can ring, or one without a microphone.
fn device(habit: Habit) -> Value {
    let microphone = if habit == Habit::Watches { "none" } else { "granted" };
    json!({ "mic": microphone, "audio": "running", "visible": true, "leader": true })
}

async fn say(socket: &mut Socket, kind: &str, data: &Value) -> Result<()> {
    let frame = json!({ "id": format!("d{}", micros()), "type": kind, "data": data });
    socket.send(Message::text(frame.to_string())).await?;
    Ok(())
}

async fn attend(mut socket: Socket, shared: &Shared, inbox: &mut mpsc::UnboundedReceiver<Value>) -> Result<()> {
    loop {
        let frame = tokio::select! {
            order = inbox.recv() => {
                let Some(order) = order else { return Ok(()) };
                socket.send(Message::text(order.to_string())).await?;
                continue;
            }
            frame = timeout(SILENCE, socket.next()) => frame?,
        };
        let frame: Value = match frame {
            Some(Ok(Message::Text(text))) => serde_json::from_str(text.as_str())?,
            Some(Ok(Message::Close(frame))) => bail!("the server closed the socket: {frame:?}"),
            None => bail!("the socket has ended"),
            Some(Ok(_)) => continue,
            Some(Err(error)) => return Err(error.into()),
        };
        let (kind, data) = (frame["type"].as_str().unwrap_or_default().to_owned(), frame["data"].clone());
        match kind.as_str() {
            "ping" => {
                let mut pong = device(*lock(&shared.habit));
                pong["t"] = data["t"].clone();
                say(&mut socket, "pong", &pong).await?;
                continue;
            }
            "ring" => {
                let habit = *lock(&shared.habit);
                let offer = json!({ "offer": data["offer"] });
                if !matches!(habit, Habit::Dead | Habit::Watches) {
                    say(&mut socket, "ring.ack", &offer).await?;
                }
                match habit {
                    Habit::Answers => say(&mut socket, "call.answer", &offer).await?,
                    Habit::Declines => say(&mut socket, "call.decline", &offer).await?,
                    Habit::Rings | Habit::Dead | Habit::Watches => {}
                }
            }
            _ => {}
        }
        let re = frame["re"].as_str().map(str::to_owned);
        lock(&shared.said).push(Said { at: micros(), kind, re, data });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
