//! Reads a session description, line by line.

use super::description::{Connection, Direction, Media, SessionDescription};
use super::{MAX_MEDIA, MAX_SDP_BYTES, SdpError};
use crate::message::text::decode;

pub(super) fn parse(bytes: &[u8]) -> Result<SessionDescription, SdpError> {
    if bytes.len() > MAX_SDP_BYTES {
        return Err(SdpError::TooLarge);
    }
    let text = decode(bytes);
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()));
    let starts = lines.next().is_some_and(|(_, line)| line == "v=0");
    if !starts {
        return Err(SdpError::Line(1));
    }
    let mut session = SessionDescription {
        session_id: 0,
        version: 0,
        // A line o= must be there (RFC 8866 §5.2); one that is missing names nobody.
        origin: "0.0.0.0".to_owned(),
        connection: None,
        direction: None,
        attributes: Vec::new(),
        media: Vec::new(),
    };
    for (number, line) in lines {
        if line.is_empty() {
            continue;
        }
        let (kind, value) = line.split_once('=').ok_or(SdpError::Line(number))?;
        match kind {
            "o" => parse_origin(value, &mut session).ok_or(SdpError::Line(number))?,
            "c" => {
                let connection = Some(parse_connection(value).ok_or(SdpError::Line(number))?);
                match session.media.last_mut() {
                    Some(media) => media.connection = connection,
                    None => session.connection = connection,
                }
            }
            "m" => {
                if session.media.len() == MAX_MEDIA {
                    return Err(SdpError::TooLarge);
                }
                session.media.push(parse_media(value).ok_or(SdpError::Line(number))?);
            }
            "a" => parse_attribute(value, &mut session),
            // RFC 8866 §5 would have us ignore the whole description for a letter that is not known; trunks do send such
            // lines, and nothing else in the description depends on them.
            _ => {}
        }
    }
    Ok(session)
}

fn parse_origin(value: &str, session: &mut SessionDescription) -> Option<()> {
    let mut fields = value.split_ascii_whitespace().skip(1);
    let (id, version) = (fields.next()?, fields.next()?);
    // The numbers are of any length; what does not fit is still a valid name of the session.
    session.session_id = id.parse().unwrap_or(0);
    session.version = version.parse().unwrap_or(0);
    fields.nth(2)?.clone_into(&mut session.origin);
    Some(())
}

fn parse_connection(value: &str) -> Option<Connection> {
    let mut fields = value.split_ascii_whitespace();
    if fields.next()? != "IN" || !matches!(fields.next()?, "IP4" | "IP6") {
        return None;
    }
    // A multicast address carries a TTL after a slash.
    let address = fields.next()?.split('/').next().filter(|address| !address.is_empty())?;
    Some(match address.parse() {
        Ok(ip) => Connection::Address(ip),
        Err(_) => Connection::Name(address.to_owned()),
    })
}

fn parse_media(value: &str) -> Option<Media> {
    let mut fields = value.split_ascii_whitespace();
    let kind = fields.next()?.to_owned();
    let port = fields.next()?.split('/').next()?.parse().ok()?;
    let protocol = fields.next()?.to_owned();
    let formats: Vec<String> = fields.map(str::to_owned).collect();
    if formats.is_empty() {
        return None;
    }
    Some(Media { kind, port, protocol, formats, connection: None, attributes: Vec::new(), direction: None })
}

fn parse_attribute(value: &str, session: &mut SessionDescription) {
    let direction = Direction::of(value.trim());
    match (session.media.last_mut(), direction) {
        (Some(media), Some(direction)) => media.direction = Some(direction),
        (Some(media), None) => media.attributes.push(value.to_owned()),
        (None, Some(direction)) => session.direction = Some(direction),
        (None, None) => session.attributes.push(value.to_owned()),
    }
}
