//! From an answer to the runtime's response.

use cordboard_shared::error::{Problem, ProblemCode};
use cordboard_shared::id::RequestId;
use cordboard_shared::presence::Answer;
use cordboard_shared::time::Millis;
use worker::{Date, Headers, Response, Result, console_error};

use crate::settings::BadSetting;

/// This clock.
pub(crate) fn now() -> Millis {
    Millis(i64::try_from(Date::now().as_millis()).unwrap_or_default())
}

/// Random bytes for a new id; zeros where the runtime gives none, which only makes ids less unlike each other.
pub(crate) fn random() -> [u8; 10] {
    let mut bytes = [0; 10];
    if getrandom::fill(&mut bytes).is_err() {
        console_error!("the runtime gives no random bytes");
    }
    bytes
}

/// The caller's answer, named and closed to caches that would keep it by themselves.
pub(crate) fn send(answer: Answer) -> Result<Response> {
    let mut answer = answer.about(RequestId::new(now(), random()));
    if answer.header("cache-control").is_none() {
        answer = answer.with("cache-control", "no-store");
    }
    let headers = Headers::new();
    for (name, value) in answer.headers.iter().chain([&("x-content-type-options".to_owned(), "nosniff".to_owned())]) {
        headers.set(name, value)?;
    }
    let builder = Response::builder().with_status(answer.status).with_headers(headers);
    Ok(if answer.body.is_empty() { builder.empty() } else { builder.fixed(answer.body.into_bytes()) })
}

/// The error when the edge is set up wrongly: its caller cannot mend it, its log says what it is.
pub(crate) fn misconfigured(setting: BadSetting) -> Answer {
    console_error!("the setting {} is missing or cannot be read", setting.0);
    fault("The edge is not set up correctly. Ask the server directly.")
}

/// The error for a fault of the edge itself.
pub(crate) fn fault(detail: &str) -> Answer {
    Answer::from(Problem::new(ProblemCode::Internal, detail))
}
