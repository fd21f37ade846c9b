//! `"Display" <uri>;params`: From, To, Contact, Route and their kin (RFC 3261 §20.10).

use std::fmt;

use super::params::Params;
use super::uri::{SipUri, UriError};

/// A name-addr or addr-spec with header parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, without quotes and escapes.
    pub display: Option<String>,
    /// The URI.
    pub uri: SipUri,
    /// Header parameters, `tag` among them.
    pub params: Params,
}

impl NameAddr {
    /// A name-addr without header parameters.
    pub fn new(display: Option<&str>, uri: SipUri) -> Self {
        Self { display: display.map(str::to_owned), uri, params: Params::default() }
    }

    /// Reads one value. Without angle brackets, parameters belong to the header field, not to the URI (RFC 3261 §20).
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let text = text.trim();
        let (display, rest) = if text.starts_with('"') {
            let (display, rest) = unquote(text).ok_or(UriError::Scheme)?;
            let rest = rest.trim_start();
            if !rest.starts_with('<') {
                return Err(UriError::Scheme);
            }
            (Some(display), rest)
        } else if let Some(open) = text.find('<') {
            let display = text[..open].trim();
            // An unquoted display name is made of tokens; a stray quote or semicolon would mean something else
            // entirely.
            if display.contains(['"', ';', ',', '>']) {
                return Err(UriError::Scheme);
            }
            ((!display.is_empty()).then(|| display.to_owned()), &text[open..])
        } else {
            let (uri, params) = text.split_once(';').unwrap_or((text, ""));
            return Ok(Self { display: None, uri: uri.trim().parse()?, params: Params::parse(params) });
        };
        let inner = rest.strip_prefix('<').ok_or(UriError::Scheme)?;
        let (uri, params) = inner.split_once('>').ok_or(UriError::Host)?;
        let params = params.trim();
        if !params.is_empty() && !params.starts_with(';') {
            return Err(UriError::Host);
        }
        Ok(Self { display, uri: uri.parse()?, params: Params::parse(params) })
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            f.write_str("\"")?;
            for character in display.chars() {
                match character {
                    '"' | '\\' => write!(f, "\\{character}")?,
                    '\r' | '\n' => f.write_str(" ")?,
                    other => write!(f, "{other}")?,
                }
            }
            f.write_str("\" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// Takes a quoted string from the front; gives its content without escapes, and the rest.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((content, &text[index + 1..])),
            '\\' => content.push(characters.next()?.1),
            other => content.push(other),
        }
    }
    None
}
