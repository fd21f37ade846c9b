//! Bytes as text: UTF-8 where it is, Latin-1 where it is not.

use std::borrow::Cow;

/// Reads a header value as text. SIP says UTF-8; trunks also send Latin-1, whose bytes are code points.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    }
}

/// Whether a byte may stand in a token (RFC 3261 §25.1).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// Whether a text is a token.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_byte)
}

/// Splits at `separator`, but not inside quoted strings or angle brackets. Parts are trimmed.
pub(crate) fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    let mut escaped = false;
    let mut bracketed = false;
    for (index, character) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if quoted {
            match character {
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => {}
            }
        } else if character == '"' {
            quoted = true;
        } else if character == '<' {
            bracketed = true;
        } else if character == '>' {
            bracketed = false;
        } else if character == separator && !bracketed {
            parts.push(text[start..index].trim());
            start = index + character.len_utf8();
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// Percent-decodes (RFC 3261 §19.1.2); a broken escape stays as written.
pub(crate) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let escape =
            (byte == b'%').then(|| Some((hex(*bytes.get(index + 1)?)?, hex(*bytes.get(index + 2)?)?))).flatten();
        if let Some((high, low)) = escape {
            decoded.push(high << 4 | low);
            index += 3;
        } else {
            decoded.push(byte);
            index += 1;
        }
    }
    decode(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
