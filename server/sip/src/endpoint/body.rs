//! Finds the session description in a body: alone, or among the parts of a `multipart/mixed` (RFC 5621).

use crate::message::{HeaderId, Headers, Params};

/// The body type of sessions.
pub(super) const SDP: &str = "application/sdp";

/// The session description in a body, if there is one.
pub(super) fn sdp_of(headers: &Headers, body: &[u8]) -> Option<Vec<u8>> {
    if body.is_empty() {
        return None;
    }
    let (kind, params) = content_type(headers)?;
    match kind.as_str() {
        SDP => Some(body.to_vec()),
        "multipart/mixed" | "multipart/alternative" => sdp_part(body, params.value("boundary")?.trim_matches('"')),
        _ => None,
    }
}

fn content_type(headers: &Headers) -> Option<(String, Params)> {
    let text = headers.first(HeaderId::ContentType)?.text().into_owned();
    let (kind, params) = text.split_once(';').unwrap_or((&text, ""));
    Some((kind.trim().to_ascii_lowercase(), Params::parse(params)))
}

/// The content of the first part that is a session description (RFC 2046 §5.1.1).
fn sdp_part(body: &[u8], boundary: &str) -> Option<Vec<u8>> {
    // RFC 2046 §5.1.1: a boundary has 1 to 70 characters.
    if !(1..=70).contains(&boundary.len()) {
        return None;
    }
    let delimiter = format!("--{boundary}");
    let mut part: Option<Vec<&[u8]>> = None;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(delimiter.as_bytes()) {
            if let Some(sdp) = part.take().and_then(|lines| sdp_content(&lines)) {
                return Some(sdp);
            }
            part = Some(Vec::new());
        } else if let Some(lines) = &mut part {
            lines.push(line);
        }
    }
    // A part that no delimiter closes was cut off.
    None
}

fn sdp_content(lines: &[&[u8]]) -> Option<Vec<u8>> {
    let blank = lines.iter().position(|line| line.trim_ascii().is_empty())?;
    let (head, content) = lines.split_at(blank);
    let is_sdp = head.iter().any(|line| {
        let text = String::from_utf8_lossy(line).to_ascii_lowercase();
        text.split_once(':').is_some_and(|(name, value)| {
            matches!(name.trim(), "content-type" | "c") && value.split(';').next().unwrap_or_default().trim() == SDP
        })
    });
    is_sdp.then(|| content.get(1..).unwrap_or_default().concat())
}
