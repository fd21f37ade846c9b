//! A page of the panel, such as `frontend/index.html`, as Trunk reads it, so that both tools share one page.
//!
//! Only the link kinds the page uses are understood; another kind is an error, never left out in silence.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

/// A file or folder the page asks for by a `<link data-trunk …>`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asset {
    /// `rel="rust"`: a program of the panel, by the name of its binary.
    Rust { bin: String },
    /// `rel="css"`: a style sheet.
    Css { href: String },
    /// `rel="icon"`: the page's icon.
    Icon { href: String, kind: Option<String> },
    /// `rel="copy-file"`: copied under its own name.
    CopyFile { href: String },
    /// `rel="copy-dir"`: copied with all it holds, under its own name.
    CopyDir { href: String },
}

/// A page cut at its `data-trunk` links: text, link, text, link … text.
#[derive(Debug)]
pub(crate) struct Page {
    parts: Vec<(String, Asset)>,
    rest: String,
}

impl Page {
    /// Finds the `data-trunk` links of a page.
    pub(crate) fn parse(html: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = html;
        while let Some(start) = next_link(rest) {
            let end = start + rest[start..].find('>').context("a <link is not closed in the page")? + 1;
            let tag = &rest[start..end];
            let attributes = attributes(tag);
            text.push_str(&rest[..start]);
            rest = &rest[end..];
            if get(&attributes, "data-trunk").is_none() {
                text.push_str(tag);
                continue;
            }
            parts.push((std::mem::take(&mut text), asset(tag, &attributes)?));
        }
        text.push_str(rest);
        if !parts.iter().any(|(_, asset)| matches!(asset, Asset::Rust { .. })) {
            bail!("the page has no <link data-trunk rel=\"rust\">");
        }
        Ok(Self { parts, rest: text })
    }

    /// The page with each link replaced by what `put` gives for it.
    pub(crate) fn render(&self, mut put: impl FnMut(&Asset) -> Result<String>) -> Result<String> {
        let mut html = String::new();
        for (text, asset) in &self.parts {
            write!(html, "{text}{}", put(asset)?)?;
        }
        html.push_str(&self.rest);
        Ok(html)
    }
}

/// The place of the next `<link` outside of comments.
fn next_link(html: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let link = from + html[from..].find("<link")?;
        match html[from..].find("<!--").map(|offset| from + offset) {
            Some(comment) if comment < link => from = comment + html[comment..].find("-->")? + "-->".len(),
            Some(_) | None => return Some(link),
        }
    }
}

fn asset(tag: &str, attributes: &[(String, String)]) -> Result<Asset> {
    let href = || get(attributes, "href").map(str::to_owned).with_context(|| format!("no href in {tag}"));
    Ok(match get(attributes, "rel") {
        Some("rust") => Asset::Rust {
            bin: get(attributes, "data-bin").with_context(|| format!("no data-bin in {tag}"))?.to_owned(),
        },
        Some("css") => Asset::Css { href: href()? },
        Some("icon") => Asset::Icon { href: href()?, kind: get(attributes, "type").map(str::to_owned) },
        Some("copy-file") => Asset::CopyFile { href: href()? },
        Some("copy-dir") => Asset::CopyDir { href: href()? },
        Some(other) => bail!("rel=\"{other}\" is not supported by `cargo xtask panel`: {tag}"),
        None => bail!("no rel in {tag}"),
    })
}

fn get<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The attributes of one tag; values in double or single quotes, or none.
fn attributes(tag: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let inner = tag.trim_start_matches("<link").trim_end_matches('>').trim_end_matches('/');
    let mut rest = inner.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            rest = after.trim_start();
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (text, after) = match quote {
                Some(quote) => rest[1..].split_once(quote).unwrap_or((&rest[1..], "")),
                None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
            };
            text.clone_into(&mut value);
            rest = after.trim_start();
        }
        if !name.is_empty() {
            found.push((name, value));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<head><!-- <link data-trunk rel="css" href="old.css"> -->
<link rel="canonical" href="/x">
<link data-trunk rel="rust" data-bin="cordboard-frontend" data-wasm-opt="0"/>
<link data-trunk rel='css' href='style.gen.css'/>
<link data-trunk rel="copy-dir" href="public"></head>"#;

    #[test]
    fn each_trunk_link_is_found_and_the_rest_is_left_alone() {
        let page = Page::parse(PAGE).unwrap();

        let mut seen = Vec::new();
        let html = page
            .render(|asset| {
                seen.push(format!("{asset:?}"));
                Ok(String::from("[here]"))
            })
            .unwrap();

        assert_eq!(
            seen,
            [
                r#"Rust { bin: "cordboard-frontend" }"#,
                r#"Css { href: "style.gen.css" }"#,
                r#"CopyDir { href: "public" }"#
            ]
        );
        assert_eq!(html.matches("[here]").count(), 3);
        assert!(html.contains(r#"<link rel="canonical" href="/x">"#));
        assert!(html.contains("old.css"), "a comment stays as it is");
    }

    #[test]
    fn a_link_kind_nobody_builds_is_an_error() {
        let error = Page::parse(r#"<link data-trunk rel="sass" href="a.scss">"#).unwrap_err();

        assert!(error.to_string().contains("sass"));
    }

    #[test]
    fn a_page_without_its_program_is_an_error() {
        assert!(Page::parse("<html></html>").is_err());
    }
}
