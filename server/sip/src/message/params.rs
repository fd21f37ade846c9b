//! `;name=value` lists.

use std::fmt;

use super::text;

/// Parameters in order, as written (RFC 3261 §25.1 `generic-param`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Reads what follows the first semicolon. Empty entries are passed over.
    pub fn parse(list: &str) -> Self {
        let params = text::split_outside_quotes(list, ';')
            .into_iter()
            .filter(|entry| !entry.is_empty())
            .map(|entry| match entry.split_once('=') {
                Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
                None => (entry.to_owned(), None),
            })
            .collect();
        Self(params)
    }

    /// Whether a parameter is there, with or without a value. Names have no case.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    /// The value of a parameter; `None` also for one without a value.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_deref()
    }

    /// Sets a parameter, in its place if it is there.
    pub fn set(&mut self, name: &str, value: &str) {
        if let Some(entry) = self.0.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            entry.1 = Some(value.to_owned());
        } else {
            self.0.push((name.to_owned(), Some(value.to_owned())));
        }
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}
