//! `POST /edge/feed`: the server's pushes.

use cordboard_shared::edge::signature::verify_frame;
use cordboard_shared::edge::{BUCKET, FeedFrame, GENERATION};
use cordboard_shared::error::{Problem, ProblemCode};
use cordboard_shared::presence::{Answer, router_unreachable};
use worker::{Env, Request, console_error};

use crate::binding::Presence;
use crate::{reply, settings};

/// Largest frame, in bytes.
const MAX_FRAME: usize = 4 * 1_024 * 1_024;

/// Verifies a frame and hands it to the object it is for.
pub(super) async fn take(mut request: Request, env: &Env) -> Answer {
    let frame = match frame(&mut request, env).await {
        Ok(frame) => frame,
        Err(answer) => return answer,
    };
    match Presence::of(frame.account, env).feed(&frame).await {
        Ok(answer) => Answer::json(200, serde_json::to_string(&answer).unwrap_or_default()),
        Err(error) => {
            console_error!("the object did not take a frame: {error}");
            router_unreachable().into()
        }
    }
}

async fn frame(request: &mut Request, env: &Env) -> Result<FeedFrame, Answer> {
    let keys = settings::feed_keys(env).map_err(reply::misconfigured)?;
    let bytes = request.bytes().await.map_err(|_| malformed("The frame could not be read."))?;
    if bytes.len() > MAX_FRAME {
        return Err(Problem::new(ProblemCode::TooLarge, "The frame is too large.").into());
    }
    let frame: FeedFrame = serde_json::from_slice(&bytes).map_err(|_| malformed("This is no frame of the feed."))?;
    verify_frame(&keys, &frame)
        .map_err(|_| Problem::new(ProblemCode::InvalidToken, "The frame's signature is not valid here."))?;
    if frame.generation != GENERATION || frame.range.bucket != BUCKET {
        return Err(malformed("This edge keeps no such bucket."));
    }
    Ok(frame)
}

fn malformed(detail: &str) -> Answer {
    Problem::new(ProblemCode::InvalidRequest, detail).into()
}
