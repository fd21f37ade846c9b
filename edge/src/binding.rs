//! The account's Durable Object, as the worker calls it: by typed methods, never by a path.

use std::time::Duration;

use cordboard_shared::edge::{FeedAnswer, FeedFrame};
use cordboard_shared::id::AccountId;
use cordboard_shared::presence::read::ReadRequest;
use cordboard_shared::presence::write::WriteRequest;
use cordboard_shared::presence::{Answer, object_name};
use futures_util::future::{Either, select};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use worker::{Delay, Env, Method, Request, RequestInit, Result};

/// The binding's name in `config.capnp` and `wrangler.toml`.
const BINDING: &str = "PRESENCE";
/// How long an object may take. After a trap in it no answer ever comes.
const PATIENCE: Duration = Duration::from_secs(6);

/// What the object is asked, with the name it is asked by, which it compares to the one it was made for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) account: AccountId,
    pub(crate) request: ObjectRequest,
}

/// One question to the object.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ObjectRequest {
    /// Answered with an [`Answer`].
    Read(ReadRequest),
    /// Answered with an [`Answer`].
    Write(WriteRequest),
    /// Signature verified; answered with a [`FeedAnswer`].
    Feed(FeedText),
}

/// A frame as its JSON text: its items stay untouched on the way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FeedText(String);

impl FeedText {
    /// Writes a frame.
    pub(crate) fn new(frame: &FeedFrame) -> Result<Self> {
        Ok(Self(serde_json::to_string(frame)?))
    }

    /// Reads it.
    pub(crate) fn frame(&self) -> Result<FeedFrame> {
        Ok(serde_json::from_str(&self.0)?)
    }
}

/// The object of one account.
pub(crate) struct Presence<'e> {
    env: &'e Env,
    account: AccountId,
}

impl<'e> Presence<'e> {
    /// The object of this account.
    pub(crate) fn of(account: AccountId, env: &'e Env) -> Self {
        Self { env, account }
    }

    /// One person's presence.
    pub(crate) async fn read(&self, request: ReadRequest) -> Result<Answer> {
        self.call(ObjectRequest::Read(request)).await
    }

    /// A toggle. An error says nothing about whether it was forwarded.
    pub(crate) async fn write(&self, request: WriteRequest) -> Result<Answer> {
        self.call(ObjectRequest::Write(request)).await
    }

    /// A frame of the feed.
    pub(crate) async fn feed(&self, frame: &FeedFrame) -> Result<FeedAnswer> {
        self.call(ObjectRequest::Feed(FeedText::new(frame)?)).await
    }

    async fn call<T: DeserializeOwned>(&self, request: ObjectRequest) -> Result<T> {
        let body = serde_json::to_string(&Call { account: self.account, request })?;
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_body(Some(body.into()));
        let request = Request::new_with_init("https://object/", &init)?;
        // A stub is broken after an error: each call takes a new one.
        let stub = self.env.durable_object(BINDING)?.get_by_name(&object_name(self.account))?;
        let call = std::pin::pin!(async {
            let mut response = stub.fetch_with_request(request).await?;
            response.json::<T>().await
        });
        match select(call, Delay::from(PATIENCE)).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => Err("the object did not answer".into()),
        }
    }
}
