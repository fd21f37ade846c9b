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

/// Gives a description of ours a version above that of the one before, if it has not (RFC 3264 §8: "the version in the
/// origin field MUST increment by one from the previous SDP").
pub(super) fn above_version(sdp: Vec<u8>, before: &[u8]) -> Vec<u8> {
    if sdp == before {
        return sdp;
    }
    match (version(&sdp), version(before)) {
        (Some((_, mine)), Some((_, last))) if mine > last => sdp,
        (Some((range, _)), Some((_, last))) => {
            let mut changed = sdp;
            changed.splice(range, last.saturating_add(1).to_string().into_bytes());
            changed
        }
        (_, _) => sdp,
    }
}

/// Where the version of `o=` stands, and what it is.
fn version(sdp: &[u8]) -> Option<(std::ops::Range<usize>, u64)> {
    let line = if sdp.starts_with(b"o=") { 0 } else { sdp.windows(3).position(|window| window == b"\no=")? + 1 };
    let rest = sdp.get(line..)?;
    let mut spaces = rest.iter().enumerate().filter(|(_, byte)| **byte == b' ').map(|(index, _)| index);
    let (start, end) = (spaces.nth(1)? + 1, spaces.next()?);
    let number = std::str::from_utf8(rest.get(start..end)?).ok()?.parse().ok()?;
    Some((line + start..line + end, number))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_offer_gets_the_next_version() {
        let of = |version: &str| format!("v=0\r\no=- 7 {version} IN IP4 192.0.2.1\r\ns=-\r\n").into_bytes();
        assert_eq!(
            above_version([of("2"), b"a=sendonly".to_vec()].concat(), &of("9")),
            [of("10"), b"a=sendonly".to_vec()].concat()
        );
        assert_eq!(above_version(of("11"), &of("9")), of("11"));
        assert_eq!(above_version(of("9"), &of("9")), of("9"), "the same again is a refresh");
        assert_eq!(above_version(b"nothing".to_vec(), &of("9")), b"nothing");
    }
}
