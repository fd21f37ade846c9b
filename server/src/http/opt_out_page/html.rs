//! The page itself: plain, readable in light and dark and at any width, with one button.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Contrast at least 7 : 1 in both themes, a button that is easy to hit.
const STYLE: &str = "body{margin:0 auto;max-width:32rem;padding:2rem 1rem;font:1.125rem/1.5 system-ui,sans-serif;\
color:#16191d;background:#fff}button{font:inherit;font-weight:600;min-height:3rem;padding:.5rem 1.5rem;border:0;\
border-radius:.5rem;color:#fff;background:#8c1d18}button.on{background:#0b5a31}\
button:focus-visible{outline:3px solid #1a56db;outline-offset:3px}\
@media (prefers-color-scheme:dark){body{color:#f2f4f7;background:#16191d}}";

/// What the page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Calls can reach the person.
    Reachable {
        /// Who.
        name: String,
        /// Of which company.
        company: String,
    },
    /// They are opted out.
    OptedOut {
        /// Who.
        name: String,
        /// Of which company.
        company: String,
        /// Since when.
        since: String,
        /// Whom to ask, as a sentence with a space before it.
        ask: String,
        /// Whether the link also takes the opt-out back.
        may_resume: bool,
    },
    /// It cannot be done, and why.
    Refused {
        /// A sentence.
        detail: String,
    },
    /// For a redirect.
    Empty,
}

/// No script, nothing from elsewhere, and no style but this one.
pub(super) fn content_security_policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (title, body) = match self {
            Self::Empty => return Ok(()),
            Self::Reachable { name, company } => (
                "Stop business calls?",
                format!(
                    "<p>{name}, business calls of {company} can reach you.</p>\
                     <form method=post><button>Stop business calls to me</button></form>\
                     <p>It lasts until you undo it. Calls you make yourself are not affected.</p>",
                    name = escape(name),
                    company = escape(company),
                ),
            ),
            Self::OptedOut { name, company, since, ask, may_resume } => {
                let resume = if *may_resume {
                    "<form method=post><input type=hidden name=do value=resume>\
                     <button class=on>Receive business calls again</button></form>"
                } else {
                    ""
                };
                (
                    "Business calls are stopped",
                    format!(
                        "<p>{name}, business calls of {company} have not reached you since {since}.</p>\
                         <p>To receive them again, switch Call Availability on in the panel.{ask}</p>{resume}",
                        name = escape(name),
                        company = escape(company),
                        since = escape(since),
                        ask = escape(ask),
                    ),
                )
            }
            Self::Refused { detail } => ("This cannot be done", format!("<p>{}</p>", escape(detail))),
        };
        write!(
            f,
            "<!doctype html><html lang=en><head><meta charset=utf-8>\
             <meta name=viewport content=\"width=device-width,initial-scale=1\"><meta name=robots content=noindex>\
             <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
        )
    }
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_and_nothing_else() {
        let page = Page::Reachable { name: "<script>alert(1)</script>".to_owned(), company: "A & \"B\"".to_owned() };
        let html = page.to_string();

        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
        assert!(html.contains("A &amp; &quot;B&quot;"));
    }

    #[test]
    fn the_way_back_by_link_is_shown_only_where_it_is_allowed() {
        let page = |may_resume| Page::OptedOut {
            name: "Asha Rao".to_owned(),
            company: "Lantern Travel".to_owned(),
            since: "21 Nov 2026, 14:02 (Asia/Kolkata)".to_owned(),
            ask: " Ask Meera Nair.".to_owned(),
            may_resume,
        };

        assert!(!page(false).to_string().contains("<button"));
        assert!(page(true).to_string().contains("name=do value=resume"));
        assert!(page(false).to_string().contains("Ask Meera Nair."));
    }

    #[test]
    fn the_policy_lets_nothing_in_but_the_own_style() {
        let policy = content_security_policy();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"));
    }
}
