//! Telephone numbers and extensions, parsed once where they enter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number in the international form of ITU-T E.164: `+` and 2 to 15 digits.
///
/// A SIP user part may come without the `+`; [`E164::from_sip_user`] takes both.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct E164(String);

/// A short number inside an account: 2 to 6 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Extension(String);

/// The text is no telephone number or extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePhoneError {
    /// Not `+` and 2 to 15 digits.
    #[error("a number is + and 2 to 15 digits, such as +442079460101")]
    Number,
    /// Not 2 to 6 digits.
    #[error("an extension has 2 to 6 digits")]
    Extension,
}

impl E164 {
    /// Reads the user part of a SIP URI, with or without the `+`; visual separators are dropped (RFC 3966 §5.1.1).
    pub fn from_sip_user(user: &str) -> Result<Self, ParsePhoneError> {
        let digits: String = user.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' ')).collect();
        format!("+{}", digits.strip_prefix('+').unwrap_or(&digits)).parse()
    }

    /// The number with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Extension {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for E164 {
    type Err = ParsePhoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('+').ok_or(ParsePhoneError::Number)?;
        let valid = (2..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if valid { Ok(Self(text.to_owned())) } else { Err(ParsePhoneError::Number) }
    }
}

impl FromStr for Extension {
    type Err = ParsePhoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = (2..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if valid { Ok(Self(text.to_owned())) } else { Err(ParsePhoneError::Extension) }
    }
}

macro_rules! text_conversions {
    ($($name:ty),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            // The last two digits tell test calls apart and nobody's number away.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "…{}", &self.0[self.0.len().saturating_sub(2)..])
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParsePhoneError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    )+};
}

text_conversions!(E164, Extension);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sip_user_is_a_number_with_or_without_plus() {
        for user in ["+442079460101", "442079460101", "+44-207-946.0101"] {
            assert_eq!(E164::from_sip_user(user).unwrap().as_str(), "+442079460101");
        }
        for user in ["", "anonymous", "+", "+1", "+1234567890123456"] {
            assert_eq!(E164::from_sip_user(user), Err(ParsePhoneError::Number), "{user}");
        }
    }

    #[test]
    fn debug_output_hides_the_number() {
        assert_eq!(format!("{:?}", "+442079460101".parse::<E164>().unwrap()), "…01");
    }
}
